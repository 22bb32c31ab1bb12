//! Session windows (semantics.md #14): every record opens a window of one gap, windows of a key that touch merge.
//!
//! Each key has a short list of open sessions, no two of which touch. A session waits in one bucket of due times; when it
//! grows it stays there, and is moved on only when the bucket comes up. A record that arrives behind
//! the lateness of its own window, and touches no live session, is late: a bridge between sessions
//! that are gone can never crash anything.

use std::collections::BTreeMap;

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::guest::Slot;
use tidemill_core::window::{Window, session};

use super::Work;
use crate::harness::Context;
use crate::keyed::{KeyMap, for_each_key};
use crate::report::Failure;

/// Width of a bucket of due times.
const BUCKET_MS: TimeMs = 64;

#[derive(Clone, Copy, Debug)]
struct Session {
    window: Window,
    slot: Slot,
    /// How often it has fired.
    fired: i32,
    /// It has to fire when the watermark passes its end.
    pending: bool,
    /// The bucket of due times it waits in.
    waits: TimeMs,
}

/// See the module.
pub(super) struct Sessions {
    gap_ms: TimeMs,
    lateness_ms: TimeMs,
    keys: KeyMap<Vec<Session>>,
    /// Keys to look at when the watermark comes to a bucket.
    due: BTreeMap<TimeMs, Vec<u32>>,
}

/// What became of a record.
enum Placed {
    /// It has a slot.
    In(Slot, Window),
    /// It is too late.
    Late,
}

impl Sessions {
    pub(super) fn new(gap_ms: TimeMs, lateness_ms: TimeMs) -> Sessions {
        Sessions { gap_ms, lateness_ms, keys: KeyMap::default(), due: BTreeMap::new() }
    }

    /// Adds the rows of a block; too late ones go to `late`.
    pub(super) fn add(
        &mut self,
        block: &Block,
        now: Option<TimeMs>,
        watermark: TimeMs,
        work: &mut Work,
        late: &mut Vec<u32>,
        cx: &mut Context,
    ) -> Result<(), Failure> {
        let times = block.times();
        let key_columns = std::mem::take(&mut work.key);
        let mut result = Ok(());
        for_each_key(block, &key_columns, |row, hash, key| {
            if result.is_err() {
                return;
            }
            let time = now.unwrap_or_else(|| times.get(row));
            let index = self.keys.index(hash, key, Vec::new);
            match self.place(index, session(time, self.gap_ms), watermark, work) {
                Placed::Late => late.push(row as u32),
                Placed::In(slot, window) => {
                    work.assign(row, slot);
                    if window.max_time() <= watermark {
                        result = work.flush(block, cx).and_then(|()| self.refire(index, slot, work, cx));
                    }
                }
            }
        });
        work.key = key_columns;
        result?;
        work.flush(block, cx)
    }

    /// Finds or makes the session of a record and merges those it bridges.
    fn place(&mut self, index: u32, own: Window, watermark: TimeMs, work: &mut Work) -> Placed {
        let sessions = self.keys.get_mut(index).expect("the key was just looked up");
        if let [only] = sessions.as_mut_slice()
            && own.start >= only.window.start
            && own.end <= only.window.end
        {
            return Placed::In(only.slot, only.window);
        }
        let Some(first) = sessions.iter().position(|s| s.window.touches(&own)) else {
            if own.is_late(self.lateness_ms, watermark) {
                if sessions.is_empty() {
                    self.keys.remove(index);
                }
                return Placed::Late;
            }
            let slot = work.slot();
            let waits = bucket(own.max_time());
            sessions.push(Session { window: own, slot, fired: 0, pending: true, waits });
            self.due.entry(waits).or_default().push(index);
            return Placed::In(slot, own);
        };
        let mut window = sessions[first].window.cover(&own);
        let target = sessions[first].slot;
        let mut at = first + 1;
        while at < sessions.len() {
            if sessions[at].window.touches(&window) {
                let gone = sessions.swap_remove(at);
                window = window.cover(&gone.window);
                work.merge(target, gone.slot);
                sessions[first].fired = sessions[first].fired.max(gone.fired);
                // What did not touch before may touch the grown window.
                at = first + 1;
            } else {
                at += 1;
            }
        }
        let grown = &mut sessions[first];
        grown.pending |= window.end > grown.window.end;
        grown.window = window;
        Placed::In(target, window)
    }

    /// Fires the session of `slot` again.
    fn refire(&mut self, index: u32, slot: Slot, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let key = self.keys.key(index).expect("the session's key is live").to_vec();
        let sessions = self.keys.get_mut(index).expect("the session's key is live");
        if let Some(session) = sessions.iter_mut().find(|s| s.slot == slot) {
            work.fire(session.window, session.fired, &key, [slot]);
            session.fired += 1;
            session.pending = false;
        }
        work.fire_all(cx)
    }

    /// Fires the sessions that `to` closes, in order of end, and lets go of those that are over.
    pub(super) fn advance(&mut self, to: TimeMs, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let mut closed: Vec<(TimeMs, u32)> = Vec::new();
        let mut over: Vec<(u32, Slot)> = Vec::new();
        let mut later: Vec<(TimeMs, u32)> = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            let waits = *entry.key();
            if waits > bucket(to) {
                break;
            }
            for index in entry.remove() {
                let Some(sessions) = self.keys.get_mut(index) else { continue };
                for session in sessions.iter_mut().filter(|s| s.waits == waits) {
                    let closes = session.window.max_time() <= to;
                    if closes && session.pending {
                        closed.push((session.window.end, index));
                    }
                    let cleanup = session.window.cleanup_time(self.lateness_ms);
                    if closes && cleanup <= to {
                        over.push((index, session.slot));
                        continue;
                    }
                    session.waits = bucket(if closes { cleanup } else { session.window.max_time() });
                    later.push((session.waits, index));
                }
            }
        }
        closed.sort_unstable();
        closed.dedup();
        for (end, index) in closed {
            let key = self.keys.key(index).expect("a closed session's key is live").to_vec();
            let sessions = self.keys.get_mut(index).expect("a closed session's key is live");
            for session in sessions.iter_mut().filter(|s| s.window.end == end && s.pending) {
                work.fire(session.window, session.fired, &key, [session.slot]);
                session.fired += 1;
                session.pending = false;
            }
        }
        work.fire_all(cx)?;
        later.sort_unstable();
        later.dedup();
        for (waits, index) in later {
            self.due.entry(waits).or_default().push(index);
        }
        self.let_go(over, work, cx)
    }

    fn let_go(&mut self, mut over: Vec<(u32, Slot)>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        over.sort_unstable();
        over.dedup();
        for &(index, slot) in &over {
            if let Some(sessions) = self.keys.get_mut(index) {
                sessions.retain(|s| s.slot != slot);
                if sessions.is_empty() {
                    self.keys.remove(index);
                }
            }
        }
        work.release(over.into_iter().map(|(_, slot)| slot).collect(), cx)
    }
}

fn bucket(time: TimeMs) -> TimeMs {
    time.div_euclid(BUCKET_MS)
}
