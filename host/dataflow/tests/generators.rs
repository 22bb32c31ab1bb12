//! Watermarks that the component makes: who is asked, how often, and what becomes of the answers (semantics.md #2, #3).
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use support::{Custom, Lines, ProcessFn, SumFactory, schema, sink};
use tidemill_core::block::{Block, Builder};
use tidemill_core::connect::{Batch, Error, Polled, Reader, Sink, Source, SplitTime, Waker};
use tidemill_core::guest::{Emission, Outcome};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, JobSpec, Options, run};

/// What a reader does at a poll.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A block of so many records of a split; their value is what the generator answers.
    Block(usize, usize, TimeMs),
    /// Nothing to read.
    Nothing,
    /// The clock is set.
    Clock(TimeMs),
    /// A split ends.
    End(usize),
}

/// One reader with some splits.
#[derive(Clone)]
struct Steps {
    splits: usize,
    steps: Vec<Step>,
    clock: Arc<AtomicI64>,
    bounded: bool,
    control: Arc<Control>,
    /// The source's watermark behind each step.
    seen: Arc<Mutex<Vec<TimeMs>>>,
}

struct StepReader {
    of: Steps,
    at: usize,
    splits: Vec<SplitTime>,
}

impl Source for Steps {
    fn reader(&self, _: usize, _: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let splits = vec![SplitTime { max_time: TIME_MIN, ended: false }; self.splits];
        Ok(Box::new(StepReader { of: self.clone(), at: 0, splits }))
    }

    fn bounded(&self) -> bool {
        self.bounded
    }
}

impl Reader for StepReader {
    fn poll(&mut self, _: usize) -> Result<Polled, Error> {
        if self.at > 0 {
            self.of.seen.lock().unwrap().push(self.of.control.snapshot().operators[0].watermark);
        }
        let step = self.of.steps.get(self.at).copied();
        self.at += 1;
        Ok(match step {
            Some(Step::Block(split, rows, answer)) => {
                let mut builder = Builder::new(&schema());
                for _ in 0..rows {
                    builder.push_time(0);
                    builder.column(0).push_i64(split as i64);
                    builder.column(1).push_i64(answer);
                }
                let blocks = builder.finish().map(|block| (0, block)).into_iter().collect();
                Polled::Batch(Batch { split, blocks, records: rows as u64, ..Batch::default() })
            }
            Some(Step::Nothing) => Polled::Pending,
            Some(Step::Clock(now)) => {
                self.of.clock.store(now, SeqCst);
                Polled::Batch(Batch::default())
            }
            Some(Step::End(split)) => {
                self.splits[split].ended = true;
                Polled::Batch(Batch::default())
            }
            None => Polled::Ended,
        })
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        self.splits[split].max_time = self.splits[split].max_time.max(max_time);
    }
}

/// A question: the split, processing time, and the rows of the block.
type Asked = (u32, TimeMs, Option<usize>);

/// The answer that stands for none.
const NONE: TimeMs = -1;

/// Runs the steps with a generator that answers what the first record of a block says, and `by_clock` where there is none. Gives the questions,
/// and the source's watermark behind each step.
fn ran(splits: usize, steps: &[Step], every_ms: Option<i64>, by_clock: Option<TimeMs>, idle_ms: Option<u64>) -> (Vec<Asked>, Vec<TimeMs>) {
    let (clock, asked) = (Arc::new(AtomicI64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let questions = Arc::clone(&asked);
    let generator = move |split: u32, now: TimeMs, block: Option<&Block>| {
        questions.lock().unwrap().push((split, now, block.map(Block::rows)));
        Ok(match block {
            Some(block) => Some(block.column(1).i64s().get(0)).filter(|answer| *answer != NONE),
            None => by_clock,
        })
    };
    let stamp: ProcessFn = Arc::new(|_, operator, _, block, _| {
        Ok(Outcome { emitted: vec![Emission { operator, port: 0, block: block.clone() }], ..Outcome::default() })
    });
    let guest = every_ms.map_or_else(|| json!({}), |ms| json!({"every-ms": ms}));
    let plan: Plan = serde_json::from_value(json!({"contract": "0.2.0", "operators": [
        {"name": "rows", "kind": {"source": {"binding": "rows", "format": "json"}}, "outputs": [{"schema": "key:i64,value:i64"}]},
        {"name": "stamp", "kind": {"timestamps": {"guest": guest}}, "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]},
        sink("stamp")]}))
    .unwrap();
    let graph = Graph::resolve(&plan, &Settings::default());
    let (control, seen) = (Arc::new(Control::new(plan.operators.len(), 1)), Arc::new(Mutex::new(Vec::new())));
    let source = Steps {
        splits,
        steps: steps.to_vec(),
        clock: Arc::clone(&clock),
        bounded: idle_ms.is_none(),
        control: Arc::clone(&control),
        seen: Arc::clone(&seen),
    };
    let custom = Custom { process: Some(stamp), watermark: Some(Arc::new(generator)), ..Custom::default() };
    let spec = JobSpec {
        plan: Arc::new(plan),
        graph: Arc::new(graph),
        factory: Arc::new(SumFactory(custom)),
        sources: HashMap::from([(0, Arc::new(source) as Arc<dyn Source>)]),
        sinks: HashMap::from([(2, Arc::new(Lines::default()) as Arc<dyn Sink>)]),
        checkpoints: None,
        options: Options { clock: Arc::new(move || clock.load(SeqCst)), idle_ms, ..Options::default() },
    };
    run(spec, &control).expect("the job runs");
    let (asked, seen) = (asked.lock().unwrap().clone(), seen.lock().unwrap().clone());
    (asked, seen)
}

#[test]
fn a_block_is_one_question_whatever_it_holds() {
    let steps = [Step::Block(0, 1, 5), Step::Block(1, 900, 7), Step::Block(1, 0, 8), Step::Block(0, 30, NONE)];
    let (asked, watermarks) = ran(2, &steps, None, None, None);
    assert_eq!(asked, [(0, 0, Some(1)), (1, 0, Some(900)), (0, 0, Some(30))]);
    assert_eq!(watermarks, [TIME_MIN, 5, 5, 5]);
}

#[test]
fn splits_are_asked_by_the_clock_unless_they_have_ended() {
    let steps = [Step::Clock(99), Step::Clock(100), Step::Nothing, Step::Clock(150), Step::End(1), Step::Clock(1_000), Step::Clock(1_001)];
    let (asked, watermarks) = ran(2, &steps, Some(100), Some(3), None);
    // Seen first at 99.
    assert_eq!(asked, [(0, 1_000, None)]);
    assert_eq!(watermarks, [TIME_MIN, TIME_MIN, TIME_MIN, TIME_MIN, TIME_MIN, 3, 3]);
    let steps = [Step::Nothing, Step::Clock(99), Step::Clock(100), Step::Clock(150), Step::End(1), Step::Clock(1_000), Step::Clock(1_001)];
    let (asked, watermarks) = ran(2, &steps, Some(100), Some(3), None);
    assert_eq!(asked, [(0, 100, None), (1, 100, None), (0, 1_000, None)]);
    assert_eq!(watermarks, [TIME_MIN, TIME_MIN, 3, 3, 3, 3, 3]);
}

#[test]
fn an_idle_split_is_not_asked_by_the_clock() {
    // Both are idle when the source was polled without a record; what sets the clock counts as one of the first.
    let steps = [Step::Block(0, 1, 5), Step::Nothing, Step::Clock(100), Step::Block(0, 1, 6), Step::Clock(200)];
    let (asked, watermarks) = ran(2, &steps, Some(100), Some(9), Some(0));
    assert_eq!(asked, [(0, 0, Some(1)), (0, 100, None), (0, 100, Some(1)), (0, 200, None)]);
    assert_eq!(watermarks, [TIME_MIN, TIME_MIN, 9, 9, 9]);
}

#[test]
fn the_end_of_event_time_is_not_the_components_to_say() {
    let (_, watermarks) = ran(1, &[Step::Block(0, 1, TIME_MAX), Step::Nothing], None, None, None);
    assert_eq!(watermarks, [TIME_MAX - 1; 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_source_is_as_far_as_the_greatest_answers_of_its_slowest_split(
        answers in vec((0usize..3, prop_oneof![Just(NONE), 0i64..20], prop::bool::weighted(0.1)), 1..30),
    ) {
        let step = |&(split, answer, ends): &(usize, TimeMs, bool)| if ends { Step::End(split) } else { Step::Block(split, 1, answer) };
        let steps: Vec<Step> = answers.iter().map(step).collect();
        let (_, watermarks) = ran(3, &steps, None, None, None);
        for (behind, watermark) in watermarks.into_iter().enumerate() {
            // What was true once stays true: the watermark never falls.
            let least = |upto: usize| {
                let past = &answers[..=upto];
                let ended = |split: usize| past.iter().any(|(of, _, ends)| *of == split && *ends);
                let said = |split: usize| past.iter().filter(|(of, answer, ends)| *of == split && !ends && *answer != NONE).map(|of| of.1).max();
                let open = (0..3).filter(|split| !ended(*split)).map(|split| said(split).unwrap_or(TIME_MIN));
                open.min().unwrap_or(TIME_MAX)
            };
            prop_assert_eq!(watermark, (0..=behind).map(least).max().unwrap());
        }
    }
}
