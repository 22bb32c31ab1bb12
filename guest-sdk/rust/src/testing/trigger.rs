//! Triggers in their simplest form, after the host's rules: a tree beside the plan's, with one number for each of its parts.

use crate::plan::{Domain, Trigger};

/// No time is waited for.
pub(super) const NEVER: i64 = i64::MAX;

/// What a trigger remembers of a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// A count, whether it has fired, or when it is to.
    number: i64,
    of: Vec<Memory>,
}

/// What a window is at.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) end: i64,
    pub(super) domain: Domain,
    pub(super) watermark: i64,
    pub(super) now: i64,
    /// Some records have come since it fired last.
    pub(super) fresh: bool,
}

impl At {
    fn time(&self, domain: Domain) -> i64 {
        if domain == Domain::Event { self.watermark } else { self.now }
    }

    fn over(&self) -> bool {
        self.time(self.domain) >= self.end - 1
    }
}

fn children(trigger: &Trigger) -> &[Trigger] {
    match trigger {
        Trigger::Any(of) | Trigger::All(of) => of,
        _ => &[],
    }
}

impl Memory {
    /// Of a new window.
    pub(super) fn new(trigger: &Trigger) -> Memory {
        let number = if matches!(trigger, Trigger::EarlyEvery { .. } | Trigger::After { .. }) { NEVER } else { 0 };
        Memory { number, of: children(trigger).iter().map(Memory::new).collect() }
    }

    /// A record of this time came, or time went on. Whether the window fires.
    pub(super) fn step(&mut self, trigger: &Trigger, at: At, record: Option<i64>) -> bool {
        match trigger {
            Trigger::AtWatermark => at.over() && std::mem::replace(&mut self.number, 1) == 0,
            Trigger::LateEach => at.over() && record.is_some(),
            Trigger::Count { records } => {
                self.number += i64::from(record.is_some());
                let full = record.is_some() && self.number as u64 >= *records;
                self.number = if full { 0 } else { self.number };
                full
            }
            Trigger::EarlyEvery { ms, domain } => {
                let now = at.time(*domain);
                if let Some(time) = record.filter(|_| self.number == NEVER && !at.over()) {
                    let from = if *domain == Domain::Event { time } else { now };
                    self.number = from - from.rem_euclid(*ms) + ms;
                }
                self.is_due(now) && (record.is_some() || at.fresh)
            }
            Trigger::After { ms, domain } => {
                let now = at.time(*domain);
                if let Some(time) = record.filter(|_| self.number == NEVER) {
                    self.number = if *domain == Domain::Event { time } else { now }.saturating_add(*ms);
                }
                self.is_due(now)
            }
            Trigger::Any(of) => {
                let fired: Vec<bool> = self.of.iter_mut().zip(of).map(|(memory, one)| memory.step(one, at, record)).collect();
                fired.contains(&true)
            }
            Trigger::All(of) => {
                for (bit, (memory, one)) in self.of.iter_mut().zip(of).enumerate() {
                    self.number |= i64::from(memory.step(one, at, record)) << bit;
                }
                let all = self.number == (1 << of.len()) - 1;
                self.number = if all { 0 } else { self.number };
                all
            }
            Trigger::Guest => false,
        }
    }

    fn is_due(&mut self, now: i64) -> bool {
        let due = self.number <= now;
        self.number = if due { NEVER } else { self.number };
        due
    }

    /// When time has to be looked at next in a domain.
    pub(super) fn due(&self, trigger: &Trigger, at: At, wanted: Domain) -> i64 {
        match trigger {
            Trigger::AtWatermark if wanted == at.domain && self.number == 0 => at.end - 1,
            Trigger::EarlyEvery { domain, .. } | Trigger::After { domain, .. } if *domain == wanted => self.number,
            _ => self.of.iter().zip(children(trigger)).map(|(memory, one)| memory.due(one, at, wanted)).min().unwrap_or(NEVER),
        }
    }

    /// The window has fired.
    pub(super) fn fired(&mut self, trigger: &Trigger) {
        if matches!(trigger, Trigger::After { .. }) {
            self.number = NEVER;
        }
        self.of.iter_mut().zip(children(trigger)).for_each(|(memory, one)| memory.fired(one));
    }

    /// The window takes in another, and reaches to `at.end` now.
    pub(super) fn merge(&mut self, trigger: &Trigger, other: &Memory, at: At) {
        self.number = match trigger {
            Trigger::Count { .. } => self.number + other.number,
            Trigger::EarlyEvery { .. } | Trigger::After { .. } => self.number.min(other.number),
            Trigger::All(_) => self.number | other.number,
            Trigger::AtWatermark if !at.over() => 0,
            _ => self.number,
        };
        for ((memory, other), one) in self.of.iter_mut().zip(&other.of).zip(children(trigger)) {
            memory.merge(one, other, at);
        }
    }
}
