//! The job that the runs are of: records with numbers are added up by key, and each record makes one row of output that says
//! the sum after it. What state and output must be after any number of records is known beforehand.

use std::sync::LazyLock;

use tidemill_core::checkpoint::protocol::Part;

use crate::rng::mix;

/// Records of the input; as many as a `u64` has room to mark.
pub const RECORDS: usize = 48;

/// Keys. The last is touched by every eighth record only, so that checkpoints refer to parts of much earlier ones.
pub const KEYS: usize = 4;

/// The key of a record.
pub fn key(record: usize) -> usize {
    ((record + 1).trailing_zeros() as usize).min(KEYS - 1)
}

/// What the job knows after some records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The next record.
    pub offset: usize,
    /// By key.
    pub sums: [u64; KEYS],
}

impl State {
    /// Takes the next record and gives the digest of its row.
    pub fn take(&mut self) -> u64 {
        let (record, key) = (self.offset, key(self.offset));
        self.sums[key] = self.sums[key].wrapping_add(mix(record as u64 + 1));
        self.offset += 1;
        mix(self.sums[key] ^ record as u64)
    }
}

/// States after 0, 1, ... records, and the digests of the rows.
static EXPECTED: LazyLock<(Vec<State>, Vec<u64>)> = LazyLock::new(|| {
    let mut state = State::default();
    let (mut states, mut rows) = (vec![state], Vec::new());
    while state.offset < RECORDS {
        rows.push(state.take());
        states.push(state);
    }
    (states, rows)
});

/// The state that the job must have after so many records.
pub fn expected_state(offset: usize) -> State {
    EXPECTED.0[offset]
}

/// A file of output: the rows of records in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// Its first record.
    pub from: usize,
    /// The record after its last.
    pub to: usize,
    /// The sum of the digests of its rows.
    pub digest: u64,
}

impl File {
    /// Whether its rows are those that its records must make.
    pub fn is_right(&self) -> bool {
        let rows = &EXPECTED.1[self.from..self.to];
        rows.iter().fold(0, |sum: u64, row| sum.wrapping_add(*row)) == self.digest
    }

    /// A mark for each of its records.
    pub fn marks(&self) -> u64 {
        prefix(self.to) & !prefix(self.from)
    }
}

/// Marks for the first records.
pub fn prefix(records: usize) -> u64 {
    (1 << records) - 1
}

/// What a part holds: the sum of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeySum {
    /// The key.
    pub key: usize,
    /// The sum.
    pub sum: u64,
}

impl KeySum {
    /// A hash of the content, for its name.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&mix(self.sum ^ self.key as u64).to_le_bytes());
        hash
    }
}

/// The part of each key.
pub type Parts = [Part; KEYS];
