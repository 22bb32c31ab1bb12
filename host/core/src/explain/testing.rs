//! Jobs as facts, for the tables of the diagnosis.

use super::{Facts, Held, InputFacts, OperatorFacts, Pace, Phase, SenderFacts, SourceFacts, SplitFacts, WorkerFacts};
use crate::{TIME_MIN, TimeMs};

/// When all facts of the tests are taken.
pub(super) const NOW: TimeMs = 1_000_000;

/// A running job of these operators, each of which reads from the places named.
pub(super) fn job(operators: Vec<OperatorFacts>) -> Facts {
    Facts { job: "job".to_owned(), taken_ms: NOW, phase: Phase::Running, operators }
}

/// A source that makes watermarks and reads splits of these times on one worker.
pub(super) fn source(name: &str, records: u64, splits: &[(&str, TimeMs)]) -> OperatorFacts {
    let split = |(name, max_time): &(&str, TimeMs)| SplitFacts {
        name: (*name).to_owned(),
        max_time: *max_time,
        watermark: if *max_time == TIME_MIN { TIME_MIN } else { max_time - 1 },
        generated: false,
        ended: false,
        idle: false,
        aligned: false,
        read_ms: (*max_time != TIME_MIN).then_some(NOW - 41_000),
    };
    let watermark = splits.iter().map(|(_, time)| if *time == TIME_MIN { TIME_MIN } else { time - 1 }).min().unwrap_or(TIME_MIN);
    let source =
        SourceFacts { pace: Pace::Waiting, open: splits.len(), splits: splits.iter().map(split).collect(), ..SourceFacts::default() };
    OperatorFacts {
        name: name.to_owned(),
        kind: "source".to_owned(),
        makes_watermarks: true,
        records_in: records,
        records_out: records,
        workers: vec![WorkerFacts { watermark, source: Some(source), ..WorkerFacts::default() }],
        ..OperatorFacts::default()
    }
}

/// An operator on one worker that has heard these watermarks of its inputs.
pub(super) fn operator(kind: &str, from: &[(usize, TimeMs)], records: (u64, u64)) -> OperatorFacts {
    let sender =
        |(input, (_, watermark)): (usize, &(usize, TimeMs))| SenderFacts { input, worker: Some(0), watermark: *watermark, idle: 0 };
    let watermark = from.iter().map(|(_, watermark)| *watermark).min().unwrap_or(TIME_MIN);
    let senders = from.iter().enumerate().map(sender).collect();
    OperatorFacts {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        inputs: from.iter().map(|(from, _)| InputFacts { from: *from, port: "out".to_owned() }).collect(),
        records_in: records.0,
        records_out: records.1,
        workers: vec![WorkerFacts { watermark, senders, rose_ms: Some(NOW - 5_000), ..WorkerFacts::default() }],
        ..OperatorFacts::default()
    }
}

impl OperatorFacts {
    pub(super) fn holding(mut self, held: Held) -> OperatorFacts {
        self.workers[0].held = held;
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut OperatorFacts)) -> OperatorFacts {
        change(&mut self);
        self
    }

    pub(super) fn reading(self, change: impl FnOnce(&mut SourceFacts)) -> OperatorFacts {
        self.with(|operator| change(operator.workers[0].source.get_or_insert_default()))
    }
}
