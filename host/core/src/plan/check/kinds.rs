//! What each kind of operator needs: how many inputs and outputs, and settings that make sense.

use std::collections::HashSet;

use super::{Check, NAME_BYTES_MAX, bad_name};
use crate::plan::{
    Compute, Contract, Format, Kind, Operator, Partition, ProcessSpec, STAMPS, SourceSpec, State, StateKind, Watermarks, WindowSpec,
};
use crate::schema::{COLUMNS_MAX, Schema, Type};

impl<'a> Check<'a> {
    pub(super) fn kind(&mut self, operator: &'a Operator) {
        self.inputs(operator);
        self.outputs(operator);
        match &operator.kind {
            Kind::Source(spec) => self.source(operator, spec),
            Kind::Timestamps(watermarks) => self.strategy(operator, *watermarks),
            Kind::Process(spec) => self.process(operator, spec),
            Kind::Window(spec) => self.window(operator, spec),
            Kind::Sink(spec) => self.binding(operator, &spec.binding),
            _ => {
                if let Some(sides) = operator.sides() {
                    self.join(operator, sides);
                }
            }
        }
    }

    fn inputs(&mut self, operator: &Operator) {
        let given = operator.inputs.len();
        match operator.kind {
            Kind::Source(_) if given > 0 => self.at(operator, "has inputs: a source has none"),
            Kind::Source(_) => {}
            Kind::Union if given < 2 => self.at(operator, format!("has {given} input(s): a union needs at least two")),
            Kind::Union => {}
            _ if given == 0 => self.at(operator, "has no input: connect it"),
            Kind::Process(_) => {}
            _ if operator.sides().is_some() => {}
            _ if given > 1 => self.at(operator, format!("has {given} inputs: it takes one; put a union in front of it")),
            _ => {}
        }
    }

    fn outputs(&mut self, operator: &Operator) {
        let given = operator.outputs.len();
        match operator.kind {
            Kind::Sink(_) if given > 0 => self.at(operator, "has outputs: a sink has none"),
            Kind::Sink(_) => {}
            _ if given == 0 => self.at(operator, "lists no output: state the schema of what it gives"),
            Kind::Union | Kind::Rolling(_) if given > 1 => self.at(operator, format!("lists {given} outputs: it has one")),
            Kind::Window(WindowSpec { compute: Compute::Host(_), .. }) if given > 1 => {
                self.at(operator, format!("lists {given} outputs: a window that the host computes has one besides \"late\""));
            }
            _ => {}
        }
        if !matches!(operator.kind, Kind::Source(_)) {
            for output in operator.outputs.iter().filter(|o| o.variant.is_some()) {
                self.at(operator, format!("gives output {:?} a variant: only a source with a tag has variants", output.name));
            }
        }
    }

    fn binding(&mut self, operator: &Operator, binding: &str) {
        if let Some(problem) = bad_name(binding) {
            self.at(operator, format!("has binding {binding:?}, a name that {problem}"));
        }
    }

    fn strategy(&mut self, operator: &Operator, watermarks: Watermarks) {
        match watermarks {
            Watermarks::Bounded { ms } if ms < 0 => {
                self.at(operator, format!("bounds disorder by {ms} ms: the bound must be 0 or more"));
            }
            Watermarks::Guest { every_ms } => {
                self.since(operator, Contract::V2, "watermarks of the component's");
                if let Some(ms) = every_ms.filter(|ms| *ms <= 0) {
                    self.at(operator, format!("asks for watermarks every {ms} ms: \"every-ms\" is positive, or absent"));
                }
                if matches!(operator.kind, Kind::Source(_)) {
                    self.at(
                        operator,
                        "leaves watermarks to the component, which sees no record before it is decoded: \
                         put a timestamps operator behind it, without \"time\" here",
                    );
                }
            }
            Watermarks::Monotonic | Watermarks::Bounded { .. } => {}
        }
    }

    fn source(&mut self, operator: &'a Operator, spec: &SourceSpec) {
        self.binding(operator, &spec.binding);
        self.variants(operator, spec);
        match (&spec.time, &spec.watermarks) {
            (Some(time), None) => {
                self.at(
                    operator,
                    format!("has time field {time:?} but no watermarks: add \"monotonic\" or {{\"bounded\": {{\"ms\": N}}}}"),
                );
            }
            (Some(time), Some(_)) if spec.format == Format::Text => {
                self.at(
                    operator,
                    format!("has time field {time:?}, but format text has no fields: use json or csv, or a timestamps operator"),
                );
            }
            (None, Some(_)) => self.at(operator, "has watermarks but no time field: name the i64 field that holds the event time"),
            _ => {}
        }
        if let Some(watermarks) = spec.watermarks {
            self.strategy(operator, watermarks);
        }
        if let Some(align) = &spec.align {
            self.since(operator, Contract::V2, "alignment");
            if align.max_drift_ms <= 0 {
                self.at(operator, format!("lets its splits drift apart by {} ms: \"max-drift-ms\" is positive", align.max_drift_ms));
            }
            if let Some((group, problem)) = align.group.as_deref().and_then(|group| Some((group, bad_name(group)?))) {
                self.at(operator, format!("is aligned in group {group:?}, a name that {problem}"));
            }
        }
        for output in &operator.outputs {
            let field = |name: &str| output.schema.index_of(name).map(|i| &output.schema.fields()[i]);
            // A field that nobody reads need not be a column: the host takes the time from the input itself.
            if let Some(time) = &spec.time
                && field(time).is_some_and(|f| f.ty != Type::I64 || f.optional)
            {
                self.at(
                    operator,
                    format!("has time field {time:?}, which must be `{time}:i64` where it is listed, not as in ({})", output.schema),
                );
            }
            if let Some(tag) = &spec.tag
                && field(tag).is_some_and(|f| f.ty != Type::String)
            {
                self.at(operator, format!("has tag {tag:?}, which is not a string in output {:?} ({})", output.name, output.schema));
            }
            if spec.format == Format::Text && !is_text(&output.schema) {
                self.at(operator, format!("reads format text, which gives one string field, not ({})", output.schema));
            }
        }
    }

    fn variants(&mut self, operator: &'a Operator, spec: &SourceSpec) {
        if spec.tag.is_none() {
            if operator.outputs.iter().any(|o| o.variant.is_some()) {
                self.at(operator, "has variants but no tag: name the string field that tells them apart");
            } else if operator.outputs.len() > 1 {
                self.at(operator, "lists several outputs but no tag that chooses between them: give it a tag and each output a variant");
            }
            return;
        }
        if spec.format == Format::Text {
            self.at(operator, "has a tag, but format text has no fields: remove the tag or use json or csv");
        }
        let mut seen = HashSet::new();
        for output in &operator.outputs {
            match &output.variant {
                None => {
                    self.at(operator, format!("has a tag but output {:?} has no variant: say which value of the tag it takes", output.name))
                }
                Some(variant) if !seen.insert(variant) => {
                    self.at(operator, format!("gives variant {variant:?} to two outputs: each has its own"));
                }
                Some(_) => {}
            }
        }
    }

    fn process(&mut self, operator: &'a Operator, spec: &'a ProcessSpec) {
        if spec.broadcast.is_some() {
            self.broadcast(operator, spec);
        } else if spec.keys.len() != operator.inputs.len() {
            let (keys, inputs) = (spec.keys.len(), operator.inputs.len());
            self.at(operator, format!("has {inputs} input(s) but keys for {keys}: give one list of key fields for each input"));
        }
        let mut seen = HashSet::new();
        for timer in &spec.timers {
            // Those of an SDK begin so.
            if let Some(problem) = bad_name(timer.name.strip_prefix('$').unwrap_or(&timer.name)) {
                self.at(operator, format!("has timer {:?}, a name that {problem}", timer.name));
            }
            if !seen.insert(&timer.name) {
                self.at(operator, format!("declares timer {:?} twice: rename one", timer.name));
            }
        }
        // The blocks of `on-timer` have the key fields and `$timer`.
        if !spec.timers.is_empty() && spec.keys.first().is_some_and(|key| key.iter().any(|field| field == "$timer")) {
            self.at(operator, "has a key field \"$timer\", the name of a column that its timers bring: rename the field");
        }
        let shared = spec.broadcast.iter().flat_map(|broadcast| &broadcast.state);
        if let Some(state) = spec.state.iter().chain(shared).find(|s| s.kind == StateKind::Accumulator) {
            self.at(
                operator,
                format!("declares state {:?} as an accumulator, which only windows have: use value, list or map", state.name),
            );
        }
        let shared = spec.broadcast.as_ref().map_or(&[][..], |broadcast| &broadcast.state);
        self.state(operator, &[&spec.state[..], shared].concat());
    }

    fn broadcast(&mut self, operator: &'a Operator, spec: &'a ProcessSpec) {
        self.since(operator, Contract::V2, "broadcast inputs");
        let (keys, inputs) = (spec.keys.len(), operator.inputs.len());
        if keys == 0 || keys >= inputs {
            let problem = format!("has {inputs} input(s) and keys for {keys}: with \"broadcast\" there is one with keys and one behind it");
            self.at(operator, problem);
        }
        for (index, input) in operator.inputs.iter().enumerate().skip(keys).filter(|(_, input)| input.partition != Partition::Broadcast) {
            let problem = format!("broadcasts input {index}, from {:?}: its \"partition\" is \"broadcast\"", input.from);
            self.at(operator, problem);
        }
        if spec.is_unkeyed() && !(spec.state.is_empty() && spec.timers.is_empty()) {
            self.at(operator, "has no key but state or timers, which are of a key: declare what all records share under \"broadcast\"");
        }
        if spec.is_unkeyed() && spec.broadcast.as_ref().is_some_and(|broadcast| broadcast.apply) {
            self.at(operator, "has no key but applies broadcast records to keys");
        }
    }

    pub(super) fn state(&mut self, operator: &Operator, states: &[State]) {
        let mut seen = HashSet::new();
        for state in states {
            // A dot would make the exported columns `a.b` + `c` and `a` + `b.c` the same.
            let problem = bad_name(&state.name).or_else(|| state.name.contains('.').then(|| "may not hold \".\"".to_owned()));
            if let Some(problem) = problem {
                self.at(operator, format!("has state {:?}, a name that {problem}", state.name));
            }
            if !seen.insert(&state.name) {
                self.at(operator, format!("declares state {:?} twice: rename one", state.name));
            }
            let fields = state.schema.fields();
            if fields.is_empty() {
                self.at(operator, format!("declares state {:?} without a column: state what it keeps", state.name));
            }
            let one_bytes = matches!(fields, [one] if one.ty == Type::Bytes);
            if matches!(state.kind, StateKind::List | StateKind::Map) && !fields.is_empty() && !one_bytes {
                self.at(operator, format!("declares state {:?} with ({}): a list or map has one bytes column", state.name, state.schema));
            }
            self.migrates(operator, state);
            self.ttl(operator, state);
            let is_stamp = |name: &str| state.ttl.is_some() && STAMPS.contains(&name);
            for field in fields.iter().filter(|f| !is_stamp(&f.name) && (f.name.starts_with('$') || f.name.len() > NAME_BYTES_MAX)) {
                let name = &field.name;
                self.at(
                    operator,
                    format!(
                        "declares state {:?} with column {name:?}: `$` is the host's, and names have at most {NAME_BYTES_MAX} bytes",
                        state.name
                    ),
                );
            }
        }
        let columns: usize = states.iter().map(|s| s.schema.fields().len()).sum();
        if columns > COLUMNS_MAX {
            self.at(operator, format!("declares {columns} columns of state, more than {COLUMNS_MAX}"));
        }
    }
}

/// Schemas of earlier versions of one piece of state at most: each is held against what was saved.
const MIGRATES_MAX: usize = 64;

impl Check<'_> {
    /// How long a piece of state lives.
    fn ttl(&mut self, operator: &Operator, state: &State) {
        let Some(ttl) = state.ttl else { return };
        let name = &state.name;
        self.since(operator, Contract::V2, &format!("\"ttl\" in state {name:?}"));
        let is_keyed = matches!(&operator.kind, Kind::Process(spec) if spec.state.contains(state));
        if !is_keyed {
            self.at(operator, format!("gives state {name:?} a time-to-live: only the state of a process function's keys can have one"));
        }
        if ttl.ms <= 0 {
            self.at(
                operator,
                format!("lets state {name:?} live for {} ms: a time-to-live is positive, remove it for state that stays", ttl.ms),
            );
        }
        for field in state.schema.fields().iter().filter(|field| STAMPS.contains(&field.name.as_str()) && field.ty != Type::I64) {
            self.at(operator, format!("declares state {name:?} with column {:?}: it holds a time, an i64", field.name));
        }
    }

    /// Earlier columns of a piece of state.
    fn migrates(&mut self, operator: &Operator, state: &State) {
        if state.migrates.is_empty() {
            return;
        }
        let name = &state.name;
        self.since(operator, Contract::V2, &format!("\"migrates\" in state {name:?}"));
        if !matches!(operator.kind, Kind::Process(_)) {
            self.at(operator, format!("migrates state {name:?}: only a process function can"));
        }
        if state.kind != StateKind::Value {
            self.at(operator, format!("migrates state {name:?}: only a value can, for a list or map does not say its columns"));
        }
        if state.migrates.len() > MIGRATES_MAX {
            self.at(operator, format!("migrates state {name:?} from {} schemas, more than {MIGRATES_MAX}", state.migrates.len()));
        }
        for (at, older) in state.migrates.iter().enumerate() {
            if older.fields().is_empty() || *older == state.schema || state.migrates[..at].contains(older) {
                self.at(operator, format!("migrates state {name:?} from ({older}): name each earlier schema once, and not today's"));
            }
        }
    }
}

/// Whether a schema is one line of text.
pub(super) fn is_text(schema: &Schema) -> bool {
    matches!(schema.fields(), [one] if one.ty == Type::String && !one.optional)
}
