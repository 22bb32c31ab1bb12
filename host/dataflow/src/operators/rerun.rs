//! Finds the record at which a stateless chain trapped when the component could not say: the block is run again, record by
//! record, in a fresh instance.
//!
//! Promises: nothing that is emitted on the way goes anywhere, and the instance is thrown away; the search ends at the first
//! record that traps, after [`ROWS_MAX`] records or after [`TIME_MAX`]; a deadline or a limit that is passed on the way is
//! blamed on no record. What the component logs meanwhile stands in the log a second time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_core::block::{Block, gather};
use tidemill_core::guest::{ChainId, Error, Factory, Guest, Moment, OperatorId};
use tidemill_core::schema::Schema;

/// Records looked at: eight times what a source hands on in one block, and a fraction of a second in any language.
const ROWS_MAX: usize = 16_384;
/// How long the search may take: twice the default deadline of one call, for a job that has failed already.
const TIME_MAX: Duration = Duration::from_secs(10);

/// The call that trapped.
pub(crate) struct Trapped<'a> {
    pub(crate) members: &'a [OperatorId],
    pub(crate) input: u32,
    pub(crate) at: Moment,
    pub(crate) block: &'a Block,
    pub(crate) schema: &'a Schema,
}

/// See the module.
pub(crate) struct Rerun {
    factory: Arc<dyn Factory>,
    rows_max: usize,
    time_max: Duration,
}

/// The chain's id in an instance that has no other.
const ONLY: ChainId = 0;

impl Rerun {
    pub(crate) fn new(factory: Arc<dyn Factory>) -> Rerun {
        Rerun { factory, rows_max: ROWS_MAX, time_max: TIME_MAX }
    }

    /// The error with operator and record, where they can be found; else it says why they cannot.
    pub(crate) fn blame(&self, error: Error, call: &Trapped<'_>) -> Error {
        let Error::Trap { export, message, backtrace, at: None } = error else { return error };
        match self.first_trap(call) {
            Ok((row, Error::Trap { export, message, backtrace, .. })) => {
                Error::Trap { export, message, backtrace, at: Some((self.member(call, row), row)) }
            }
            Ok((row, other)) => {
                let why = format!("the search for its record was given up at record {} of the block: {other}", row + 1);
                Error::Trap { export, message: format!("{message}; {why}"), backtrace, at: None }
            }
            Err(why) => Error::Trap { export, message: format!("{message}; {why}"), backtrace, at: None },
        }
    }

    /// The first row whose call ends in an error when it is made alone, and the error; else why there is none.
    fn first_trap(&self, call: &Trapped<'_>) -> Result<(u32, Error), String> {
        let start = Instant::now();
        let rows = call.block.rows();
        let fresh = || -> Result<Box<dyn Guest>, Error> {
            let mut guest = self.factory.instantiate()?;
            guest.link(ONLY, call.members)?;
            Ok(guest)
        };
        let mut guest = fresh().map_err(|error| format!("its record was not looked for, because there is no fresh instance: {error}"))?;
        for row in 0..rows.min(self.rows_max) as u32 {
            if let Err(error) = one(&mut *guest, ONLY, call, row) {
                return Ok((row, error));
            }
            if start.elapsed() >= self.time_max && (row as usize) + 1 < rows {
                let seconds = self.time_max.as_secs();
                return Err(format!("run again one by one, the first {} of its {rows} records did not trap within {seconds} s", row + 1));
            }
        }
        Err(match rows > self.rows_max {
            true => format!("run again one by one, the first {} of its {rows} records did not trap", self.rows_max),
            false => format!("run again one by one, none of its {rows} records trapped: what came before them has a part in it"),
        })
    }

    /// The member that traps at a row: the last of the shortest beginning of the chain that does; the first where none does.
    fn member(&self, call: &Trapped<'_>, row: u32) -> OperatorId {
        let first = call.members[0];
        if call.members.len() == 1 {
            return first;
        }
        let Ok(mut guest) = self.factory.instantiate() else { return first };
        for len in 1..=call.members.len() {
            let (chain, members) = (len as ChainId - 1, &call.members[..len]);
            let run = guest.link(chain, members).and_then(|()| one(&mut *guest, chain, call, row));
            if run.is_err() {
                return members[len - 1];
            }
        }
        first
    }
}

/// Runs one row.
fn one(guest: &mut dyn Guest, chain: ChainId, call: &Trapped<'_>, row: u32) -> Result<(), Error> {
    let block = gather(call.block, &[row], call.schema).expect("one row makes a block");
    guest.process(chain, call.input, call.at, &block, &[], &[]).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidemill_core::block::Builder;
    use tidemill_core::guest::{Outcome, Slot};

    use super::*;

    /// Operator `o` traps at the value `100 * o`, the value -1 passes the deadline, and blocks of several rows always trap.
    #[derive(Default)]
    struct Touchy {
        chains: Vec<Vec<OperatorId>>,
        ended: bool,
    }

    struct Touchies;

    impl Factory for Touchies {
        fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
            Ok(Box::new(Touchy::default()))
        }
    }

    fn trap(message: &str) -> Error {
        Error::Trap { export: "process", message: message.to_owned(), backtrace: Vec::new(), at: None }
    }

    impl Guest for Touchy {
        fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
            assert_eq!(chain as usize, self.chains.len());
            self.chains.push(members.to_vec());
            Ok(())
        }

        fn process(&mut self, chain: ChainId, _: u32, _: Moment, block: &Block, _: &[u32], _: &[Slot]) -> Result<Outcome, Error> {
            assert!(!self.ended, "an instance that trapped is not called again");
            let value = block.column(0).i64s().get(0);
            let traps = self.chains[chain as usize].iter().any(|&member| i64::from(member) * 100 == value);
            self.ended = traps || value == -1 || block.rows() > 1;
            match (value, self.ended) {
                (-1, _) => Err(Error::Deadline { export: "process", ms: 1 }),
                (_, true) => Err(trap(if traps { "alone" } else { "together" })),
                (_, false) => Ok(Outcome::default()),
            }
        }

        fn on_timer(&mut self, _: ChainId, _: Moment, _: &Block, _: &[Slot]) -> Result<Outcome, Error> {
            unreachable!("a stateless chain has no timers")
        }

        fn fire(&mut self, _: ChainId, _: Moment, _: &Block, _: &[u32], _: &[Slot]) -> Result<Outcome, Error> {
            unreachable!("a stateless chain has no windows")
        }

        fn merge(&mut self, _: OperatorId, _: &[Slot], _: &[Slot]) -> Result<(), Error> {
            unreachable!("a stateless chain has no state")
        }

        fn export_state(&mut self, _: OperatorId, _: &[Slot]) -> Result<Block, Error> {
            unreachable!("a stateless chain has no state")
        }

        fn import_state(&mut self, _: OperatorId, _: &[Slot], _: &Block) -> Result<(), Error> {
            unreachable!("a stateless chain has no state")
        }

        fn drop_state(&mut self, _: OperatorId, _: &[Slot]) -> Result<(), Error> {
            unreachable!("a stateless chain has no state")
        }
    }

    fn numbers(values: impl IntoIterator<Item = i64>) -> (Block, Schema) {
        let schema: Schema = "n:i64".parse().unwrap();
        let mut builder = Builder::new(&schema);
        for value in values {
            builder.push_time(0);
            builder.column(0).push_i64(value);
        }
        (builder.finish().unwrap(), schema)
    }

    fn trapped<'a>(block: &'a Block, schema: &'a Schema) -> Trapped<'a> {
        Trapped { members: &[3, 5, 7], input: 0, at: Moment { watermark: 0, now: 0 }, block, schema }
    }

    /// What is found in a block of these values.
    fn blame(rerun: &Rerun, values: impl IntoIterator<Item = i64>) -> (String, Option<(OperatorId, u32)>) {
        let (block, schema) = numbers(values);
        match rerun.blame(trap("why"), &trapped(&block, &schema)) {
            Error::Trap { message, at, .. } => (message, at),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_first_record_that_traps_alone_is_named_with_its_operator() {
        let rerun = Rerun::new(Arc::new(Touchies));
        for (culprit, operator) in [(300, 3), (500, 5), (700, 7)] {
            assert_eq!(blame(&rerun, [1, 2, culprit, 300]), ("alone".to_owned(), Some((operator, 2))));
        }
    }

    #[test]
    fn where_no_record_traps_alone_the_error_says_so() {
        let (message, at) = blame(&Rerun::new(Arc::new(Touchies)), [1, 2, 3]);
        assert_eq!(at, None);
        assert_eq!(message, "why; run again one by one, none of its 3 records trapped: what came before them has a part in it");
    }

    #[test]
    fn a_deadline_is_never_blamed_on_a_record() {
        let rerun = Rerun::new(Arc::new(Touchies));
        let (message, at) = blame(&rerun, [1, -1, 300]);
        assert_eq!(at, None);
        assert!(message.starts_with("why; the search for its record was given up at record 2 of the block: "), "{message}");
        let deadline = Error::Deadline { export: "process", ms: 5 };
        let (block, schema) = numbers([300]);
        assert_eq!(rerun.blame(deadline.clone(), &trapped(&block, &schema)), deadline);
    }

    #[test]
    fn the_search_is_bounded_in_records_and_in_time() {
        let mut rerun = Rerun::new(Arc::new(Touchies));
        let last = |rows: usize| (0..rows).map(move |row| if row + 1 == rows { 300 } else { 1 });
        assert_eq!(blame(&rerun, last(ROWS_MAX)).1, Some((3, ROWS_MAX as u32 - 1)));
        let (message, at) = blame(&rerun, last(ROWS_MAX + 1));
        assert_eq!(at, None);
        assert!(message.ends_with(&format!("the first {ROWS_MAX} of its {} records did not trap", ROWS_MAX + 1)), "{message}");
        rerun.time_max = Duration::ZERO;
        let (message, at) = blame(&rerun, last(3));
        assert_eq!(at, None);
        assert!(message.ends_with("the first 1 of its 3 records did not trap within 0 s"), "{message}");
        assert_eq!(blame(&rerun, last(1)).1, Some((3, 0)), "the last record needs no more time");
    }
}
