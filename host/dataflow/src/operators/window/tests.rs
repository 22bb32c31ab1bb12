//! Windows with triggers, fed by hand: what cannot be brought about from outside at will.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tidemill_core::block::Builder;
use tidemill_core::guest::{Asked, Decision, Slot, TriggerAction};
use tidemill_core::key::{GROUPS, group, hash};
use tidemill_core::plan::{Aggregate, Compute as ComputeSpec, TriggerSpec};

use super::*;
use crate::control::Control;
use crate::ledger::Ledger;
use crate::report::Cause;
use compute::{Compute, Fired, HostCompute};

const ROW: &str = "key:i64";

fn operator(assigner: Assigner, when: Trigger, compute: Box<dyn Compute>) -> (WindowOperator, Context) {
    let (schema, domain): (Schema, _) = (ROW.parse().unwrap(), Domain::Event);
    let trigger = Some(TriggerSpec { when, purge: false });
    let (key, computed) = (vec!["key".to_owned()], ComputeSpec::Host(Aggregate::Count));
    let spec = WindowSpec { key, assigner, domain, lateness_ms: 0, trigger, evictor: None, compute: computed, state: vec![] };
    let work = Work::new(&schema, vec![vec![0]], compute, Ledger::new(false));
    let operator = WindowOperator::new("w".to_owned(), &spec, vec![schema], work, vec![None], Arc::new(|_, _| {}));
    (operator, Context::new(1, (0, 1), Arc::new(Control::new(1, 1)), Arc::new(|| 0), 0))
}

fn counting() -> Box<dyn Compute> {
    let output = "key:i64,start:i64,end:i64,count:i64".parse().unwrap();
    Box::new(HostCompute::new(&Aggregate::Count, &ROW.parse().unwrap(), &output, 1))
}

fn block(rows: &[(TimeMs, i64)]) -> Block {
    let mut builder = Builder::new(&ROW.parse().unwrap());
    for &(time, key) in rows {
        builder.push_time(time);
        builder.column(0).push_i64(key);
    }
    builder.finish().unwrap()
}

/// Key and count of every result since the last time.
fn results(cx: &mut Context) -> Vec<(i64, i64)> {
    let blocks = cx.take().into_iter().flatten().filter_map(|item| match item.payload {
        crate::parcel::Payload::Block(block) => Some(block),
        crate::parcel::Payload::Mark(_) => None,
    });
    blocks
        .flat_map(|b| (0..b.rows()).map(move |row| (b.column(0).i64s().get(row), b.column(3).i64s().get(row))).collect::<Vec<_>>())
        .collect()
}

/// Key groups may be further on than their operator after an unaligned boundary: a window is over when its own group's time is there.
#[test]
fn a_trigger_is_not_told_the_time_of_another_key() {
    let when = Trigger::Any(vec![Trigger::AtWatermark, Trigger::EarlyEvery { ms: 10, domain: Domain::Event }]);
    let (mut operator, mut cx) = operator(Assigner::Tumbling { size_ms: 100, offset_ms: 0 }, when, counting());
    let encoded = |key: i64| {
        let mut bytes = Vec::new();
        tidemill_core::key::encode(tidemill_core::block::Value::I64(key), false, &mut bytes);
        group(hash(&bytes)) as usize
    };
    assert_ne!(encoded(1), encoded(2));
    let mut ahead = vec![TIME_MIN; GROUPS as usize];
    ahead[encoded(2)] = 500;
    operator.ahead = Ahead::new(&ahead);
    operator.block(0, block(&[(5, 1), (505, 2)]), &mut cx).unwrap();
    operator.watermark(20, &mut cx).unwrap();
    assert_eq!(results(&mut cx), [(1, 1)], "early, at 10");
    operator.block(0, block(&[(95, 1)]), &mut cx).unwrap();
    operator.watermark(99, &mut cx).unwrap();
    let results = results(&mut cx);
    assert_eq!(results.last(), Some(&(1, 2)), "at the end: {results:?}");
}

/// A trigger of a component that asks for the next time by this.
struct Asking {
    inner: Box<dyn Compute>,
    next: fn(TimeMs) -> TimeMs,
    asked: Arc<std::sync::atomic::AtomicUsize>,
}

impl Compute for Asking {
    fn add(&mut self, input: usize, block: &Block, rows: &[u32], slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.inner.add(input, block, rows, slots, cx)
    }

    fn fire(&mut self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure> {
        self.inner.fire(fired, cx)
    }

    fn merge(&mut self, targets: &[Slot], sources: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.inner.merge(targets, sources, cx)
    }

    fn ask(&mut self, asked: &Asked<'_>, _: usize, _: &mut Context) -> Result<Vec<Decision>, Failure> {
        self.asked.fetch_add(asked.slots.len(), Relaxed);
        let decide = |row| {
            let next = Some((self.next)(asked.windows.time(row)));
            Decision { action: TriggerAction::Continue, event_time: next, processing_time: None }
        };
        Ok((0..asked.slots.len()).map(decide).collect())
    }

    fn purge(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.inner.purge(slots, cx)
    }

    fn drop_slots(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.inner.drop_slots(slots, cx)
    }

    fn state_schema(&self) -> Schema {
        self.inner.state_schema()
    }

    fn export(&mut self, slots: &[Slot], cx: &mut Context) -> Result<Block, Failure> {
        self.inner.export(slots, cx)
    }

    fn import(&mut self, slots: &[Slot], state: &Block, cx: &mut Context) -> Result<(), Failure> {
        self.inner.import(slots, state, cx)
    }
}

/// A window with one record of time 5, whose trigger has been asked about that, and the number of questions.
fn asking(assigner: Assigner, next: fn(TimeMs) -> TimeMs) -> (WindowOperator, Context, Arc<std::sync::atomic::AtomicUsize>) {
    let asked = Arc::default();
    let (mut operator, mut cx) =
        operator(assigner, Trigger::Guest, Box::new(Asking { inner: counting(), next, asked: Arc::clone(&asked) }));
    operator.block(0, block(&[(5, 1)]), &mut cx).unwrap();
    assert_eq!(asked.load(Relaxed), 1);
    (operator, cx, asked)
}

#[test]
fn a_trigger_that_asks_for_the_time_it_is_asked_at_ends_the_job() {
    let (mut operator, mut cx, asked) = asking(Assigner::Tumbling { size_ms: 100, offset_ms: 0 }, |time| time);
    let failure = operator.watermark(20, &mut cx).unwrap_err();
    assert!(matches!(&failure.cause, Cause::Limit(text) if text.contains("has passed")), "{failure}");
    assert_eq!((failure.operator.as_str(), asked.load(Relaxed)), ("w", 1 + (1 << 20)));
}

#[test]
fn a_trigger_may_ask_as_often_as_time_goes_on() {
    let (mut operator, mut cx, asked) = asking(Assigner::Tumbling { size_ms: 3 << 20, offset_ms: 0 }, |time| time + 1);
    for half in 1..=6 {
        operator.watermark(half << 19, &mut cx).unwrap();
    }
    assert_eq!(asked.load(Relaxed), (3 << 20) - 5, "once for the record, and from 6 up to the window's last millisecond");
}

/// There is no end to the times before the end of time.
#[test]
fn at_the_end_of_the_input_a_window_without_an_end_is_asked_once_more() {
    let (mut operator, mut cx, asked) = asking(Assigner::Global, |time| time + 1);
    operator.watermark(7, &mut cx).unwrap();
    assert_eq!(asked.load(Relaxed), 3);
    operator.watermark(TIME_MAX, &mut cx).unwrap();
    assert_eq!(asked.load(Relaxed), 4);
}
