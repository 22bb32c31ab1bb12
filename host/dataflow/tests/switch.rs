//! Code is exchanged while a job runs: nobody notices where the new code does what the old one did, and where it does something else every
//! record meets either the one or the other from its source to its sink.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::jobs::{exact, is_rolling, job, jobs, process, rows};
use support::kept::{KeptJob, differences};
use support::{Custom, ProcessFn, Row, sink};
use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{self, Emission, Moment, Outcome};
use tidemill_dataflow::{Mode, SwitchError};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    /// Also a job that begins again from a boundary before the exchange, at it or behind it goes on as if there had been none.
    #[test]
    fn nobody_notices_an_exchange_for_the_same(
        rows in rows(), what in jobs(), block_rows in 1usize..20, workers in 1usize..4, share in 0usize..100, mode in exact()
    ) {
        let calm = KeptJob { mode, ..job(&rows, &what, workers, block_rows) };
        let expected = calm.run(None).unwrap().lines();
        let after = rows.len() / workers * share / 100;
        let switched = KeptJob { switch: Some((after, what.1.clone())), every: 2, ..calm.clone() }.run(None).unwrap();
        prop_assert!(matches!(switched.switched, Some(Ok(_))), "{:?}", switched.switched);
        let wrong = differences(&switched.lines(), &expected, is_rolling(&what));
        prop_assert!(wrong.is_empty(), "after {} rows: {:#?}", after, wrong);
        for id in switched.checkpoints() {
            let rest = calm.run(Some(&switched.saved(id))).unwrap();
            let both: Vec<String> = switched.committed(id).into_iter().chain(rest.lines()).collect();
            let wrong = differences(&both, &expected, is_rolling(&what));
            prop_assert!(wrong.is_empty(), "after {} rows, from checkpoint {}: {:#?}", after, id, wrong);
        }
    }
}

/// Operator 1 writes its version into each record; operator 2, behind an exchange of keys, adds its own.
fn signing(version: i64) -> Custom {
    let process: ProcessFn = Arc::new(move |_: &mut HashMap<u32, (i64, i64)>, operator: u32, _: Moment, block: &Block, _: &[u32]| {
        let mut builder = Builder::new(&"key:i64,value:i64".parse().unwrap());
        for row in 0..block.rows() {
            builder.push_time(block.time(row));
            builder.column(0).push_cell(block.column(0), row);
            builder.column(1).push_i64(if operator == 1 { version } else { 10 * block.column(1).i64s().get(row) + version });
        }
        Ok(Outcome { emitted: vec![Emission { operator, port: 0, block: builder.finish().unwrap() }], ..Outcome::default() })
    });
    Custom { process: Some(process), ..Custom::default() }
}

/// `first` is what operator 1 is: one that assigns event time runs inside of the source.
fn signed(first: &Value, workers: usize, mode: Mode) -> KeptJob {
    let outputs = json!([{"schema": "key:i64,value:i64"}]);
    let operators = json!([
        {"name": "a", "kind": first, "inputs": [{"from": "rows"}], "outputs": outputs},
        {"name": "b", "kind": {"process": {"keys": [["key"]], "state": [{"name": "sum", "kind": "value", "schema": "sum:i64,count:i64"}]}},
            "inputs": [{"from": "a"}], "outputs": outputs},
        sink("b")]);
    let rows: Vec<Row> = (0..4000).map(|i| (i, i % 97, i)).collect();
    let first = KeptJob { mode, slow: Duration::from_micros(200), ..job(&rows, &(operators, signing(1)), workers, 7) };
    KeptJob { every: 5, switch: Some((2000 / workers, signing(2))), ..first }
}

#[test]
fn a_record_meets_one_version_from_its_source_to_its_sink() {
    let kinds = [json!("flat-map"), json!({"timestamps": "monotonic"})];
    for (first, mode) in kinds.iter().flat_map(|kind| [Mode::Aligned, Mode::Unaligned, Mode::AtLeastOnce].map(|mode| (kind, mode))) {
        for workers in 1..=3 {
            let run = signed(first, workers, mode).run(None).unwrap();
            assert!(matches!(run.switched, Some(Ok(_))), "{:?}", run.switched);
            let count = |signs: &str| run.lines().iter().filter(|line| line.ends_with(&format!("I64({signs})"))).count();
            let (old, new) = (count("11"), count("22"));
            assert!(
                old >= 2000 / workers && new > 500 && old + new == 4000,
                "{first} {mode:?} at {workers}: {old} of the old, {new} of the new"
            );
        }
    }
}

fn failing() -> ProcessFn {
    let message = "asked for by the test".to_owned();
    Arc::new(move |_: &mut HashMap<u32, (i64, i64)>, _: u32, _: Moment, _: &Block, _: &[u32]| {
        Err(guest::Error::Trap { export: "process", message: message.clone(), backtrace: Vec::new(), at: None })
    })
}

#[test]
fn code_that_traps_at_once_fails_the_job() {
    let rows: Vec<Row> = (0..3000).map(|i| (i, i % 50, i)).collect();
    let what = process();
    let traps = Custom { process: Some(failing()), ..what.1.clone() };
    let failure = KeptJob { every: 5, switch: Some((700, traps)), ..job(&rows, &what, 2, 10) }.run(None).err().unwrap();
    assert!(failure.to_string().contains("asked for by the test"), "{failure}");
}

#[test]
fn an_exchange_in_a_job_that_ends_is_refused() {
    let rows: Vec<Row> = (0..20).map(|i| (i, i, i)).collect();
    let what = process();
    // Nobody announces a boundary before the end.
    let run = KeptJob { every: usize::MAX, switch: Some((usize::MAX, what.1.clone())), ..job(&rows, &what, 1, 10) }.run(None).unwrap();
    assert!(run.switched.is_none());
    let control = tidemill_dataflow::Control::new(1, 1);
    control.abort("over".to_owned());
    let refused = control.switch(Arc::new(support::SumFactory(Custom::default())), || {}, Duration::from_secs(20));
    assert!(matches!(refused, Err(SwitchError::Ended)), "{refused:?}");
    let nobody = tidemill_dataflow::Control::new(1, 1);
    let refused = nobody.switch(Arc::new(support::SumFactory(Custom::default())), || {}, Duration::from_millis(1));
    assert!(matches!(refused, Err(SwitchError::Busy(_))), "{refused:?}");
}
