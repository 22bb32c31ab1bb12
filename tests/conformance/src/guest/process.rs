//! Process functions that records tell what to do.
//!
//! A command is some words; commands stand behind one another with `;` between them. `add NAME TIME`, `replace NAME TIME`, `delete NAME TIME`
//! and `clear NAME` change timers; `put TEXT`, `append TEXT` and `forget` change the state, `get` emits it; `emit TEXT` emits a text, `side
//! PORT TEXT` does so on another port; `refuse TEXT` refuses the record; `trap TEXT` ends the instance. `share TEXT` changes the broadcast
//! state, `shared` emits it.

use serde_json::Value as Json;
use tidemill_core::guest::{Error, Moment, OperatorId, Slot, TimerAction, TimerOp};
use tidemill_core::plan::ProcessSpec;

use super::{Done, Interpreter, Passing};
use crate::record::{Record, Row};

/// Where a command is run.
struct Place<'a> {
    operator: OperatorId,
    spec: &'a ProcessSpec,
    at: Moment,
    origin: u32,
    slot: Slot,
    /// The broadcast slot.
    shared: Option<Slot>,
    /// The key's fields, and the record's or timer's time.
    key: Row,
}

impl Interpreter {
    pub(super) fn run_process(
        &mut self,
        operator: OperatorId,
        spec: &ProcessSpec,
        at: Moment,
        (input, records, slots): (u32, Vec<Row>, &[Slot]),
        done: &mut Done,
    ) -> Result<(), Error> {
        let behaviour = self.behaviour(operator);
        let own = spec.keys.get(input as usize).map_or(&[][..], Vec::as_slice);
        let (slots, shared) = parts(spec, slots);
        for (origin, row) in (0..).zip(records) {
            let field = |(first, own): (&String, &String)| (first.clone(), row.record.get(own).cloned().unwrap_or(Json::Null));
            let key = Row { time: row.time, record: spec.keys[0].iter().zip(own).map(field).collect() };
            let Some(slot) = slots.get(origin as usize).copied().or(shared) else { continue };
            let commands = behaviour.commands.as_ref().and_then(|field| row.record.get(field)).and_then(Json::as_str).unwrap_or_default();
            let place = Place { operator, spec, at, origin, slot, shared, key };
            self.run_commands("process", commands, &place, done)?;
        }
        self.clear(operator, slots, done);
        Ok(())
    }

    pub(super) fn run_timers(
        &mut self,
        operator: OperatorId,
        spec: &ProcessSpec,
        at: Moment,
        (timers, slots): (Vec<Row>, &[Slot]),
        done: &mut Done,
    ) -> Result<(), Error> {
        let behaviour = self.behaviour(operator);
        let (slots, shared) = parts(spec, slots);
        for ((origin, mut row), &slot) in (0..).zip(timers).zip(slots) {
            let timer = row.record.remove("$timer").and_then(|number| number.as_u64()).unwrap_or_default();
            let name = &spec.timers[timer as usize].name;
            let commands = behaviour.on_timer.get(name).cloned().unwrap_or_else(|| format!("emit timer {name}"));
            let place = Place { operator, spec, at, origin, slot, shared, key: row };
            self.run_commands("on-timer", &commands, &place, done)?;
        }
        self.clear(operator, slots, done);
        Ok(())
    }

    pub(super) fn run_applied(
        &mut self,
        operator: OperatorId,
        spec: &ProcessSpec,
        at: Moment,
        (keys, slots): (Vec<Row>, &[Slot]),
        done: &mut Done,
    ) -> Result<(), Error> {
        let commands = self.behaviour(operator).on_broadcast;
        let (slots, shared) = parts(spec, slots);
        for (key, &slot) in keys.into_iter().zip(slots) {
            // All of them are of one record.
            let place = Place { operator, spec, at, origin: 0, slot, shared, key };
            self.run_commands("apply", &commands, &place, done)?;
        }
        self.clear(operator, slots, done);
        Ok(())
    }

    /// Says which slots are empty.
    fn clear(&self, operator: OperatorId, slots: &[Slot], done: &mut Done) {
        let mut slots = slots.to_vec();
        slots.sort_unstable();
        slots.dedup();
        done.outcome.cleared.extend(slots.into_iter().filter(|&slot| !self.texts.contains_key(&(operator, slot))));
    }

    fn run_commands(&mut self, export: &'static str, commands: &str, place: &Place<'_>, done: &mut Done) -> Result<(), Error> {
        for command in commands.split(';').map(str::trim).filter(|command| !command.is_empty()) {
            self.run_command(export, command, place, done)?;
        }
        Ok(())
    }

    fn run_command(&mut self, export: &'static str, command: &str, place: &Place<'_>, done: &mut Done) -> Result<(), Error> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let of = (place.operator, place.slot);
        match word {
            "add" => timer(TimerAction::Add, rest, place, done),
            "replace" => timer(TimerAction::Replace, rest, place, done),
            "delete" => timer(TimerAction::Delete, rest, place, done),
            "clear" => timer(TimerAction::Clear, rest, place, done),
            "put" => drop(self.texts.insert(of, rest.to_owned())),
            "append" => self.texts.entry(of).or_default().push_str(rest),
            "forget" => drop(self.texts.remove(&of)),
            "share" => drop(place.shared.map(|shared| self.texts.insert((place.operator, shared), rest.to_owned()))),
            "shared" => {
                let shared = place.shared.and_then(|shared| self.texts.get(&(place.operator, shared)));
                emit(shared.map_or("none", String::as_str), place, done);
            }
            "get" => emit(self.texts.get(&of).map_or("none", String::as_str), place, done),
            "emit" => emit(rest, place, done),
            "side" => self.side(rest, place, done),
            "refuse" => done.refuse(place.origin, place.operator, rest),
            "trap" => {
                let at = Some((place.operator, place.origin));
                return Err(Error::Trap { export, message: rest.to_owned(), backtrace: Vec::new(), at });
            }
            _ => return Err(Error::Contract { export, message: format!("there is no command {command:?}") }),
        }
        Ok(())
    }

    fn side(&self, rest: &str, place: &Place<'_>, done: &mut Done) {
        let (port, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let outputs = &self.plan.operators[place.operator as usize].outputs;
        if let Some(port) = outputs.iter().position(|output| output.name == port) {
            done.aside.push((place.operator, port as u32, told(text, place)));
        }
    }
}

/// The slots of the keys, and the broadcast one behind them.
fn parts<'s>(spec: &ProcessSpec, slots: &'s [Slot]) -> (&'s [Slot], Option<Slot>) {
    match slots.split_last() {
        Some((&shared, keyed)) if spec.broadcast.is_some() => (keyed, Some(shared)),
        _ => (slots, None),
    }
}

fn timer(action: TimerAction, rest: &str, place: &Place<'_>, done: &mut Done) {
    let (name, time) = rest.split_once(' ').unwrap_or((rest, "0"));
    let time = match time {
        "max" => i64::MAX,
        "min" => i64::MIN,
        number => number.parse().unwrap_or_default(),
    };
    // A timer that is not declared is the host's to refuse.
    let timer = place.spec.timers.iter().position(|timer| timer.name == name).map_or(u32::MAX, |at| at as u32);
    done.outcome.timers.push(TimerOp { slot: place.slot, timer, action, time });
}

fn emit(text: &str, place: &Place<'_>, done: &mut Done) {
    done.passed.push(Passing { origin: place.origin, row: told(text, place) });
}

/// A record of the key, a text and the moment.
fn told(text: &str, place: &Place<'_>) -> Row {
    let mut record: Record = place.key.record.clone();
    record.insert("what".to_owned(), text.into());
    record.insert("watermark".to_owned(), place.at.watermark.into());
    record.insert("now".to_owned(), place.at.now.into());
    Row { time: place.key.time, record }
}
