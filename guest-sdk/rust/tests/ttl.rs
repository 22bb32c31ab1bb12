//! State with a time-to-live, against a model that keeps every write with its time: what has expired is never seen and is removed, over
//! restarts, refused records and versions with another time-to-live.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, prop_oneof};
use tidemill::prelude::*;
use tidemill::testing::{self, ProcessTest};

const SET: i64 = 0;
const PUSH: i64 = 1;
const INSERT: i64 = 2;
const READ: i64 = 3;
const CLEAR: i64 = 4;
/// Sets, pushes and inserts, and is refused.
const REFUSE: i64 = 5;

/// What a record asks for, and a number to do it with.
type Command = (i64, i64);
/// All that can be seen of a key.
type Seen = (Option<i64>, List<i64>, List<(i64, i64)>);

struct Expiring {
    value: ExpiringValue<i64>,
    list: ExpiringList<i64>,
    map: ExpiringMap<i64, i64>,
}

impl Process for Expiring {
    type Key = i64;
    type In = Command;
    type Out = Seen;

    fn on_record(&self, ctx: &mut Ctx<'_, i64, Seen>, (what, n): Command) -> Result {
        let (value, list, map) = (ctx.state(&self.value), ctx.state(&self.list), ctx.state(&self.map));
        if [SET, REFUSE].contains(&what) {
            value.set(n);
        }
        if [PUSH, REFUSE].contains(&what) {
            list.push(n);
        }
        if [INSERT, REFUSE].contains(&what) {
            map.insert(n.rem_euclid(3), n);
        }
        if what == CLEAR {
            value.clear();
            list.clear();
            map.clear();
        }
        if what == REFUSE {
            bail!("refused");
        }
        if what == READ {
            ctx.emit((value.cloned(), List(list.get()), List(map.entries())));
        }
        Ok(())
    }
}

fn expiring(ttl: Ttl) -> ProcessTest<Expiring> {
    testing::process(|d| Expiring {
        value: d.expiring_value("value", ttl),
        list: d.expiring_list("list", ttl),
        map: d.expiring_map("map", ttl),
    })
}

/// The same without a time-to-live: it shows all that is there.
struct Forever {
    value: Value<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
}

impl Process for Forever {
    type Key = i64;
    type In = Command;
    type Out = Seen;

    fn on_record(&self, ctx: &mut Ctx<'_, i64, Seen>, (what, n): Command) -> Result {
        if what == SET {
            ctx.state(&self.value).set(n);
            ctx.state(&self.list).push(n);
            ctx.state(&self.map).insert(n, n);
            return Ok(());
        }
        let map = ctx.state(&self.map).entries().iter().map(|(key, value)| (*key, *value)).collect();
        ctx.emit((ctx.state(&self.value).cloned(), List(ctx.state(&self.list).get().clone()), List(map)));
        Ok(())
    }
}

fn forever() -> ProcessTest<Forever> {
    testing::process(|d| Forever { value: d.value("value"), list: d.list("list"), map: d.map("map") })
}

/// What a key has in the model: each with the time it was written.
#[derive(Clone, Default)]
struct Entry {
    value: Option<(i64, i64)>,
    list: Vec<(i64, i64)>,
    map: BTreeMap<i64, (i64, i64)>,
}

impl Entry {
    fn each(&mut self) -> impl Iterator<Item = &mut i64> {
        let list = self.list.iter_mut().map(|(_, at)| at);
        self.value.iter_mut().map(|(_, at)| at).chain(list).chain(self.map.values_mut().map(|(_, at)| at))
    }

    fn expire(&mut self, live: impl Fn(i64) -> bool) {
        self.value.take_if(|(_, at)| !live(*at));
        self.list.retain(|(_, at)| live(*at));
        self.map.retain(|_, (_, at)| live(*at));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Record {
        key: i64,
        time: i64,
        command: Command,
    },
    /// Event time and processing time go on by so much.
    Advance(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let record = (0..3i64, -8..8i64, (0..5i64, 0..100i64));
    prop_oneof![
        8 => record.prop_map(|(key, time, command)| Step::Record { key, time, command }),
        4 => (0..7i64).prop_map(Step::Advance),
        1 => proptest::strategy::Just(Step::Restart),
    ]
}

/// How long state lives here.
const LIFE: i64 = 10;

/// Runs steps and the model side by side.
fn compare(steps: &[Step], in_event_time: bool, by_reads: bool) {
    let ttl = if in_event_time { Ttl::event_time(millis(LIFE)) } else { Ttl::processing_time(millis(LIFE)) };
    let mut test = expiring(if by_reads { ttl.renewed_by_reads() } else { ttl });
    let (mut keys, mut clock) = (BTreeMap::<i64, Entry>::new(), 100);
    test.watermark(clock);
    test.set_processing_time(clock);
    for step in steps {
        match *step {
            Step::Restart => test.restart(),
            Step::Advance(by) => {
                clock += by;
                test.watermark(clock);
                test.set_processing_time(clock);
            }
            Step::Record { key, time, command: (what, n) } => {
                test.push(key, (what, n), clock + time);
                let entry = keys.entry(key).or_default();
                entry.expire(|at| clock < at + LIFE);
                let at = if in_event_time { clock + time.max(0) } else { clock };
                match what {
                    SET => entry.value = Some((n, entry.value.map_or(at, |(_, before)| before.max(at)))),
                    PUSH => entry.list.push((n, at)),
                    INSERT => {
                        let before = entry.map.get(&n.rem_euclid(3)).map_or(at, |(_, before)| *before);
                        entry.map.insert(n.rem_euclid(3), (n, before.max(at)));
                    }
                    CLEAR => *entry = Entry::default(),
                    _ => {
                        let list = entry.list.iter().map(|(n, _)| *n).collect();
                        let map = entry.map.iter().map(|(key, (n, _))| (*key, *n)).collect();
                        let expected: Seen = (entry.value.map(|(n, _)| n), List(list), List(map));
                        if by_reads {
                            entry.each().for_each(|before| *before = at.max(*before));
                        }
                        let seen: Vec<Seen> = test.output().into_iter().map(|(seen, _)| seen).collect();
                        assert_eq!(seen, [expected], "{step:?} at {clock}");
                    }
                }
            }
        }
    }
    // Twice the time is enough for everything to be removed, whatever the timers were set for.
    for _ in 0..2 {
        clock += LIFE + 8;
        test.watermark(clock);
        test.set_processing_time(clock);
    }
    assert_eq!(test.timers(), [], "nothing is left that would expire");
    let mut all = forever().migrated_from(test);
    for key in 0..3 {
        all.push(key, (READ, 0), 0);
        assert_eq!(all.output(), [((None, List(vec![]), List(vec![])), 0)], "key {key} still has something");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 500, ..Default::default() })]

    #[test]
    fn what_expired_is_never_seen_and_is_removed(steps in proptest::collection::vec(step(), 1..60), event: bool, reads: bool) {
        compare(&steps, event, reads);
    }
}

#[test]
fn what_a_refused_record_wrote_is_not_there() {
    let job = |job: &mut Job| {
        let keyed = job.source::<Command>("commands", json()).key_by_fn("all", |_| 0i64);
        let ttl = Ttl::processing_time(millis(LIFE));
        let make = |d: &mut Declare| Expiring {
            value: d.expiring_value("value", ttl),
            list: d.expiring_list("list", ttl),
            map: d.expiring_map("map", ttl),
        };
        keyed.process("expiring", make).on_error(OnError::Skip).sink("out", json());
        Ok(())
    };
    let mut test = testing::job(job).start();
    [(SET, 1i64), (REFUSE, 2), (READ, 0)].into_iter().for_each(|command| test.push("commands", command));
    assert_eq!(test.sink::<Seen>("out"), [(Some(1), List(vec![]), List(vec![]))]);
}

#[test]
fn a_key_that_nobody_comes_back_to_is_let_go() {
    let mut test = expiring(Ttl::event_time(millis(LIFE)));
    (0..1_000).for_each(|key| test.push(key, (SET, key), 0));
    assert_eq!(test.timers().len(), 1_000);
    test.watermark(LIFE - 1);
    assert_eq!(test.timers().len(), 1_000, "they live for the whole of their time");
    test.watermark(LIFE);
    assert_eq!(test.timers(), []);
}

#[test]
fn a_time_to_live_that_is_new_begins_when_state_is_used() {
    let mut before = forever();
    before.push(7, (SET, 1), 0);
    before.push(8, (SET, 2), 0);
    let mut test = expiring(Ttl::processing_time(millis(LIFE))).migrated_from(before);
    let all = |n| (Some(n), List(vec![n]), List(vec![(n, n)]));
    test.set_processing_time(1_000);
    test.push(7, (READ, 0), 0);
    assert_eq!(test.output(), [(all(1), 0)], "when it was written is not known");
    test.set_processing_time(1_000 + LIFE);
    [7, 8].into_iter().for_each(|key| test.push(key, (READ, 0), 0));
    assert_eq!(test.output(), [((None, List(vec![]), List(vec![])), 0), (all(2), 0)]);
}

#[test]
fn another_time_to_live_counts_from_the_same_writes_and_another_domain_does_not() {
    let start = || {
        let mut before = expiring(Ttl::processing_time(millis(LIFE)));
        before.push(7, (SET, 1), 0);
        before.set_processing_time(5);
        before
    };
    let seen = |mut test: ProcessTest<Expiring>| {
        test.push(7, (READ, 0), 0);
        test.output().remove(0).0.0
    };
    assert_eq!(seen(expiring(Ttl::processing_time(millis(4))).migrated_from(start())), None);
    assert_eq!(seen(expiring(Ttl::processing_time(millis(40))).migrated_from(start())), Some(1));
    assert_eq!(seen(expiring(Ttl::event_time(millis(4))).migrated_from(start())), Some(1));
}

#[test]
fn a_value_that_migrates_is_as_old_as_it_was() {
    struct Text(ExpiringValue<String>);
    impl Process for Text {
        type Key = i64;
        type In = i64;
        type Out = Option<String>;

        fn on_record(&self, ctx: &mut Ctx<'_, i64, Option<String>>, _: i64) -> Result {
            ctx.emit(ctx.state(&self.0).cloned());
            Ok(())
        }
    }
    let ttl = Ttl::processing_time(millis(LIFE));
    let start = || {
        let mut before = expiring(ttl);
        before.push(7, (SET, 1), 0);
        testing::process(|d| Text(d.expiring_value("value", ttl).migrates_from(|n: i64| format!("was {n}")))).migrated_from(before)
    };
    for (now, expected) in [(LIFE - 1, Some("was 1".to_owned())), (LIFE, None)] {
        let mut test = start();
        test.set_processing_time(now);
        test.push(7, 0, 0);
        assert_eq!(test.output(), [(expected, 0)]);
    }
}

#[test]
fn a_key_has_one_timer_for_the_last_that_is_left() {
    let timer = |time| [("$expire-event".to_owned(), time)];
    let mut test = expiring(Ttl::event_time(millis(LIFE)));
    test.push(7, (PUSH, 1), 0);
    assert_eq!(test.timers(), timer(LIFE));
    [4, 6, 8].into_iter().for_each(|time| test.push(7, (if time == 4 { SET } else { PUSH }, time), time));
    assert_eq!(test.timers(), timer(LIFE), "a busy key sets it once");
    test.watermark(LIFE);
    assert_eq!(test.timers(), timer(8 + LIFE), "for the last, not the next, and of any piece");
    test.restart();
    test.push(7, (PUSH, 11), 11);
    assert_eq!(test.timers(), timer(11 + LIFE), "in place of the one from before the restart");
    test.push(7, (CLEAR, 0), 12);
    test.watermark(11 + LIFE);
    assert_eq!(test.timers(), []);
}

struct Stubborn(Timer);

impl Process for Stubborn {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn on_record(&self, ctx: &mut Ctx<'_, i64, i64>, time: i64) -> Result {
        ctx.timer(&self.0).add(time);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, i64, i64>, timer: TimerEvent) -> Result {
        // Those of a second are over some time, the one at 0 never.
        ctx.timer(&self.0).add(if timer.time() == 0 { 0 } else { timer.time() + 1_000 });
        Ok(())
    }
}

#[test]
#[should_panic(expected = "a timer function sets its own timer again")]
fn a_timer_that_sets_itself_for_its_own_time_fails_the_test() {
    let mut test = testing::process(|d| Stubborn(d.event_timer("t")));
    test.push(7, 1_000, 0);
    test.watermark(86_400_000);
    assert_eq!(test.timers().len(), 1, "a day of seconds is no fault");
    test.push(7, 0, 0);
}
