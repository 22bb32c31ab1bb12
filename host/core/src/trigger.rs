//! When a window fires (semantics.md #19): declared triggers as a machine over a few numbers per window.
//!
//! A trigger is a tree; each of its nodes keeps one number per window, its **mark**, in the order in which the tree is written. The
//! machine is told what happens to a window (a record came, time has come to some point) and says whether it fires. It has no clock
//! and keeps nothing itself, so that whoever keeps the windows keeps the marks with them, merges them and saves them.
//!
//! Invariant: [`Machine::due`] is never later than the next time at which [`Machine::time`] would say yes.

use crate::TimeMs;
use crate::plan::{Domain, Trigger};
use crate::window::{Window, window_start};

/// The mark of a time that is not set.
const UNSET: i64 = i64::MIN;

/// What a window is at when something happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The window.
    pub window: Window,
    /// Event time: the watermark, or the point that it passes.
    pub event: TimeMs,
    /// Processing time likewise.
    pub processing: TimeMs,
}

/// A trigger of windows of one time domain.
#[derive(Clone, Debug)]
pub struct Machine {
    trigger: Trigger,
    /// What drives the windows.
    domain: Domain,
    nodes: usize,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
    /// A record of this event time came; nothing has come before since the last firing when it is the first.
    Record(TimeMs),
    /// Time went on; whether a record has come since the last firing.
    Time(bool),
}

impl Machine {
    /// A machine for a trigger of windows in a domain. What the guest decides is not its business: such a trigger never fires here.
    pub fn new(trigger: &Trigger, domain: Domain) -> Machine {
        Machine { trigger: trigger.clone(), domain, nodes: count(trigger) }
    }

    /// The marks of a new window.
    pub fn marks(&self) -> Vec<i64> {
        let mut marks = Vec::with_capacity(self.nodes);
        begin(&self.trigger, &mut marks);
        marks
    }

    /// A record of this event time has been added. Whether the window fires.
    pub fn record(&self, marks: &mut [i64], at: &At, time: TimeMs) -> bool {
        self.step(&self.trigger, &mut Marks { marks, next: 0 }, at, Happened::Record(time))
    }

    /// Time has come to `at`; `fresh` says that a record has come since the last firing. Whether the window fires.
    pub fn time(&self, marks: &mut [i64], at: &At, fresh: bool) -> bool {
        self.step(&self.trigger, &mut Marks { marks, next: 0 }, at, Happened::Time(fresh))
    }

    /// When time has to be looked at next in a domain.
    pub fn due(&self, marks: &[i64], window: &Window, domain: Domain) -> Option<TimeMs> {
        self.due_of(&self.trigger, &mut marks.iter(), window, domain)
    }

    /// The window has fired: what counts from a firing begins again.
    pub fn fired(&self, marks: &mut [i64]) {
        each(&self.trigger, &mut marks.iter_mut(), &mut |trigger, mark| {
            if matches!(trigger, Trigger::After { .. }) {
                *mark = UNSET;
            }
        });
    }

    /// A window takes another in; it reaches to `at.window` now.
    pub fn merge(&self, into: &mut [i64], from: &[i64], at: &At) {
        let mut from = from.iter();
        each(&self.trigger, &mut into.iter_mut(), &mut |trigger, mark| {
            let other = from.next().copied().unwrap_or(UNSET);
            *mark = match trigger {
                Trigger::Count { .. } => mark.saturating_add(other),
                Trigger::EarlyEvery { .. } | Trigger::After { .. } => earlier(*mark, other),
                Trigger::All(_) => *mark | other,
                _ => *mark,
            };
        });
        self.grown(into, at);
    }

    /// The window has grown: it closes once more when its end has not passed.
    pub fn grown(&self, marks: &mut [i64], at: &At) {
        let open = self.now(at, self.domain) < at.window.max_time();
        each(&self.trigger, &mut marks.iter_mut(), &mut |trigger, mark| {
            if open && matches!(trigger, Trigger::AtWatermark) {
                *mark = 0;
            }
        });
    }

    fn now(&self, at: &At, domain: Domain) -> TimeMs {
        match domain {
            Domain::Event => at.event,
            Domain::Processing => at.processing,
        }
    }

    fn step(&self, trigger: &Trigger, marks: &mut Marks<'_>, at: &At, happened: Happened) -> bool {
        let own = marks.next;
        marks.next += 1;
        let over = self.now(at, self.domain) >= at.window.max_time();
        match trigger {
            Trigger::AtWatermark => over && std::mem::replace(&mut marks.marks[own], 1) == 0,
            Trigger::LateEach => over && matches!(happened, Happened::Record(_)),
            Trigger::Count { records } => {
                let mark = &mut marks.marks[own];
                if let Happened::Record(_) = happened {
                    *mark = mark.saturating_add(1);
                }
                let full = matches!(happened, Happened::Record(_)) && *mark >= *records as i64;
                if full {
                    *mark = 0;
                }
                full
            }
            Trigger::EarlyEvery { ms, domain } => {
                let now = self.now(at, *domain);
                let mark = &mut marks.marks[own];
                match happened {
                    Happened::Record(time) if *mark == UNSET && !over => {
                        let from = if *domain == Domain::Event { time } else { now };
                        *mark = window_start(from, 0, *ms).saturating_add(*ms);
                    }
                    _ => {}
                }
                let fires = *mark != UNSET && *mark <= now;
                if fires {
                    *mark = UNSET;
                }
                fires && !matches!(happened, Happened::Time(false))
            }
            Trigger::After { ms, domain } => {
                let now = self.now(at, *domain);
                let mark = &mut marks.marks[own];
                if let Happened::Record(time) = happened
                    && *mark == UNSET
                {
                    *mark = if *domain == Domain::Event { time } else { now }.saturating_add(*ms);
                }
                let fires = *mark != UNSET && *mark <= now;
                if fires {
                    *mark = UNSET;
                }
                fires
            }
            Trigger::Any(of) => {
                // Every child is told, whether or not one before it fires.
                let fired: Vec<bool> = of.iter().map(|one| self.step(one, marks, at, happened)).collect();
                fired.contains(&true)
            }
            Trigger::All(of) => {
                for (bit, one) in of.iter().enumerate() {
                    if self.step(one, marks, at, happened) {
                        marks.marks[own] |= 1 << bit;
                    }
                }
                let all = marks.marks[own] == (1 << of.len()) - 1;
                if all {
                    marks.marks[own] = 0;
                }
                all
            }
            Trigger::Guest => false,
        }
    }

    fn due_of(&self, trigger: &Trigger, marks: &mut std::slice::Iter<'_, i64>, window: &Window, wanted: Domain) -> Option<TimeMs> {
        let mark = *marks.next()?;
        match trigger {
            Trigger::AtWatermark => (wanted == self.domain && mark == 0).then(|| window.max_time()),
            Trigger::EarlyEvery { domain, .. } | Trigger::After { domain, .. } => (wanted == *domain && mark != UNSET).then_some(mark),
            Trigger::Any(of) | Trigger::All(of) => {
                // Every child is asked, since each takes its marks off the list.
                let due: Vec<_> = of.iter().map(|one| self.due_of(one, marks, window, wanted)).collect();
                due.into_iter().flatten().min()
            }
            Trigger::LateEach | Trigger::Count { .. } | Trigger::Guest => None,
        }
    }
}

/// The marks of a window, and which is next.
struct Marks<'a> {
    marks: &'a mut [i64],
    next: usize,
}

fn children(trigger: &Trigger) -> &[Trigger] {
    match trigger {
        Trigger::Any(of) | Trigger::All(of) => of,
        _ => &[],
    }
}

fn count(trigger: &Trigger) -> usize {
    1 + children(trigger).iter().map(count).sum::<usize>()
}

fn begin(trigger: &Trigger, marks: &mut Vec<i64>) {
    marks.push(match trigger {
        Trigger::EarlyEvery { .. } | Trigger::After { .. } => UNSET,
        _ => 0,
    });
    children(trigger).iter().for_each(|one| begin(one, marks));
}

fn each<'m>(trigger: &Trigger, marks: &mut impl Iterator<Item = &'m mut i64>, change: &mut impl FnMut(&Trigger, &mut i64)) {
    let Some(mark) = marks.next() else { return };
    change(trigger, mark);
    children(trigger).iter().for_each(|one| each(one, marks, change));
}

fn earlier(a: i64, b: i64) -> i64 {
    match (a, b) {
        (UNSET, other) | (other, UNSET) => other,
        (a, b) => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start: 0, end: 100 };

    fn at(event: TimeMs, processing: TimeMs) -> At {
        At { window: WINDOW, event, processing }
    }

    fn early(ms: i64, domain: Domain) -> Trigger {
        Trigger::EarlyEvery { ms, domain }
    }

    #[test]
    fn at_watermark_fires_once_at_the_last_millisecond() {
        let machine = Machine::new(&Trigger::AtWatermark, Domain::Event);
        let mut marks = machine.marks();
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Event), Some(99));
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Processing), None);
        assert!(!machine.record(&mut marks, &at(98, 0), 5));
        assert!(machine.time(&mut marks, &at(99, 0), true));
        assert!(!machine.time(&mut marks, &at(100, 0), true));
        assert!(!machine.record(&mut marks, &at(100, 0), 5), "late records fire by late-each alone");
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Event), None);
        machine.grown(&mut marks, &At { window: Window { start: 0, end: 200 }, event: 100, processing: 0 });
        assert_eq!(marks, [0], "a session that has grown closes once more");
    }

    #[test]
    fn a_count_counts_from_its_own_firing() {
        let trigger = Trigger::Any(vec![Trigger::AtWatermark, Trigger::Count { records: 3 }]);
        let machine = Machine::new(&trigger, Domain::Event);
        let mut marks = machine.marks();
        let fired: Vec<bool> = (0..7).map(|_| machine.record(&mut marks, &at(5, 0), 5)).collect();
        assert_eq!(fired, [false, false, true, false, false, true, false]);
        assert!(machine.time(&mut marks, &at(99, 0), true));
        assert!(!machine.record(&mut marks, &at(99, 0), 5));
        assert!(machine.record(&mut marks, &at(99, 0), 5), "the one before the end counts on");
    }

    #[test]
    fn early_firings_lie_on_a_grid_and_need_something_new() {
        let trigger = Trigger::Any(vec![Trigger::AtWatermark, early(30, Domain::Event)]);
        let machine = Machine::new(&trigger, Domain::Event);
        let mut marks = machine.marks();
        assert!(!machine.record(&mut marks, &at(i64::MIN, 0), 31));
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Event), Some(60));
        assert!(machine.time(&mut marks, &at(60, 0), true));
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Event), Some(99), "armed again by the next record only");
        let mut stale = machine.marks();
        machine.record(&mut stale, &at(i64::MIN, 0), 31);
        assert!(!machine.time(&mut stale, &at(60, 0), false));
    }

    #[test]
    fn early_by_the_clock_ends_with_the_window() {
        let machine = Machine::new(&early(1000, Domain::Processing), Domain::Event);
        let mut marks = machine.marks();
        machine.record(&mut marks, &at(5, 2500), 5);
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Processing), Some(3000));
        let mut late = machine.marks();
        machine.record(&mut late, &at(99, 2500), 5);
        assert_eq!(machine.due(&late, &WINDOW, Domain::Processing), None);
    }

    #[test]
    fn after_counts_from_the_first_record_since_a_firing() {
        let machine = Machine::new(&Trigger::After { ms: 50, domain: Domain::Processing }, Domain::Event);
        let mut marks = machine.marks();
        machine.record(&mut marks, &at(0, 100), 5);
        machine.record(&mut marks, &at(0, 120), 5);
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Processing), Some(150));
        machine.fired(&mut marks);
        machine.record(&mut marks, &at(0, 140), 5);
        assert_eq!(machine.due(&marks, &WINDOW, Domain::Processing), Some(190));
        assert!(machine.time(&mut marks, &at(0, 190), true));
    }

    #[test]
    fn all_waits_for_each_and_begins_again() {
        let trigger = Trigger::All(vec![Trigger::AtWatermark, Trigger::Count { records: 2 }]);
        let machine = Machine::new(&trigger, Domain::Event);
        let mut marks = machine.marks();
        assert!(!machine.record(&mut marks, &at(0, 0), 5));
        assert!(!machine.time(&mut marks, &at(99, 0), true));
        assert!(machine.record(&mut marks, &at(99, 0), 5));
        assert!(!machine.record(&mut marks, &at(99, 0), 5));
    }

    #[test]
    fn merged_windows_add_their_counts_and_take_the_earlier_time() {
        let trigger = Trigger::Any(vec![Trigger::Count { records: 5 }, early(10, Domain::Processing), Trigger::AtWatermark]);
        let machine = Machine::new(&trigger, Domain::Event);
        let (mut a, mut b) = (machine.marks(), machine.marks());
        machine.record(&mut a, &at(0, 25), 1);
        machine.record(&mut b, &at(0, 5), 1);
        machine.record(&mut b, &at(0, 5), 1);
        machine.merge(&mut a, &b, &at(0, 25));
        assert_eq!(a, [0, 3, 10, 0]);
        machine.merge(&mut b, &machine.marks(), &at(0, 25));
        assert_eq!(b, [0, 2, 10, 0], "what is not set is not earlier");
    }
}
