//! What a call returned, held against what it was given.
//!
//! Checked: every slot was named by the call, no slot is cleared twice (the host would hand it out twice), timers exist,
//! refused rows exist and ascend, and refusing operators are of the chain. Only lists that the guest returned cost anything.

use tidemill_core::guest::{Failure, OperatorId, Outcome, Slot, TimerOp};

use crate::exports::Raw;
use crate::fault::Stop;
use crate::named::Named;
use crate::text::{Lines, printable};

/// What a call was given.
pub(crate) struct Given<'a> {
    /// Rows of its block.
    pub(crate) rows: usize,
    /// The slots it named.
    pub(crate) slots: &'a [Slot],
    /// The operators of its chain.
    pub(crate) members: &'a [OperatorId],
    /// The number of timers that the chain's head declares.
    pub(crate) timers: usize,
    /// How many timer operations it may return.
    pub(crate) timer_ops_max: usize,
}

/// The outcome without its emissions.
pub(crate) fn accept(raw: Raw, given: &Given<'_>, named: &mut Named) -> Result<Outcome, Stop> {
    if raw.timers.len() > given.timer_ops_max {
        return Err(Stop::Limit(format!("{} timer operations in one call, of {}", raw.timers.len(), given.timer_ops_max)));
    }
    let failures = failures(raw.failures, given)?;
    if !(raw.timers.is_empty() && raw.cleared.is_empty() && raw.unchanged.is_empty()) {
        named.name(given.slots);
        slots(&raw.timers, &raw.unchanged, &raw.cleared, given, named)?;
    }
    Ok(Outcome { emitted: Vec::new(), timers: raw.timers, cleared: raw.cleared, unchanged: raw.unchanged, failures })
}

fn slots(timers: &[TimerOp], unchanged: &[Slot], cleared: &[Slot], given: &Given<'_>, named: &mut Named) -> Result<(), Stop> {
    if let Some(op) = timers.iter().find(|op| op.timer as usize >= given.timers || !named.has(op.slot)) {
        let (slot, timer, declared) = (op.slot, op.timer, given.timers);
        return Err(Stop::Contract(match named.has(slot) {
            true => format!("it changed timer {timer}, but the operator declares {declared}"),
            false => format!("it changed a timer of slot {slot}, which this call did not name"),
        }));
    }
    if let Some(slot) = unchanged.iter().find(|slot| !named.has(**slot)) {
        return Err(Stop::Contract(format!("it left slot {slot} unchanged, which this call did not name")));
    }
    match cleared.iter().find(|slot| !named.take(**slot)) {
        Some(slot) => Err(Stop::Contract(format!("it cleared slot {slot}, which this call did not name, or cleared it twice"))),
        None => Ok(()),
    }
}

fn failures(raw: Vec<Failure>, given: &Given<'_>) -> Result<Vec<Failure>, Stop> {
    let mut next = 0;
    for failure in &raw {
        if failure.row as usize >= given.rows {
            return Err(Stop::Contract(format!("it refused row {} of a block of {} rows", failure.row, given.rows)));
        }
        if u64::from(failure.row) < next {
            return Err(Stop::Contract(format!("it refused row {} after row {next}", failure.row)));
        }
        if !given.members.contains(&failure.operator) {
            return Err(Stop::Contract(format!("operator {} refused row {}, but is not of this chain", failure.operator, failure.row)));
        }
        next = u64::from(failure.row);
    }
    let clean = |f: Failure| Failure { message: printable(&f.message, Lines::Many), ..f };
    Ok(raw.into_iter().map(clean).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidemill_core::guest::TimerAction;

    use super::*;

    fn nothing() -> Raw {
        Raw::default()
    }

    fn run(raw: Raw) -> Result<Outcome, String> {
        let given = Given { rows: 4, slots: &[5, 9, 5], members: &[1, 2], timers: 1, timer_ops_max: 2 };
        accept(raw, &given, &mut Named::default()).map_err(|stop| stop.to_string())
    }

    fn timers(ops: &[(u32, u32)]) -> Raw {
        let op = |&(slot, timer): &(u32, u32)| TimerOp { slot, timer, action: TimerAction::Replace, time: 3 };
        Raw { timers: ops.iter().map(op).collect(), ..nothing() }
    }

    fn refused(rows: &[(u32, u32)]) -> Raw {
        let failure = |&(row, operator): &(u32, u32)| Failure { row, operator, message: "no\x07".to_owned() };
        Raw { failures: rows.iter().map(failure).collect(), ..nothing() }
    }

    #[test]
    fn slots_must_be_named() {
        assert!(run(Raw { cleared: vec![5, 9], unchanged: vec![9, 5], ..nothing() }).is_ok());
        assert!(run(Raw { unchanged: vec![9, 6], ..nothing() }).unwrap_err().contains("slot 6"));
        assert!(run(Raw { unchanged: vec![u32::MAX], ..nothing() }).unwrap_err().contains("slot 4294967295"));
        assert!(run(Raw { cleared: vec![5, 5], ..nothing() }).unwrap_err().contains("twice"));
    }

    #[test]
    fn timers_must_exist_and_stay_within_the_limit() {
        let outcome = run(timers(&[(5, 0), (9, 0)])).unwrap();
        assert_eq!(outcome.timers[1], TimerOp { slot: 9, timer: 0, action: TimerAction::Replace, time: 3 });
        assert!(run(timers(&[(5, 1)])).unwrap_err().contains("timer 1"));
        assert!(run(timers(&[(7, 0)])).unwrap_err().contains("slot 7"));
        assert_eq!(run(timers(&[(5, 0); 3])).unwrap_err(), "3 timer operations in one call, of 2");
    }

    #[test]
    fn refused_rows_must_exist_and_ascend() {
        assert_eq!(run(refused(&[(0, 1), (3, 2)])).unwrap().failures[1].message, "no\\u{7}");
        assert!(run(refused(&[(4, 1)])).unwrap_err().contains("row 4"));
        assert!(run(refused(&[(2, 1), (2, 1)])).is_ok(), "a row may make several records, each of which may be refused");
        assert!(run(refused(&[(2, 1), (1, 1)])).unwrap_err().contains("row 1 after row 2"));
        assert!(run(refused(&[(0, 3)])).unwrap_err().contains("operator 3"));
    }
}
