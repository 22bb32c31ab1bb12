//! Windows whose trigger is the component's: it is asked about many records, or many windows whose time has come, in one call.
//!
//! The answers are followed in the order of what happened, so a window that fires at a record has that record and those before it, and
//! none behind it, as if the component had been asked one by one.

use tidemill_core::TimeMs;
use tidemill_core::guest::{Asked, Decision, TriggerAction, TriggerEvent};
use tidemill_core::plan::Domain;

use super::Rows;
use super::triggered::Triggered;
use super::work::Work;
use crate::logic::Context;
use crate::report::{Cause, Failure};

/// How often a trigger is asked about one window in one advance of time at most: about a second of it. One that asks for the very time
/// at which it is asked would otherwise never let go.
const ROUNDS_MAX: u32 = 1 << 20;

/// A record for a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) row: u32,
    pub(super) time: TimeMs,
    pub(super) key: u32,
    pub(super) number: i64,
}

/// The times asked for by a window that takes in another: the earlier of both.
pub(super) fn merge(into: &mut [i64], from: &[i64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into = (*into).min(*from));
}

impl Triggered {
    /// Asks about the records that wait, and adds them.
    pub(super) fn settle(&mut self, rows: &Rows<'_>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let named: Vec<(u32, i64, TimeMs)> = pending.iter().map(|p| (p.key, p.number, p.time)).collect();
        let record_rows: Vec<u32> = pending.iter().map(|p| p.row).collect();
        let decisions = self.ask(TriggerEvent::Record, &named, (Some(rows), &record_rows), work, cx)?;
        for (pending, decision) in pending.iter().zip(decisions) {
            let at = self.find(pending.key, pending.number).expect("a window that waits for an answer is live");
            let open = &mut self.keys.get_mut(pending.key).expect("its key is live")[at];
            work.assign(pending.row as usize, open.slot);
            (open.filled, open.fresh) = (true, true);
            if decision.action != TriggerAction::Continue {
                work.flush(rows.input, rows.block, &self.keys, cx)?;
            }
            self.follow(pending.key, pending.number, pending.time, decision, work, cx)?;
        }
        Ok(())
    }

    /// Asks about windows whose time has come.
    pub(super) fn ask_about_time(
        &mut self,
        of: Domain,
        time: TimeMs,
        waiting: &[(u32, i64)],
        work: &mut Work,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        let event = match of {
            Domain::Event => TriggerEvent::EventTime,
            Domain::Processing => TriggerEvent::ProcessingTime,
        };
        let place = super::triggered::place(of);
        let mut named = Vec::new();
        for &(key, number) in waiting {
            let Some(at) = self.find(key, number) else { continue };
            let open = &mut self.keys.get_mut(key).expect("its key is live")[at];
            // A window may also wait for its end, of which the component is not told.
            if open.marks[place] <= time {
                open.marks[place] = super::triggered::NEVER;
                open.asked = if open.asked.0 == self.advances { (self.advances, open.asked.1 + 1) } else { (self.advances, 1) };
                if open.asked.1 > ROUNDS_MAX {
                    return Err(self.never_lets_go());
                }
                named.push((key, number, time));
            }
        }
        if named.is_empty() {
            return Ok(());
        }
        let decisions = self.ask(event, &named, (None, &[]), work, cx)?;
        for ((key, number, time), decision) in named.into_iter().zip(decisions) {
            self.follow(key, number, time, decision, work, cx)?;
        }
        Ok(())
    }

    fn never_lets_go(&self) -> Failure {
        let message = format!(
            "its trigger was asked {ROUNDS_MAX} times about one window while time went on once: it asks again and again for a time that \
             has passed, or for steps that are too small"
        );
        Failure { operator: self.name.clone(), cause: Cause::Limit(message), record: None }
    }

    fn ask(
        &self,
        event: TriggerEvent,
        named: &[(u32, i64, TimeMs)],
        (records, rows): (Option<&Rows<'_>>, &[u32]),
        work: &mut Work,
        cx: &mut Context,
    ) -> Result<Vec<Decision>, Failure> {
        let mut slots = Vec::with_capacity(named.len());
        let described = named.iter().map(|&(key, number, time)| {
            let at = self.find(key, number).expect("a window that is asked about is live");
            let open = &self.keys.value(key).expect("its key is live")[at];
            slots.push(open.slot);
            (time, open.window, open.fired, self.keys.key(key).expect("its key is live"))
        });
        let windows = work.describe(described);
        let asked = Asked { event, windows: &windows, slots: &slots, records: records.map(|rows| rows.block), rows };
        work.compute.ask(&asked, records.map_or(0, |rows| rows.input), cx)
    }

    /// Does what the component has decided about a window.
    fn follow(
        &mut self,
        key: u32,
        number: i64,
        time: TimeMs,
        decision: Decision,
        work: &mut Work,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        let at = self.find(key, number).expect("a window that was asked about is live");
        let open = &mut self.keys.get_mut(key).expect("its key is live")[at];
        for (mark, asked) in open.marks.iter_mut().zip([decision.event_time, decision.processing_time]) {
            // A window without an end would ask for ever for times that nothing comes between any more.
            let follows = !self.ends || !self.assign.is_endless();
            if let Some(asked) = asked.filter(|_| follows) {
                *mark = asked;
            }
        }
        let slot = open.slot;
        work.ledger.touch(slot);
        if matches!(decision.action, TriggerAction::Fire | TriggerAction::FireAndPurge) {
            self.fire(key, at, time, work);
            work.fire_all(cx)?;
        }
        if matches!(decision.action, TriggerAction::Purge | TriggerAction::FireAndPurge) {
            let open = &mut self.keys.get_mut(key).expect("its key is live")[at];
            (open.filled, open.fresh) = (false, false);
            work.compute.purge(&[slot], cx)?;
        }
        self.wait(key, at);
        Ok(())
    }
}
