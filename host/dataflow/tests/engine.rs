//! Timers, partitioners, aggregates, failures: the engine with a guest of closures.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use support::{Custom, Job, Row, sink};
use tidemill_core::block::{Block, Builder, gather};
use tidemill_core::checkpoint::poison::{Hunt, Verdict};
use tidemill_core::guest::{self, Decision, Emission, Failure as Refusal, Outcome, TimerAction, TimerOp, TriggerAction};

fn rows(n: i64) -> Vec<Row> {
    (0..n).map(|i| (i, i % 7, i)).collect()
}

/// Counts per key until nothing has come for 5 ms, then emits `key, count`.
fn inactivity() -> Custom {
    let process = |sums: &mut std::collections::HashMap<u32, (i64, i64)>,
                   _: u32,
                   _: guest::Moment,
                   block: &tidemill_core::block::Block,
                   slots: &[u32]| {
        let mut outcome = Outcome::default();
        for (row, &slot) in slots.iter().enumerate() {
            sums.entry(slot).or_default().1 += 1;
            outcome.timers.push(TimerOp { slot, timer: 0, action: TimerAction::Replace, time: block.time(row) + 5 });
        }
        Ok(outcome)
    };
    let timer = |sums: &mut std::collections::HashMap<u32, (i64, i64)>,
                 operator: u32,
                 _: guest::Moment,
                 block: &tidemill_core::block::Block,
                 slots: &[u32]| {
        let mut builder = Builder::new(&"key:i64,count:i64".parse().unwrap());
        for (row, slot) in slots.iter().enumerate() {
            builder.push_time(block.time(row));
            builder.column(0).push_cell(block.column(0), row);
            builder.column(1).push_i64(sums.remove(slot).unwrap().1);
        }
        let emitted = vec![Emission { operator, port: 0, block: builder.finish().unwrap() }];
        Ok(Outcome { emitted, cleared: slots.to_vec(), ..Outcome::default() })
    };
    Custom { process: Some(Arc::new(process)), timer: Some(Arc::new(timer)), ..Custom::default() }
}

#[test]
fn a_timer_that_is_replaced_fires_once_after_the_last_record() {
    let operators = json!([{"name": "p", "kind": {"process": {"keys": [["key"]], "timers": [{"name": "idle"}]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,count:i64"}]}, sink("p")]);
    // The watermark is 14 when the record of 20 comes: the timers of 8 and 9 have fired by then.
    let mut job = Job::new(&[(0, 1, 0), (3, 1, 0), (4, 2, 0), (15, 3, 0), (20, 1, 0)], operators);
    job.custom = inactivity();
    job.options.block_rows = 1;
    assert_eq!(job.out(), ["20|3,1", "25|1,1", "8|1,2", "9|2,1"]);
}

#[test]
fn functions_are_told_processing_time_also_where_nothing_waits_for_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let operators = json!([{"name": "p", "kind": {"process": {"keys": [["key"]]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,count:i64"}]}, sink("p")]);
    let mut job = Job::new(&[(0, 1, 0), (3, 1, 0)], operators);
    job.custom.process = Some(Arc::new(move |_, _, at, _, _| {
        heard.lock().unwrap().push(at.now);
        Ok(Outcome::default())
    }));
    job.options.clock = Arc::new(|| 1_700_000_000_000);
    job.out();
    let told = told.lock().unwrap();
    assert!(!told.is_empty() && told.iter().all(|now| *now == 1_700_000_000_000), "{told:?}");
}

#[test]
fn host_aggregates_run_per_key() {
    for (aggregate, schema, expected) in [
        (json!("count"), "key:i64,count:i64", ["0|1,1", "1|1,2", "2|2,1", "3|1,3"]),
        (json!({"sum": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,8", "2|2,9", "3|1,12"]),
        (json!({"min": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,3", "2|2,9", "3|1,3"]),
        (json!({"max": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,5", "2|2,9", "3|1,5"]),
        (json!({"min-by": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,3", "2|2,9", "3|1,3"]),
    ] {
        let operators = json!([{"name": "r", "kind": {"rolling": {"key": ["key"], "aggregate": aggregate}},
            "inputs": [{"from": "rows"}], "outputs": [{"schema": schema}]}, sink("r")]);
        assert_eq!(Job::new(&[(0, 1, 5), (1, 1, 3), (2, 2, 9), (3, 1, 4)], operators).out(), expected, "{aggregate}");
    }
}

#[test]
fn every_partitioner_keeps_every_record() {
    let plain: Vec<String> = Job::new(&rows(5000), json!([sink("rows")])).out();
    for partition in [json!("rebalance"), json!("shuffle"), json!("rescale"), json!("global"), json!("forward"), json!({"custom": "value"})]
    {
        let out = json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "rows", "partition": partition}]});
        let mut job = Job::new(&rows(5000), json!([out]));
        for (parallelism, block_rows) in [(1, 100), (2, 7), (4, 1000)] {
            (job.parallelism, job.options.block_rows) = (parallelism, block_rows);
            assert_eq!(job.out(), plain, "{partition} over {parallelism}");
        }
    }
}

#[test]
fn broadcast_gives_every_worker_every_record() {
    let out = json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "rows", "partition": "broadcast"}]});
    let mut job = Job::new(&rows(1000), json!([out]));
    job.parallelism = 3;
    assert_eq!(job.out().len(), 3000);
}

#[test]
fn operators_of_different_parallelism_meet() {
    let operators = json!([
        {"name": "r", "kind": {"rolling": {"key": ["key"], "aggregate": "count"}}, "parallelism": 3,
            "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,count:i64"}]},
        {"name": "u", "kind": "union", "parallelism": 2, "inputs": [{"from": "r"}, {"from": "r"}], "outputs": [{"schema": "key:i64,count:i64"}]},
        sink("u")]);
    let mut job = Job::new(&rows(700), operators);
    job.parallelism = 4;
    let lines = job.out();
    assert_eq!(lines.len(), 1400);
    assert_eq!(lines.iter().filter(|l| l.ends_with(",100")).count(), 14, "each of seven keys comes to 100, twice by the union");
}

#[test]
fn a_refused_record_follows_the_policy() {
    let process = |_: &mut std::collections::HashMap<u32, (i64, i64)>,
                   operator: u32,
                   _: guest::Moment,
                   block: &tidemill_core::block::Block,
                   _: &[u32]| {
        let refused: Vec<u32> = (0..block.rows() as u32).filter(|&row| block.column(1).i64s().get(row as usize) == 3).collect();
        let failures = refused.into_iter().map(|row| Refusal { row, operator, message: "three".to_owned() }).collect();
        Ok(Outcome { emitted: vec![Emission { operator, port: 0, block: block.clone() }], failures, ..Outcome::default() })
    };
    let custom = Custom { process: Some(Arc::new(process)), ..Custom::default() };
    let operators = |policy: &str| {
        let mut operators = json!([{"name": "m", "kind": "map", "on-error": policy, "inputs": [{"from": "rows"}],
            "outputs": [{"schema": "key:i64,value:i64"}]}, sink("m")]);
        if policy == "dead-letter" {
            operators.as_array_mut().unwrap().push(json!({"name": "dead", "kind": {"sink": {"binding": "dead", "format": "json"}},
                "inputs": [{"from": "m", "port": "dead-letter"}]}));
        }
        operators
    };
    let job = |policy: &str| {
        let mut job = Job::new(&rows(10), operators(policy));
        job.custom = custom.clone();
        job.run()
    };
    let failure = job("fail").unwrap_err().to_string();
    assert!(failure.contains("\"m\"") && failure.contains("three") && failure.contains("key=3 value=3"), "{failure}");
    assert_eq!(job("skip").unwrap().1.snapshot.operators[1].skipped, 1);
    assert_eq!(job("dead-letter").unwrap().0["dead"], ["3|m,row 3,three,key=3 value=3"]);
}

#[test]
fn a_trap_ends_the_job_on_every_worker_and_names_operator_and_record() {
    let process = |_: &mut std::collections::HashMap<u32, (i64, i64)>,
                   operator: u32,
                   _: guest::Moment,
                   _: &tidemill_core::block::Block,
                   _: &[u32]| {
        Err(guest::Error::Trap { export: "process", message: "divided by zero".to_owned(), backtrace: Vec::new(), at: Some((operator, 0)) })
    };
    let operators =
        json!([{"name": "m", "kind": "map", "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]}, sink("m")]);
    let mut job = Job::new(&rows(100_000), operators);
    job.custom = Custom { process: Some(Arc::new(process)), ..Custom::default() };
    job.parallelism = 4;
    let failure = job.run().unwrap_err();
    assert_eq!(failure.operator, "m");
    assert!(failure.to_string().contains("divided by zero") && failure.record.is_some(), "{failure}");
}

/// Runs a job again and again as a supervisor would, watching for what it ended at; the sinks, and the verdicts on the way.
fn hunted(job: &mut Job) -> (HashMap<String, Vec<String>>, Vec<Verdict>) {
    let mut hunt = Hunt::default();
    let mut verdicts = Vec::new();
    loop {
        job.options.watchlist = Arc::new(hunt.watchlist().clone());
        let (ended, suspect) = job.run_to_its_end();
        match ended {
            Ok((sinks, _)) => return (sinks, verdicts),
            Err(failure) => verdicts.push(hunt.ended(suspect.unwrap_or_else(|| panic!("nobody is suspected: {failure}")))),
        }
        assert!(verdicts.len() < 5 && !matches!(verdicts.last(), Some(Verdict::Fail(_))), "{verdicts:?}");
    }
}

fn trapped(export: &'static str) -> guest::Error {
    guest::Error::Trap { export, message: "thirteen".to_owned(), backtrace: Vec::new(), at: None }
}

fn letters(of: &str) -> serde_json::Value {
    json!({"name": "dead", "kind": {"sink": {"binding": "dead", "format": "json"}}, "inputs": [{"from": of, "port": "dead-letter"}]})
}

#[test]
fn a_record_at_which_a_trigger_traps_is_set_aside() {
    let operators = json!([{"name": "w", "on-error": "dead-letter", "kind": {"window": {"key": ["key"], "assigner": "global",
            "compute": "guest", "trigger": {"when": "guest"}}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64"}]},
        sink("w"), letters("w")]);
    let mut job = Job::new(&rows(70), operators);
    job.parallelism = 2;
    job.custom.trigger = Some(Arc::new(|sums, asked| {
        let records = asked.records.unwrap();
        let decide = |(slot, row): (&u32, &u32)| {
            if records.column(1).i64s().get(*row as usize) == 13 {
                return Err(trapped("trigger"));
            }
            // The tenth of a key, or the last of the one that lost a record.
            let fires = sums.get(slot).is_some_and(|sum| sum.1 == 9);
            let action = if fires { TriggerAction::Fire } else { TriggerAction::Continue };
            Ok(Decision { action, event_time: None, processing_time: None })
        };
        asked.slots.iter().zip(asked.rows).map(decide).collect()
    }));
    // So that what has been added is known to the trigger.
    job.options.block_rows = 1;
    let (sinks, verdicts) = hunted(&mut job);
    assert!(matches!(verdicts.as_slice(), [Verdict::Watch, Verdict::SetAside(_)] | [Verdict::SetAside(_)]), "{verdicts:?}");
    assert_eq!(sinks["dead"].len(), 1, "{sinks:?}");
    assert!(sinks["dead"][0].starts_with("13|w,input 0, content ") && sinks["dead"][0].ends_with("key=6 value=13"), "{sinks:?}");
    assert_eq!(sinks["out"].len(), 6, "all keys but one come to ten records: {sinks:?}");
}

/// Records, and rules that come to all of three workers, of which that with the value 13 is bad.
fn ruled(custom: Custom) -> Job {
    let rules = json!({"name": "rules", "kind": "filter", "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]});
    let operators = json!([rules, {"name": "p", "on-error": "dead-letter",
        "kind": {"process": {"keys": [["key"]], "broadcast": {"apply": true}}},
        "inputs": [{"from": "rows"}, {"from": "rules", "partition": "broadcast"}],
        "outputs": [{"schema": "key:i64,value:i64"}]}, sink("p"), letters("p")]);
    let mut job = Job::new(&rows(70), operators);
    job.parallelism = 3;
    job.custom = custom;
    // Rules 10 to 19 are enough.
    let own = job.custom.process.take().unwrap();
    job.custom.process = Some(Arc::new(move |sums, operator, at, block, slots| {
        let is_rule = |row: &u32| (10..20).contains(&block.column(1).i64s().get(*row as usize));
        match operator {
            1 => {
                let kept: Vec<u32> = (0..block.rows() as u32).filter(is_rule).collect();
                let kept = gather(block, &kept, &support::schema());
                let emitted = kept.map(|block| Emission { operator, port: 0, block }).into_iter().collect();
                Ok(Outcome { emitted, ..Outcome::default() })
            }
            _ => own(sums, operator, at, block, slots),
        }
    }));
    job
}

fn thirteenth(block: &Block) -> Option<u32> {
    (0..block.rows() as u32).find(|&row| block.column(1).i64s().get(row as usize) == 13)
}

#[test]
fn of_a_refused_rule_one_worker_speaks() {
    let mut job = ruled(Custom {
        // A call with one slot more than a block of data has rows is one of rules.
        process: Some(Arc::new(|_, operator, _, block, slots| {
            let bad = thirteenth(block).filter(|_| slots.len() == 1);
            let failures = bad.map(|row| Refusal { row, operator, message: "no rule".to_owned() }).into_iter().collect();
            Ok(Outcome { failures, ..Outcome::default() })
        })),
        apply: Some(Arc::new(|_, block, _| {
            assert_eq!(thirteenth(block), None, "what was refused is applied nowhere");
            Ok(Outcome::default())
        })),
        ..Custom::default()
    });
    job.options.block_rows = 7;
    let (sinks, report) = job.run().unwrap();
    assert_eq!(sinks["dead"].len(), 1, "{sinks:?}");
    assert!(sinks["dead"][0].contains("p,row ") && sinks["dead"][0].contains("no rule"), "{sinks:?}");
    assert_eq!(report.snapshot.operators[2].dead_lettered, 1);
}

#[test]
fn a_rule_that_traps_when_it_is_applied_to_keys_is_set_aside_on_every_worker() {
    let mut job = ruled(Custom {
        process: Some(Arc::new(|_, _, _, _, _| Ok(Outcome::default()))),
        apply: Some(Arc::new(|input, block, _| match (input, thirteenth(block)) {
            (1, Some(_)) => Err(trapped("apply")),
            _ => Ok(Outcome::default()),
        })),
        ..Custom::default()
    });
    let (sinks, verdicts) = hunted(&mut job);
    assert!(matches!(verdicts.as_slice(), [Verdict::Watch, Verdict::SetAside(_)]), "{verdicts:?}");
    assert_eq!(sinks["dead"].len(), 1, "{sinks:?}");
    assert!(sinks["dead"][0].starts_with("13|p,input 1, content ") && sinks["dead"][0].ends_with("key=6 value=13"), "{sinks:?}");
}

#[test]
fn a_record_of_a_later_input_is_named_by_its_input() {
    let later = json!({"name": "later", "kind": "map", "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]});
    let side = |name: &str| json!({"name": name, "key": ["key"]});
    let operators = json!([later, {"name": "c", "on-error": "dead-letter", "kind": {"co-group": {"sides": [side("a"), side("b")],
            "assigner": {"tumbling": {"size_ms": 100}},
            "state": [{"name": "acc", "kind": "accumulator", "schema": "sum:i64,count:i64"}]}},
        "inputs": [{"from": "rows"}, {"from": "later"}],
        "outputs": [{"schema": "key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64"}]}, sink("c"), letters("c")]);
    let mut job = Job::new(&rows(70), operators);
    job.custom.process = Some(Arc::new(|sums, operator, _, block, slots| {
        if operator == 1 {
            let mut builder = Builder::new(&support::schema());
            for row in 0..block.rows() {
                builder.push_time(block.time(row));
                builder.column(0).push_cell(block.column(0), row);
                builder.column(1).push_i64(block.column(1).i64s().get(row) + 1000);
            }
            let emitted = vec![Emission { operator, port: 0, block: builder.finish().unwrap() }];
            return Ok(Outcome { emitted, ..Outcome::default() });
        }
        if (0..block.rows()).any(|row| block.column(1).i64s().get(row) == 1013) {
            return Err(trapped("process"));
        }
        slots.iter().for_each(|slot| sums.entry(*slot).or_default().1 += 1);
        Ok(Outcome::default())
    }));
    let (sinks, _) = hunted(&mut job);
    assert_eq!(sinks["dead"].len(), 1, "{sinks:?}");
    assert!(sinks["dead"][0].starts_with("13|c,input 1, content ") && sinks["dead"][0].ends_with("key=6 value=1013"), "{sinks:?}");
    assert!(sinks["out"].iter().all(|line| line.ends_with(if line.contains("|6,") { ",19" } else { ",20" })), "{sinks:?}");
}
