//! What windows may not be: sizes, lateness, triggers, evictors.

use super::{Check, WINDOWS_PER_RECORD_MAX};
use crate::plan::{Assigner, Compute, Contract, Domain, Evict, Evictor, Operator, StateKind, Trigger, TriggerSpec, WindowSpec};
use crate::schema::{Schema, Type};
use crate::window::Days;

/// Triggers within one another at most: a person writes two or three, and each costs a step for every record.
const TRIGGERS_MAX: usize = 50;
/// Records of one count at most, far more than a window can hold.
const RECORDS_MAX: u64 = 1 << 40;
/// Days of one window at most: ten years.
const DAYS_MAX: u32 = 3_660;

impl<'a> Check<'a> {
    pub(super) fn window(&mut self, operator: &'a Operator, spec: &'a WindowSpec) {
        self.window_of(operator, spec);
        match spec.compute {
            Compute::Host(_) if !spec.state.is_empty() => {
                self.at(operator, "declares state, but the host computes it and keeps its own: remove the state");
            }
            Compute::Host(_) => {}
            Compute::Guest if spec.state.is_empty() => {
                self.at(operator, "declares no state: what a window gathers would not survive a checkpoint; declare its accumulator");
            }
            Compute::Guest => {
                // The blocks of `fire` have the key fields and these.
                for field in spec.key.iter().filter(|f| ["$start", "$end", "$firing"].contains(&f.as_str())) {
                    self.at(operator, format!("has a key field {field:?}, the name of a column that windows bring: rename the field"));
                }
            }
        }
        self.state(operator, &spec.state);
    }

    /// What windows may not be, whoever computes in them.
    pub(super) fn window_of(&mut self, operator: &Operator, spec: &WindowSpec) {
        self.assigner(operator, spec);
        if spec.lateness_ms < 0 {
            self.at(operator, format!("has a lateness of {} ms: it must be 0 or more", spec.lateness_ms));
        } else if spec.lateness_ms > 0 && spec.domain == Domain::Processing {
            self.at(operator, "has a lateness, but in processing time nothing is late: remove it");
        } else if spec.lateness_ms > 0 && !spec.has_late() {
            self.at(operator, "has a lateness, but its windows have no end behind which a record could be late: remove it");
        }
        if let Some(trigger) = &spec.trigger {
            self.trigger(operator, spec, trigger);
        }
        if let Some(evictor) = &spec.evictor {
            self.evictor(operator, spec, evictor);
        }
    }

    fn positive(&mut self, operator: &Operator, what: &str, ms: i64) -> bool {
        if ms <= 0 {
            self.at(operator, format!("has a {what} of {ms} ms: it must be more than 0"));
        }
        ms > 0
    }

    fn assigner(&mut self, operator: &Operator, spec: &WindowSpec) {
        match &spec.assigner {
            Assigner::Tumbling { size_ms, .. } => {
                self.positive(operator, "size", *size_ms);
            }
            Assigner::Sliding { size_ms, slide_ms, .. } => {
                let (size, slide) = (self.positive(operator, "size", *size_ms), self.positive(operator, "slide", *slide_ms));
                if size && slide && size_ms / slide_ms > WINDOWS_PER_RECORD_MAX {
                    let count = size_ms / slide_ms;
                    self.at(operator, format!("puts a record into {count} windows, more than {WINDOWS_PER_RECORD_MAX}: slide further"));
                }
            }
            Assigner::Session { gap_ms } => {
                self.positive(operator, "gap", *gap_ms);
            }
            Assigner::SessionBy { .. } => self.since(operator, Contract::V2, "sessions with a gap of each record"),
            Assigner::Days { timezone, days } => {
                self.since(operator, Contract::V2, "windows of days");
                if let Err(error) = Days::new(timezone, 1) {
                    self.at(operator, format!("has windows of days in {timezone:?}, which is no time zone: {error}"));
                }
                if *days == 0 || *days > DAYS_MAX {
                    self.at(operator, format!("has windows of {days} days: they must have from 1 to {DAYS_MAX}"));
                }
            }
            Assigner::Count { records, slide, or_after } => {
                self.since(operator, Contract::V2, "windows of a number of records");
                self.counted(operator, *records, "records in a window");
                if let Some(slide) = slide {
                    self.counted(operator, *slide, "records from window to window");
                    if or_after.is_some() {
                        self.at(
                            operator,
                            "has windows that overlap and an \"or-after\": only windows one behind the other can be cut short",
                        );
                    }
                }
                if let Some(after) = or_after {
                    self.positive(operator, "time after which a window is cut short", after.ms);
                }
                if spec.trigger.is_some() || spec.evictor.is_some() {
                    self.at(operator, "counts records, which is a trigger of its own: use a global window with the trigger and evictor");
                }
            }
            Assigner::Global if spec.trigger.is_none() => {
                let advice = if self.contract < Contract::V2 {
                    format!("and contract {} has none: use a tumbling, sliding or session window", self.contract)
                } else {
                    "set one".to_owned()
                };
                self.at(operator, format!("is a global window: a global window never fires without a trigger, {advice}"));
            }
            Assigner::Global => {}
        }
    }

    fn counted(&mut self, operator: &Operator, records: u64, what: &str) {
        if records == 0 || records > RECORDS_MAX {
            self.at(operator, format!("has {records} {what}: it must be from 1 to {RECORDS_MAX}"));
        }
    }

    fn trigger(&mut self, operator: &Operator, spec: &WindowSpec, trigger: &TriggerSpec) {
        self.since(operator, Contract::V2, "a trigger");
        let mut number = 0;
        self.trigger_node(operator, spec, &trigger.when, &mut number);
        if number > TRIGGERS_MAX {
            self.at(operator, format!("has a trigger of {number} parts, more than {TRIGGERS_MAX}"));
        }
        if trigger.when == Trigger::Guest {
            if trigger.purge {
                self.at(operator, "has a trigger of the component that purges: the component says so itself, remove \"purge\"");
            }
            if spec.compute != Compute::Guest {
                self.at(operator, "has a trigger of the component, but the host computes it: let the component compute");
            }
        }
    }

    fn trigger_node(&mut self, operator: &Operator, spec: &WindowSpec, trigger: &Trigger, number: &mut usize) {
        *number += 1;
        if *number > TRIGGERS_MAX {
            return;
        }
        match trigger {
            Trigger::EarlyEvery { ms, domain } | Trigger::After { ms, domain } => {
                self.positive(operator, "trigger with a time", *ms);
                if spec.domain == Domain::Processing && *domain == Domain::Event {
                    self.at(operator, "has a trigger in event time, but its windows are in processing time: use one of the two");
                }
            }
            Trigger::Count { records } => self.counted(operator, *records, "records that its trigger counts"),
            Trigger::Any(of) | Trigger::All(of) => {
                if of.is_empty() {
                    self.at(operator, "has a trigger \"any\" or \"all\" of nothing: say of what");
                }
                for one in of {
                    if *one == Trigger::Guest {
                        self.at(operator, "has a trigger of the component among others: it stands alone and decides all");
                    }
                    self.trigger_node(operator, spec, one, number);
                }
            }
            Trigger::AtWatermark | Trigger::LateEach | Trigger::Guest => {}
        }
    }

    fn evictor(&mut self, operator: &Operator, spec: &WindowSpec, evictor: &Evictor) {
        self.since(operator, Contract::V2, "an evictor");
        let keeps_records = spec.compute == Compute::Guest && spec.state.iter().any(|state| state.kind == StateKind::List);
        if !keeps_records {
            let problem = "has an evictor, but keeps an aggregate and not the records that it would take out: process whole windows";
            self.at(operator, problem);
        }
        match &evictor.evict {
            Evict::Count { records } => self.counted(operator, *records, "records that its evictor leaves"),
            Evict::Time { ms } if *ms < 0 => self.at(operator, format!("has an evictor of {ms} ms: it must be 0 or more")),
            Evict::Delta { threshold, .. } if !threshold.is_finite() || *threshold < 0.0 => {
                self.at(operator, format!("has an evictor with a threshold of {threshold}: it must be a number from 0 on"));
            }
            Evict::Time { .. } | Evict::Delta { .. } | Evict::Guest => {}
        }
    }

    /// The fields that a window names beside its key.
    pub(super) fn window_fields(&mut self, operator: &Operator, spec: &WindowSpec, input: &Schema) {
        if let Assigner::SessionBy { field } = &spec.assigner {
            match input.index_of(field).map(|at| &input.fields()[at]) {
                None => self.at(operator, format!("takes the gap from {}", super::columns::unknown_field(field, input))),
                Some(f) if f.ty != Type::I64 || f.optional => {
                    self.at(operator, format!("takes the gap from {field:?}, which must be an i64 that is never absent ({input})"));
                }
                Some(_) => {}
            }
        }
        if let Some(Evictor { evict: Evict::Delta { field, .. }, .. }) = &spec.evictor {
            match input.index_of(field).map(|at| &input.fields()[at]) {
                None => self.at(operator, format!("evicts by {}", super::columns::unknown_field(field, input))),
                Some(f) if !matches!(f.ty, Type::I32 | Type::I64 | Type::F64) => {
                    self.at(operator, format!("evicts by {field:?}, a {}: it must be a number", f.ty.name()));
                }
                Some(_) => {}
            }
        }
    }
}
