//! A whole job under test.

use std::collections::BTreeMap;

use super::engine::{Engine, watermark};
use super::lines;
use super::row::{Row, Value, records, row_of};
use crate::job::Job;
use crate::plan::{self, Kind};
use crate::record::Record;

/// A job about to be started.
pub struct Start<F> {
    job: F,
    arguments: Vec<(String, String)>,
}

/// Tests a whole job: records in at its sources, results out at its sinks.
pub fn job<F: FnOnce(&mut Job) -> crate::Result<()>>(job: F) -> Start<F> {
    Start { job, arguments: Vec::new() }
}

impl<F: FnOnce(&mut Job) -> crate::Result<()>> Start<F> {
    /// Gives the job an argument.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.arguments.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the job.
    ///
    /// # Panics
    /// When the job says that something is wrong with it; see [`Start::error`].
    pub fn start(self) -> JobTest {
        let engine = Engine::start(self.job, &self.arguments, None).unwrap_or_else(|error| panic!("the job cannot start: {error}"));
        JobTest { engine, greatest: BTreeMap::new() }
    }

    /// What is wrong with the job or its arguments, if anything is.
    pub fn error(self) -> Option<String> {
        Engine::start(self.job, &self.arguments, None).err()
    }
}

/// A job under test. Watermarks follow from the records pushed, as the plan says.
pub struct JobTest {
    engine: Engine,
    /// The greatest event time of each source.
    greatest: BTreeMap<usize, i64>,
}

impl JobTest {
    /// Gives a record to a source; its event time is the field that the source declares.
    pub fn push<T: Record>(&mut self, source: &str, record: T) {
        self.push_row(source, plan::MAIN, row_of(&record, i64::MIN));
    }

    /// Gives a record of a variant to a tagged source.
    pub fn push_variant<T: Record>(&mut self, source: &str, variant: &str, record: T) {
        self.push_row(source, variant, row_of(&record, i64::MIN));
    }

    /// Gives lines in the source's format (for CSV without a header) to a source.
    pub fn push_lines(&mut self, source: &str, text: &str) {
        let id = self.engine.find(source);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let plan = self.engine.plan(id);
            let Kind::Source(spec) = &plan.kind else { panic!("{source:?} is no source") };
            let (event_time, rows) = lines::parse(line, spec, &plan.outputs);
            for (port, mut row) in rows {
                row.time = event_time.unwrap_or(i64::MIN);
                self.engine.carry(id, &port, vec![row]);
            }
            self.advance(id, event_time);
        }
    }

    fn push_row(&mut self, source: &str, port: &str, mut row: Row) {
        let id = self.engine.find(source);
        let schema = self.engine.schema(id, port);
        let Kind::Source(spec) = &self.engine.plan(id).kind else { panic!("{source:?} is no source") };
        let at = spec.time.as_ref().and_then(|time| schema.columns.iter().position(|column| column.name == *time));
        let event_time = match at.map(|at| &row.values[at]) {
            Some(Value::I64(time)) => Some(*time),
            _ => None,
        };
        row.time = event_time.unwrap_or(i64::MIN);
        self.engine.carry(id, port, vec![row]);
        self.advance(id, event_time);
    }

    /// Lets the watermark follow a source's event time.
    fn advance(&mut self, id: usize, event_time: Option<i64>) {
        let Kind::Source(spec) = &self.engine.plan(id).kind else { return };
        match (spec.watermarks, event_time) {
            (Some(watermarks), Some(time)) => {
                let greatest = self.greatest.entry(id).or_insert(i64::MIN);
                if time > *greatest {
                    *greatest = time;
                    self.engine.watermark(id, watermark(watermarks, time));
                }
            }
            _ => self.engine.spread(),
        }
    }

    /// Sets the processing time, in milliseconds.
    pub fn set_processing_time(&mut self, now: i64) {
        self.engine.set_now(now);
    }

    /// Ends all sources: every window closes and every event timer fires.
    pub fn finish(&mut self) {
        for id in 0..self.engine.operators() {
            if matches!(self.engine.plan(id).kind, Kind::Source(_)) {
                self.engine.watermark(id, i64::MAX);
            }
        }
    }

    /// Takes what a sink has been given so far.
    pub fn sink<T: Record>(&mut self, name: &str) -> Vec<T> {
        let id = self.engine.find(name);
        let schema = self.engine.input_schema(id, 0);
        let rows = self.engine.collected.remove(&(id, plan::MAIN.to_owned())).unwrap_or_default();
        records(&rows, &schema).into_iter().map(|(record, _)| record).collect()
    }

    /// Takes what a sink has been given so far, as lines in its format.
    pub fn sink_lines(&mut self, name: &str) -> Vec<String> {
        let id = self.engine.find(name);
        let schema = self.engine.input_schema(id, 0);
        let Kind::Sink(spec) = &self.engine.plan(id).kind else { panic!("{name:?} is no sink") };
        let format = spec.format;
        let rows = self.engine.collected.remove(&(id, plan::MAIN.to_owned())).unwrap_or_default();
        rows.iter().map(|row| lines::write(row, &schema, format)).collect()
    }

    /// Takes what has left an operator's output so far, with event times. The main output is `out`.
    pub fn output<T: Record>(&mut self, operator: &str, port: &str) -> Vec<(T, i64)> {
        let id = self.engine.find(operator);
        let rows = self.engine.collected.remove(&(id, port.to_owned())).unwrap_or_default();
        records(&rows, &self.engine.schema(id, port))
    }

    /// What refused records were refused for, where the job goes on.
    pub fn refused(&self) -> &[String] {
        &self.engine.refused
    }

    /// What was logged.
    pub fn log(&self) -> Vec<String> {
        self.engine.host.log.borrow().clone()
    }

    /// Exports the state that the job's code keeps, drops it and loads it again, as a restart from a checkpoint does.
    pub fn restart(&mut self) {
        for id in 0..self.engine.operators() {
            self.engine.restart(id);
        }
    }
}
