//! Session windows (semantics.md #14): every record opens a window of one gap, windows of a key that touch merge.
//!
//! Each key has a short list of open sessions, no two of which touch. A session waits in one bucket of due times; when it
//! grows it stays there, and is moved on only when the bucket comes up, unless that is later than its new end. A record that arrives behind
//! the lateness of its own window, and touches no live session, is late: a bridge between sessions
//! that are gone can never crash anything.

use std::collections::BTreeMap;

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key;
use tidemill_core::window::{Window, session};

use super::Rows;
use super::work::{Names, Owner, Work};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::Pages;
use crate::logic::Context;
use crate::report::Failure;
use crate::restore::Restored;

/// Width of a bucket of due times.
const BUCKET_MS: TimeMs = 64;

#[derive(Clone, Copy, Debug)]
struct Session {
    window: Window,
    slot: Slot,
    /// Tells it from the key's other sessions in a checkpoint: it lasts while the window grows.
    number: i64,
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
    /// Greater than the number of every session there is.
    next_number: i64,
    /// Sessions that the record at hand has merged into another.
    merged: Vec<Session>,
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
        Sessions { gap_ms, lateness_ms, keys: KeyMap::default(), due: BTreeMap::new(), next_number: 0, merged: Vec::new() }
    }

    /// Adds the rows of a block; too late ones go to `late`.
    pub(super) fn add(&mut self, given: &Rows<'_>, work: &mut Work, late: &mut Vec<u32>, cx: &mut Context) -> Result<(), Failure> {
        let Rows { input, block, now, watermark } = *given;
        let times = block.times();
        let key_columns = work.key(input);
        let mut result = if work.ledger.is_open() { self.save(block, &key_columns, work, cx) } else { Ok(()) };
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
                        result = work.flush(input, block, &self.keys, cx).and_then(|()| self.refire(index, slot, work, cx));
                    }
                }
            }
        });
        result?;
        work.flush(input, block, &self.keys, cx)
    }

    /// Exports what the open handover still needs of the sessions of a block's keys: a record changes their bounds as well as their state.
    fn save(&mut self, block: &Block, key_columns: &[usize], work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let mut slots = Vec::new();
        for_each_key(block, key_columns, |_, hash, key| {
            slots.extend(self.keys.find(hash, key).into_iter().flatten().map(|session| session.slot));
        });
        work.save(slots, &self.keys, cx)
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
            let (waits, number) = (bucket(own.max_time()), self.next_number);
            self.next_number += 1;
            sessions.push(Session { window: own, slot, number, fired: 0, pending: true, waits });
            self.due.entry(waits).or_default().push(index);
            work.born(slot, Owner { namespace: number, key: index }, self.keys.key(index).expect("the key was just looked up"));
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
                self.merged.push(gone);
                // What did not touch before may touch the grown window.
                at = first + 1;
            } else {
                at += 1;
            }
        }
        let grown = &mut sessions[first];
        grown.pending |= window.end > grown.window.end;
        grown.window = window;
        let closes = bucket(window.max_time());
        if grown.pending && grown.waits > closes {
            // It has fired and waits to be let go, but closes once more before that.
            grown.waits = closes;
            self.due.entry(closes).or_default().push(index);
        }
        let key = self.keys.key(index).expect("the key was just looked up");
        self.merged.drain(..).for_each(|gone| work.ledger.died(gone.slot, key, &gone.number.to_le_bytes()));
        Placed::In(target, window)
    }

    /// Fires the session of `slot` again.
    fn refire(&mut self, index: u32, slot: Slot, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let key = self.keys.key(index).expect("the session's key is live").to_vec();
        let sessions = self.keys.get_mut(index).expect("the session's key is live");
        if let Some(session) = sessions.iter_mut().find(|s| s.slot == slot) {
            work.fire(session.window, session.fired, &key, [slot]);
            work.ledger.touch(slot);
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
        if work.ledger.is_open() {
            let due = self.due.range(..=bucket(to)).flat_map(|(_, keys)| keys);
            work.save(due.filter_map(|&index| self.keys.value(index)).flatten().map(|session| session.slot), &self.keys, cx)?;
        }
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
                work.ledger.touch(session.slot);
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

    /// The last millisecond of each session that has not fired, or has grown since.
    pub(super) fn each_open(&self, each: impl FnMut(TimeMs)) {
        let sessions = self.keys.iter().flat_map(|(.., sessions)| sessions);
        sessions.filter(|session| session.pending).map(|session| session.window.max_time()).for_each(each);
    }

    fn let_go(&mut self, mut over: Vec<(u32, Slot)>, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        over.sort_unstable();
        over.dedup();
        for &(index, slot) in &over {
            if work.ledger.is_on()
                && let Some(key) = self.keys.key(index)
            {
                work.ledger.died(slot, key, &work.owner(slot).namespace.to_le_bytes());
            }
            if let Some(sessions) = self.keys.get_mut(index) {
                sessions.retain(|s| s.slot != slot);
                if sessions.is_empty() {
                    self.keys.remove(index);
                }
            }
        }
        work.release(over.into_iter().map(|(_, slot)| slot).collect(), cx)
    }

    /// Opens a handover of the sessions that have changed.
    pub(super) fn hand_over(&mut self, work: &mut Work) {
        work.ledger.open(&work.compute.state_schema());
    }

    /// Goes on with it.
    pub(super) fn hand_over_more(&mut self, work: &mut Work, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        work.hand_over_more(&self.keys, cx)
    }

    /// Takes sessions back.
    pub(super) fn restore(&mut self, restored: &Restored, work: &mut Work, cx: &mut Context) -> Result<(), Failure> {
        let schema = work.compute.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let mut slots = Vec::new();
            for row in 0..page.rows() {
                let (key, slot) = (page.key(row), work.slot());
                let session = page.host(row).and_then(|host| Session::decode(slot, page.namespace(row), host));
                let session = session.ok_or_else(|| restored.failure("a session without bounds"))?;
                let index = self.keys.index(key::hash(key), key, Vec::new);
                self.next_number = self.next_number.max(session.number + 1);
                work.born(slot, Owner { namespace: session.number, key: index }, key);
                work.ledger.restored(slot, other);
                // Whether it closes or is over is found out when its bucket comes up.
                self.due.entry(session.waits).or_default().push(index);
                self.keys.get_mut(index).expect("the key was just looked up").push(session);
                slots.push(slot);
            }
            let rows: Vec<u32> = (0..page.rows() as u32).collect();
            match page.state(&rows, &schema) {
                Some(state) => work.compute.import(&slots, &state, cx),
                None => Ok(()),
            }
        })
    }
}

/// The namespace is the session's number.
impl Names for KeyMap<Vec<Session>> {
    fn row(&self, slot: Slot, owner: Owner, pages: &mut Pages) {
        let session = self.value(owner.key).and_then(|sessions| sessions.iter().find(|s| s.slot == slot));
        let session = session.expect("a live slot has a session");
        let key = self.key(owner.key).expect("a live session's key is live");
        pages.row(key, &owner.namespace.to_le_bytes(), Some(&session.encode()));
    }
}

impl Session {
    /// Bounds, firings and whether it has to fire.
    fn encode(&self) -> [u8; 21] {
        let mut bytes = [u8::from(self.pending); 21];
        bytes[..8].copy_from_slice(&self.window.start.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.window.end.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.fired.to_le_bytes());
        bytes
    }

    fn decode(slot: Slot, namespace: &[u8], host: &[u8]) -> Option<Session> {
        let (start, rest) = host.split_first_chunk::<8>()?;
        let (end, rest) = rest.split_first_chunk::<8>()?;
        let (fired, rest) = rest.split_first_chunk::<4>()?;
        let [pending] = rest else { return None };
        let window = Window { start: TimeMs::from_le_bytes(*start), end: TimeMs::from_le_bytes(*end) };
        let number = i64::from_le_bytes(namespace.try_into().ok()?);
        let waits = bucket(window.max_time());
        Some(Session { window, slot, number, fired: i32::from_le_bytes(*fired), pending: *pending != 0, waits })
    }
}

fn bucket(time: TimeMs) -> TimeMs {
    time.div_euclid(BUCKET_MS)
}
