//! Checkpoints end to end, in memory: from every boundary of a run, at any other parallelism, a job goes on as if nothing had
//! happened. Nothing is lost and nothing is doubled (issue words: output committed by a checkpoint plus output from it on is the
//! output of a run that was never interrupted), also when the job that was restored is interrupted again.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::jobs::{exact, is_rolling, job, jobs, process, rows, window};
use support::kept::{KeptJob, differences};
use support::{Custom, ProcessFn, Row, sink};
use tidemill_core::block::Block;
use tidemill_dataflow::Mode;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_job_goes_on_from_every_boundary(
        rows in rows(), what in jobs(), block_rows in 1usize..20, from in 1usize..5, to in 1usize..5, mode in exact(), then in exact()
    ) {
        let whole = KeptJob { mode, ..job(&rows, &what, from, block_rows) }.run(None).unwrap();
        for id in whole.checkpoints() {
            let saved = whole.saved(id);
            let rest = KeptJob { mode: then, ..job(&rows, &what, to, block_rows) }.run(Some(&saved)).unwrap();
            let both: Vec<String> = whole.committed(id).into_iter().chain(rest.lines()).collect();
            let wrong = differences(&both, &whole.lines(), is_rolling(&what));
            prop_assert!(wrong.is_empty(), "from checkpoint {} at {} {:?} to {} {:?}: {:#?}", id, from, mode, to, then, wrong);
            if let Some(&again) = rest.checkpoints().last() {
                let last = job(&rows, &what, from, block_rows).run(Some(&rest.saved(again))).unwrap();
                let all = whole.committed(id).into_iter().chain(rest.committed(again)).chain(last.lines());
                let wrong = differences(&all.collect::<Vec<_>>(), &whole.lines(), is_rolling(&what));
                prop_assert!(wrong.is_empty(), "interrupted again at {}: {:#?}", again, wrong);
            }
        }
    }
}

/// Records go to every worker's sink, and nothing else happens to them.
fn dealt() -> (Value, Custom) {
    let mut sink = sink("rows");
    sink["inputs"][0]["partition"] = "shuffle".into();
    (json!([sink]), Custom::default())
}

/// A job three of whose four readers are slow, so that boundaries find something under way.
fn busy(what: &(Value, Custom), mode: Mode) -> KeptJob {
    let rows: Vec<Row> = (0..2400).map(|i| (i, i % 97, i)).collect();
    KeptJob { mode, every: 15, slow: Duration::from_millis(1), ..job(&rows, what, 4, 3) }
}

#[test]
fn an_unaligned_boundary_overtakes_records_and_none_is_lost_or_doubled() {
    let window = (window(json!({"sliding": {"size_ms": 90, "slide_ms": 30}}), json!("guest"), 60), Custom::default());
    for what in [dealt(), window, process()] {
        let whole = busy(&what, Mode::Unaligned).run(None).unwrap();
        let under_way: Vec<usize> = whole.checkpoints().into_iter().map(|id| whole.saved(id).under_way()).collect();
        assert!(under_way.iter().sum::<usize>() > 0, "nothing was under way at any of {} boundaries", under_way.len());
        let most = whole.checkpoints().into_iter().max_by_key(|id| whole.saved(*id).under_way()).unwrap();
        for parallelism in [1, 3, 4] {
            let rest = KeptJob { parallelism, ..busy(&what, Mode::Unaligned) }.run(Some(&whole.saved(most))).unwrap();
            let both: Vec<String> = whole.committed(most).into_iter().chain(rest.lines()).collect();
            let wrong = differences(&both, &whole.lines(), false);
            assert!(wrong.is_empty(), "at {parallelism} with {} under way: {wrong:#?}", whole.saved(most).under_way());
        }
    }
}

/// Semantics #46: savepoints are always aligned.
#[test]
fn a_boundary_that_was_asked_for_has_nothing_under_way() {
    for mode in [Mode::Unaligned, Mode::AtLeastOnce] {
        let whole = KeptJob { asked: true, ..busy(&dealt(), mode) }.run(None).unwrap();
        let ids = whole.checkpoints();
        assert!(ids.len() > 2, "only {} boundaries", ids.len());
        assert!(ids.iter().all(|id| whole.saved(*id).under_way() == 0));
        let middle = ids[ids.len() / 2];
        let rest = busy(&dealt(), mode).run(Some(&whole.saved(middle))).unwrap();
        let both: Vec<String> = whole.committed(middle).into_iter().chain(rest.lines()).collect();
        let wrong = differences(&both, &whole.lines(), false);
        assert!(wrong.is_empty(), "{mode:?}: {wrong:#?}");
    }
}

#[test]
fn at_least_once_loses_nothing_and_doubles_some() {
    let whole = busy(&dealt(), Mode::AtLeastOnce).run(None).unwrap();
    let mut doubled = 0;
    for id in whole.checkpoints() {
        let rest = busy(&dealt(), Mode::AtLeastOnce).run(Some(&whole.saved(id))).unwrap();
        let both: Vec<String> = whole.committed(id).into_iter().chain(rest.lines()).collect();
        let other = differences(&both, &whole.lines(), false);
        assert!(other.iter().all(|line| line.starts_with('+')), "{other:#?}");
        doubled += other.len();
    }
    assert!(doubled > 0, "with nothing put aside something of behind a boundary has been counted before it");
}

#[test]
fn boundaries_do_come_and_state_does_not_pile_up() {
    let rows: Vec<Row> = (0..4000).map(|i| (i / 4, i % 7, 1)).collect();
    let what = (window(json!({"tumbling": {"size_ms": 10}}), json!("guest"), 0), Custom::default());
    let job = KeptJob { every: 20, ..job(&rows, &what, 1, 10) };
    let run = job.run(None).unwrap();
    let ids = run.checkpoints();
    assert!(ids.len() > 10, "only {} boundaries", ids.len());
    for id in ids {
        assert!(run.saved(id).rows() < 7 * 60, "panes that are over are gone from checkpoint {id}: {} rows", run.saved(id).rows());
    }
}

/// In one block of one key: a session takes another in, and is then taken in by a third. The slots of both are free at the boundary.
#[test]
fn a_session_that_took_one_in_before_it_was_taken_in_is_gone_at_the_boundary() {
    let times = [0, 30, 50, 40, 10, 20];
    let first = times.iter().map(|&time| (time, 7, 1));
    // They fall into the session that is left, so that no other needs a slot.
    let rows: Vec<Row> = first.chain((0..594).map(|_| (20, 7, 1))).collect();
    let what = (window(json!({"session": {"gap_ms": 10}}), json!("guest"), 0), Custom::default());
    let run = KeptJob { every: 5, ..job(&rows, &what, 1, times.len()) }.run(None).unwrap();
    assert!(run.checkpoints().len() > 5, "boundaries do come");
    for id in run.checkpoints() {
        assert!(run.saved(id).rows() <= 1, "{} sessions in checkpoint {id}", run.saved(id).rows());
    }
    assert_eq!(run.lines().len(), 1, "{:?}", run.lines());
}

/// The job of [`process`] in a later version, which keeps the count before the sum.
fn process_migrated() -> (Value, Custom) {
    let (mut operators, custom) = process();
    operators[0]["kind"]["process"]["state"] =
        json!([{"name": "sum", "kind": "value", "schema": "count:i64,sum:i64", "migrates": ["sum:i64,count:i64"]}]);
    let turned = |inner: Option<ProcessFn>| {
        let (inner, turn) = (inner.unwrap(), |sums: &mut HashMap<u32, (i64, i64)>| sums.values_mut().for_each(|s| *s = (s.1, s.0)));
        let outer: ProcessFn = Arc::new(move |sums, operator, at, block, slots| {
            turn(sums);
            let outcome = inner(sums, operator, at, block, slots);
            turn(sums);
            outcome
        });
        Some(outer)
    };
    (operators, Custom { process: turned(custom.process), timer: turned(custom.timer), ..Custom::default() })
}

/// No key comes again, so that what is kept of it after a restore is what was migrated.
#[test]
fn state_is_migrated_at_any_parallelism_and_written_again_with_the_next_checkpoint() {
    let rows: Vec<Row> = (0..2400).map(|i| (i, i / 10, i)).collect();
    let (before, after) = (process(), process_migrated());
    let at = |what, parallelism| KeptJob { every: 20, ..job(&rows, what, parallelism, 5) };
    let whole = at(&before, 2).run(None).unwrap();
    let ids = whole.checkpoints();
    let id = ids[ids.len() / 3];
    assert!(whole.saved(id).rows() > 40, "{} keys are migrated", whole.saved(id).rows());
    for parallelism in [1, 3, 4] {
        let rest = at(&after, parallelism).run(Some(&whole.saved(id))).unwrap();
        let both: Vec<String> = whole.committed(id).into_iter().chain(rest.lines()).collect();
        let wrong = differences(&both, &whole.lines(), false);
        assert!(wrong.is_empty(), "at {parallelism}: {wrong:#?}");
        // What is not written again is found as it was, and nobody migrates it any more.
        let next = rest.checkpoints()[0];
        assert_eq!(rest.saved(next).state("p"), "sum.count:i64?,sum.sum:i64?");
        let last = at(&after, 2).run(Some(&rest.saved(next))).unwrap();
        let all: Vec<String> = whole.committed(id).into_iter().chain(rest.committed(next)).chain(last.lines()).collect();
        let wrong = differences(&all, &whole.lines(), false);
        assert!(wrong.is_empty(), "at {parallelism}, from {next}: {wrong:#?}");
    }
}

/// timely notices no dead thread: the other workers would wait for what it still holds.
#[test]
fn a_panic_in_one_worker_ends_the_job() {
    let rows: Vec<Row> = (0..4000).map(|i| (i, i % 7, i)).collect();
    let (operators, mut custom) = process();
    let inner = custom.process.take().unwrap();
    custom.process = Some(Arc::new(move |sums: &mut HashMap<u32, (i64, i64)>, operator, at, block: &Block, slots: &[u32]| {
        assert!((0..block.rows()).all(|row| block.column(1).i64s().get(row) != 2000), "asked for by the test");
        inner(sums, operator, at, block, slots)
    }));
    let failure = job(&rows, &(operators, custom), 3, 10).run(None).err().unwrap();
    assert!(failure.to_string().contains("a worker ended in a panic"), "{failure}");
}
