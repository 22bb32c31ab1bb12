//! JSON lines into columns, in three steps of rising cost.
//!
//! 1. A **template** is the shape of a line seen before: the bytes between its values. When a line has the same bytes there,
//!    its keys need no lookup. The tag's value is part of those bytes, so a template also knows the port.
//! 2. A **scan** looks up each key and, when the line is plain, leaves a template behind.
//! 3. The **strict** decoder is serde_json and takes any legal line.
//!
//! Invariant: what an earlier step accepts the strict decoder accepts with the same values. Steps 1 and 2 read
//! a line to its end, and give it on at the first surprise. Keys that occur twice are told apart in step 2 (the last wins)
//! and never become a template.

mod scan;
mod strict;
#[cfg(test)]
mod tests;

use memchr::memchr2;
use tidemill_core::TimeMs;
use tidemill_core::block::Builder;

use super::layout::Layout;
use super::row::{Row, Slot};

/// Shapes of lines remembered at most. A stream has a shape per variant and per set of optional fields.
const TEMPLATES_MAX: usize = 8;
/// Templates tried on one line at most: each try may read much of the line before it fails.
const TRIES_MAX: usize = 3;
/// Members of an object in a template at most, so that a hostile line leaves no giant behind.
const STEPS_MAX: usize = 256;

/// Decodes JSON lines. See the module.
#[derive(Debug)]
pub(crate) struct Json {
    slots: Vec<Slot>,
    scratch: Vec<u8>,
    members: Vec<Member>,
    templates: Vec<Template>,
    /// The template that fitted last.
    last: usize,
    /// The template to replace next.
    oldest: usize,
}

/// A key and its value, as a scan met them.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Index of the name, when anything needs it.
    name: Option<usize>,
    value_start: usize,
    value_end: usize,
}

/// The shape of a line.
#[derive(Debug)]
struct Template {
    port: Option<usize>,
    /// The bytes between values, one after the other.
    text: Vec<u8>,
    steps: Vec<Step>,
    /// Where in `text` the bytes after the last value begin.
    tail: usize,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// The bytes of `text` before the value.
    lead: (u32, u32),
    /// The same as a number and which of its bits count, when they are at most [`LEAD_SHORT`].
    short: Option<(u128, u128)>,
    /// The slot the value goes to.
    slot: Option<u32>,
}

/// Bytes between two values up to which they are compared in one step: the name of a key and what stands around it.
const LEAD_SHORT: usize = 16;

impl Step {
    fn new(text: &[u8], start: usize, slot: Option<u32>) -> Step {
        let lead = &text[start..];
        let short = (lead.len() <= LEAD_SHORT).then(|| {
            let mut bytes = [0; LEAD_SHORT];
            bytes[..lead.len()].copy_from_slice(lead);
            (u128::from_le_bytes(bytes), u128::MAX.checked_shr(8 * (LEAD_SHORT - lead.len()) as u32).unwrap_or(0))
        });
        Step { lead: (start as u32, text.len() as u32), short, slot }
    }

    /// Where the value begins, if the line goes on at `at` with the lead.
    #[inline]
    fn value_at(&self, line: &[u8], at: usize, text: &[u8]) -> Option<usize> {
        let rest = &line[at..];
        let same = match (self.short, rest.first_chunk::<LEAD_SHORT>()) {
            (Some((lead, bits)), Some(bytes)) => u128::from_le_bytes(*bytes) & bits == lead,
            _ => rest.starts_with(&text[self.lead.0 as usize..self.lead.1 as usize]),
        };
        same.then_some(at + (self.lead.1 - self.lead.0) as usize)
    }
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// To a port, with this event time.
    Stored(TimeMs),
    /// Its variant was not asked for; its event time, where it has one.
    Unselected(Option<TimeMs>),
}

impl Json {
    pub(crate) fn new(layout: &Layout) -> Json {
        Json {
            slots: vec![Slot::MISSING; layout.names.len()],
            scratch: Vec::new(),
            members: Vec::new(),
            templates: Vec::new(),
            last: 0,
            oldest: 0,
        }
    }

    /// Decodes one line; `plain` says that it is known to be UTF-8 without control bytes. On an error nothing is stored.
    #[inline]
    pub(crate) fn line(&mut self, line: &[u8], plain: bool, layout: &Layout, builders: &mut [Builder]) -> Result<Decoded, String> {
        if plain {
            if let Some(port) = self.by_template(line)
                && let Ok(decoded) = self.store(line, port, layout, builders)
            {
                return Ok(decoded);
            }
            if let Some(port) = self.by_scan(line, layout)
                && let Ok(decoded) = self.store(line, port, layout, builders)
            {
                self.learn(line, port, layout);
                return Ok(decoded);
            }
        }
        self.strictly(line, layout, builders)
    }

    fn store(&self, line: &[u8], port: Option<usize>, layout: &Layout, builders: &mut [Builder]) -> Result<Decoded, String> {
        match port {
            Some(port) => {
                let row = Row { slots: &self.slots, record: line, scratch: &self.scratch };
                row.store(layout, port, &mut builders[port]).map(Decoded::Stored)
            }
            None => Ok(Decoded::Unselected(layout.time.and_then(|time| self.slots[time].as_int()))),
        }
    }

    /// Fills the slots by a shape seen before. `Some(None)` is a record of a variant that nobody asked for.
    #[inline]
    fn by_template(&mut self, line: &[u8]) -> Option<Option<usize>> {
        if let Some(template) = self.templates.get(self.last)
            && template.fill(line, &mut self.slots)
        {
            return Some(template.port);
        }
        let mut tries = 1;
        for (index, template) in self.templates.iter().enumerate() {
            if index == self.last || !template.may_fit(line) {
                continue;
            }
            if template.fill(line, &mut self.slots) {
                self.last = index;
                return Some(template.port);
            }
            tries += 1;
            if tries == TRIES_MAX {
                break;
            }
        }
        None
    }

    /// Fills the slots key by key and notes the members.
    fn by_scan(&mut self, line: &[u8], layout: &Layout) -> Option<Option<usize>> {
        self.slots.fill(Slot::MISSING);
        self.members.clear();
        let mut at = scan::skip_space(line, 0);
        if *line.get(at)? != b'{' {
            return None;
        }
        at = scan::skip_space(line, at + 1);
        if line.get(at) != Some(&b'}') {
            loop {
                if *line.get(at)? != b'"' {
                    return None;
                }
                let key_start = at + 1;
                let key_end = key_start + memchr2(b'"', b'\\', &line[key_start..]).filter(|&i| line[key_start + i] == b'"')?;
                at = scan::skip_space(line, key_end + 1);
                if *line.get(at)? != b':' {
                    return None;
                }
                at = scan::skip_space(line, at + 1);
                let name = layout.name_index(&line[key_start..key_end]);
                let (slot, value_end) = scan::value(line, at, name.is_some())?;
                if let Some(name) = name {
                    self.slots[name] = slot;
                }
                self.members.push(Member { name, value_start: at, value_end });
                at = scan::skip_space(line, value_end);
                match line.get(at)? {
                    b',' => at = scan::skip_space(line, at + 1),
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        if scan::skip_space(line, at + 1) != line.len() {
            return None;
        }
        let row = Row { slots: &self.slots, record: line, scratch: &self.scratch };
        match layout.tag {
            None => Some(Some(0)),
            Some(tag) => Some(layout.port_of(row.text(tag)?)),
        }
    }

    /// Remembers the shape of the line just scanned.
    fn learn(&mut self, line: &[u8], port: Option<usize>, layout: &Layout) {
        let names = || self.members.iter().filter_map(|m| m.name);
        let twice = |name: usize| names().filter(|&n| n == name).count() > 1;
        if self.members.len() > STEPS_MAX || names().any(twice) {
            return;
        }
        let template = Template::of(line, &self.members, port, layout);
        if self.templates.len() < TEMPLATES_MAX {
            self.last = self.templates.len();
            self.templates.push(template);
        } else {
            self.last = self.oldest;
            self.templates[self.oldest] = template;
            self.oldest = (self.oldest + 1) % TEMPLATES_MAX;
        }
    }

    /// Decodes by serde_json alone. Reads twice when there is a tag: which keys are wanted depends on it.
    fn strictly(&mut self, line: &[u8], layout: &Layout, builders: &mut [Builder]) -> Result<Decoded, String> {
        let text = std::str::from_utf8(line).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to()))?;
        let port = match layout.tag {
            None => Some(0),
            Some(tag) => {
                self.read_strictly(text, &|key| (key == layout.names[tag]).then_some(tag))?;
                let row = Row { slots: &self.slots, record: line, scratch: &self.scratch };
                match row.text(tag) {
                    Some(tag) => layout.port_of(tag),
                    None if self.slots[tag].is_missing() => return Err(format!("the tag {:?} is missing", layout.names[tag])),
                    None => return Err(format!("the tag {:?} is no string", layout.names[tag])),
                }
            }
        };
        let read = self.read_strictly(text, &|key| layout.name_index(key.as_bytes()).filter(|&name| layout.needs(port, name)));
        if port.is_some() {
            read?;
        } else if read.is_err() {
            // The record is legal JSON of a variant nobody reads; a time that is no integer is not ours to judge.
            self.slots.fill(Slot::MISSING);
        }
        self.store(line, port, layout, builders)
    }

    fn read_strictly(&mut self, text: &str, index: &dyn Fn(&str) -> Option<usize>) -> Result<(), String> {
        self.slots.fill(Slot::MISSING);
        self.scratch.clear();
        strict::read(text, strict::Found { slots: &mut self.slots, scratch: &mut self.scratch }, index)
    }
}

impl Template {
    fn of(line: &[u8], members: &[Member], port: Option<usize>, layout: &Layout) -> Template {
        let mut template = Template { port, text: Vec::new(), steps: Vec::with_capacity(members.len()), tail: 0 };
        let mut lead_from = 0;
        for member in members.iter().filter(|m| m.name.is_none() || m.name != layout.tag) {
            let start = template.text.len();
            template.text.extend_from_slice(&line[lead_from..member.value_start]);
            let slot = member.name.filter(|&name| layout.needs(port, name)).map(|name| name as u32);
            template.steps.push(Step::new(&template.text, start, slot));
            lead_from = member.value_end;
        }
        template.tail = template.text.len();
        template.text.extend_from_slice(&line[lead_from..]);
        template
    }

    /// Whether the line begins as the template does.
    #[inline]
    fn may_fit(&self, line: &[u8]) -> bool {
        self.steps.first().is_none_or(|step| line.starts_with(&self.text[..step.lead.1 as usize]))
    }

    /// Fills the slots when the line has exactly this shape.
    #[inline]
    fn fill(&self, line: &[u8], slots: &mut [Slot]) -> bool {
        slots.fill(Slot::MISSING);
        let mut at = 0;
        for step in &self.steps {
            let Some(start) = step.value_at(line, at, &self.text) else {
                return false;
            };
            let Some((slot, end)) = scan::value(line, start, step.slot.is_some()) else {
                return false;
            };
            if let Some(index) = step.slot {
                slots[index as usize] = slot;
            }
            at = end;
        }
        line[at..] == self.text[self.tail..]
    }
}
