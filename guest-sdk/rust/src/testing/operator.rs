//! One operator, or one process function, under test.

use std::marker::PhantomData;

use super::engine::Engine;
use super::row::{records, row_of};
use crate::error::Result;
use crate::job::Job;
use crate::plan;
use crate::process::{Declare, Process};
use crate::record::{Record, With};
use crate::schema::{Column, Schema};
use crate::stream::{KeyedStream, json};

/// Tests one operator of a job, given by its name.
pub fn operator(job: impl FnOnce(&mut Job) -> Result, name: &str) -> OperatorTest {
    operator_with(job, &[], name)
}

/// Tests one operator of a job that takes arguments.
pub fn operator_with(job: impl FnOnce(&mut Job) -> Result, arguments: &[(&str, &str)], name: &str) -> OperatorTest {
    let arguments: Vec<_> = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let engine = Engine::start(job, &arguments, Some(name)).unwrap_or_else(|error| panic!("the job cannot start: {error}"));
    let id = engine.find(name);
    OperatorTest { engine, id }
}

/// An operator under test. Time stands still unless the test moves it.
pub struct OperatorTest {
    engine: Engine,
    id: usize,
}

impl OperatorTest {
    /// Gives a record with an event time in milliseconds to the operator.
    pub fn push<T: Record>(&mut self, record: T, time: i64) {
        self.push_to(0, record, time);
    }

    /// Gives a record to one of several inputs.
    pub fn push_to<T: Record>(&mut self, input: usize, record: T, time: i64) {
        self.engine.accept(self.id, input, vec![row_of(&record, time)]);
    }

    /// Raises the watermark.
    pub fn watermark(&mut self, watermark: i64) {
        self.engine.watermark(self.id, watermark);
    }

    /// Sets the processing time.
    pub fn set_processing_time(&mut self, now: i64) {
        self.engine.set_now(now);
    }

    /// Takes what was emitted so far, with event times.
    pub fn output<T: Record>(&mut self) -> Vec<(T, i64)> {
        self.side(plan::MAIN)
    }

    /// Takes what was emitted so far on a side output, `late` or `dead-letter`.
    pub fn side<T: Record>(&mut self, port: &str) -> Vec<(T, i64)> {
        let rows = self.engine.collected.remove(&(self.id, port.to_owned())).unwrap_or_default();
        records(&rows, &self.engine.schema(self.id, port))
    }

    /// The timers that are set: name and time, the earliest first.
    pub fn timers(&self) -> Vec<(String, i64)> {
        self.engine.timers(self.id)
    }

    /// What refused records were refused for.
    pub fn refused(&self) -> &[String] {
        &self.engine.refused
    }

    /// What was logged.
    pub fn log(&self) -> Vec<String> {
        self.engine.host.log.borrow().clone()
    }

    /// Exports all state, drops it and loads it again, as a restart from a checkpoint does.
    pub fn restart(&mut self) {
        self.engine.restart(self.id);
    }

    /// Goes on where an earlier version of this operator stands, with its keys, timers and time, and its state migrated.
    ///
    /// # Panics
    /// When a piece of state is neither what it was nor one that today's version migrates.
    #[must_use]
    pub fn migrated_from(mut self, mut earlier: OperatorTest) -> OperatorTest {
        self.engine.migrate(self.id, &mut earlier.engine, earlier.id);
        self
    }
}

/// Tests a process function, made as [`KeyedStream::process`] makes it.
pub fn process<P: Process>(make: impl FnOnce(&mut Declare) -> P) -> ProcessTest<P> {
    const NAME: &str = "process";
    let job = |job: &mut Job| {
        let columns = Schema::of::<P::Key>().columns.into_iter().enumerate();
        let columns: Vec<Column> = columns.map(|(i, column)| Column { name: format!("$key{i}"), ..column }).collect();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let source = job.source::<P::In>("source", json()).with_schema(columns);
        KeyedStream::<P::Key, P::In>::new(source, names).process(NAME, make);
        Ok(())
    };
    ProcessTest { test: operator(job, NAME), _function: PhantomData }
}

/// A process function under test. Time stands still unless the test moves it.
pub struct ProcessTest<P> {
    test: OperatorTest,
    _function: PhantomData<fn(P)>,
}

impl<P: Process> ProcessTest<P> {
    /// Gives a record with its key and an event time in milliseconds to the function.
    pub fn push(&mut self, key: P::Key, record: P::In, time: i64) {
        self.test.push(With { record, extra: key }, time);
    }

    /// Raises the watermark.
    pub fn watermark(&mut self, watermark: i64) {
        self.test.watermark(watermark);
    }

    /// Sets the processing time.
    pub fn set_processing_time(&mut self, now: i64) {
        self.test.set_processing_time(now);
    }

    /// Takes what was emitted so far, with event times.
    pub fn output(&mut self) -> Vec<(P::Out, i64)> {
        self.test.output()
    }

    /// Takes what was emitted so far on a side output.
    pub fn side<T: Record>(&mut self, port: &str) -> Vec<(T, i64)> {
        self.test.side(port)
    }

    /// The timers that are set: name and time, the earliest first.
    pub fn timers(&self) -> Vec<(String, i64)> {
        self.test.timers()
    }

    /// What refused records were refused for.
    pub fn refused(&self) -> &[String] {
        self.test.refused()
    }

    /// Exports all state, drops it and loads it again, as a restart from a checkpoint does.
    pub fn restart(&mut self) {
        self.test.restart();
    }

    /// Goes on where an earlier version of the function stands, with its keys, timers and time, and its state migrated.
    ///
    /// ```
    /// use tidemill::prelude::*;
    /// use tidemill::testing;
    ///
    /// /// The mean of what came so far, from a count and a sum.
    /// struct Mean<T: Record + Clone> { so_far: Value<T>, mean: fn(&mut T, i64) -> f64 }
    ///
    /// impl<T: Record + Clone + Default> Process for Mean<T> {
    ///     type Key = String;
    ///     type In = i64;
    ///     type Out = f64;
    ///
    ///     fn on_record(&self, ctx: &mut Ctx<String, f64>, value: i64) -> Result {
    ///         let mut so_far = ctx.state(&self.so_far).cloned().unwrap_or_default();
    ///         let mean = (self.mean)(&mut so_far, value);
    ///         ctx.state(&self.so_far).set(so_far);
    ///         ctx.emit(mean);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// fn whole(state: &mut (i64, i64), value: i64) -> f64 {
    ///     *state = (state.0 + 1, state.1 + value);
    ///     state.1 as f64 / state.0 as f64
    /// }
    ///
    /// fn real(state: &mut (i64, f64), value: i64) -> f64 {
    ///     *state = (state.0 + 1, state.1 + value as f64);
    ///     state.1 / state.0 as f64
    /// }
    ///
    /// let mut earlier = testing::process(|declare| Mean { so_far: declare.value("so_far"), mean: whole });
    /// earlier.push("a".into(), 1, 0);
    ///
    /// let mut now = testing::process(|declare| {
    ///     let so_far = declare.value("so_far").migrates_from(|(count, sum): (i64, i64)| (count, sum as f64));
    ///     Mean { so_far, mean: real }
    /// })
    /// .migrated_from(earlier);
    /// now.push("a".into(), 4, 1);
    /// assert_eq!(now.output(), [(2.5, 1)]);
    /// ```
    ///
    /// # Panics
    /// When a piece of state is neither what it was nor one that today's version migrates.
    #[must_use]
    pub fn migrated_from<E: Process>(self, earlier: ProcessTest<E>) -> ProcessTest<P> {
        ProcessTest { test: self.test.migrated_from(earlier.test), ..self }
    }
}
