//! The manifest: what a checkpoint consists of. Its file, written last, makes the checkpoint exist.

use serde::{Deserialize, Serialize};
use tidemill_core::TimeMs;
use tidemill_core::checkpoint::SavedOperator;
use tidemill_core::checkpoint::protocol::{self, Checkpoint, Line, Object, Savepoint, Stamp};
use tidemill_core::schema::Schema;

use crate::part::GROUPS_MAX;

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The name of the job.
    pub job: String,
    /// The attempt that made it.
    pub stamp: Stamp,
    /// Its line in the log of the job.
    pub line: Line,
    /// The checkpoints before it that are still kept, from old to new.
    pub kept: Vec<Line>,
    /// When, in milliseconds since the epoch.
    pub created_ms: TimeMs,
    /// Version of the contract and digest of the plan of the component that ran.
    pub plan: String,
    /// Key groups of the job; they never change.
    pub groups: u32,
    /// Every input had ended and everything was emitted: there is nothing to go on from.
    pub finished: bool,
    /// In a savepoint, which is a copy that is kept until somebody deletes it, its name.
    pub savepoint: Option<Savepoint>,
    /// What was saved of each operator.
    pub operators: Vec<Operator>,
}

/// What was saved of one operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// Its name, by which it is found again.
    pub name: String,
    /// What it is, e.g. `window`.
    pub kind: String,
    /// The least watermark over its workers.
    pub watermark: TimeMs,
    /// The fields of its key, when it has one.
    pub key: Option<Schema>,
    /// The columns of its keyed state, when it has some.
    pub state: Option<Schema>,
    /// Its keyed state, from the oldest layer to the newest. A row of a later layer counts instead of one of the same
    /// key and namespace in an earlier one; in the first no row says that state is gone.
    pub layers: Vec<Vec<Part>>,
    /// Where its readers stand, in its own words.
    pub positions: Vec<String>,
    /// Output that is durable and becomes visible by this checkpoint.
    pub staged: Vec<String>,
}

/// A file of keyed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name, which has the hash of its bytes.
    pub name: protocol::Part,
    /// Its length.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The first and the last key group it has rows of. Parts of a layer ascend and share no group.
    pub groups: (u32, u32),
}

impl Part {
    /// Its path below the directory.
    pub fn path(&self) -> String {
        Object::Part(self.name).path()
    }
}

impl Manifest {
    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.operators.iter().flat_map(|operator| operator.layers.iter().flatten())
    }

    /// Bytes of keyed state, all layers.
    pub fn bytes(&self) -> u64 {
        self.parts().map(|part| part.bytes).sum()
    }

    /// The operator of a name.
    pub fn operator(&self, name: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.name == name)
    }

    /// What the decisions of the protocol know of it.
    pub fn facts(&self) -> Checkpoint {
        Checkpoint { stamp: self.stamp, kept: self.kept.clone(), parts: self.parts().map(|part| part.name).collect() }
    }

    /// What a hash cannot say: that whoever wrote it into the file of `object` meant something that can be.
    pub(crate) fn check(&self, object: &Object) -> Result<(), String> {
        match object {
            Object::Record(line) if *line != self.line => return Err(format!("it is line {}", self.line)),
            Object::Savepoint(name) if self.savepoint.as_ref() != Some(name) => return Err("it is not that savepoint".to_owned()),
            _ => {}
        }
        if self.groups == 0 || self.groups > GROUPS_MAX {
            return Err(format!("{} key groups", self.groups));
        }
        for (index, operator) in self.operators.iter().enumerate() {
            let name = &operator.name;
            if self.operators[..index].iter().any(|other| other.name == *name) {
                return Err(format!("operator {name:?} stands twice"));
            }
            if operator.state.is_none() && !operator.layers.is_empty() {
                return Err(format!("operator {name:?} has parts but no state"));
            }
            for layer in &operator.layers {
                let mut groups = 0..self.groups;
                for Part { name, groups: (first, last), .. } in layer {
                    if first > last || !groups.contains(first) || !groups.contains(last) {
                        return Err(format!("part {name} is out of order in its layer"));
                    }
                    groups.start = last + 1;
                }
            }
        }
        Ok(())
    }
}

impl From<&Operator> for SavedOperator {
    fn from(operator: &Operator) -> SavedOperator {
        SavedOperator {
            watermark: operator.watermark,
            state: operator.state.clone(),
            positions: operator.positions.clone(),
            staged: operator.staged.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tidemill_core::checkpoint::{CheckpointId, Generation};

    use super::*;

    /// A manifest at line 7 with everything in it.
    pub(crate) fn manifest() -> Manifest {
        let stamp = Stamp { generation: Generation(2), checkpoint: CheckpointId(12) };
        let part = |hash: u8, groups| Part { name: protocol::Part { stamp, hash: [hash; 32] }, bytes: 100, rows: 3, groups };
        let counts = Operator {
            name: "counts".to_owned(),
            kind: "window".to_owned(),
            watermark: tidemill_core::TIME_MAX,
            key: Some("word:string".parse().unwrap()),
            state: Some("n:i64".parse().unwrap()),
            layers: vec![vec![part(1, (0, 99)), part(2, (100, 255))], vec![part(3, (4, 4))]],
            positions: vec!["a \"quoted\" place\n".to_owned()],
            staged: vec![".part-1".to_owned()],
        };
        Manifest {
            job: "größe".to_owned(),
            stamp,
            line: Line(7),
            kept: vec![Line(3), Line(6)],
            created_ms: 1_700_000_000_000,
            plan: "0.1.0 abc".to_owned(),
            groups: 256,
            finished: false,
            savepoint: Some("before-2".parse().unwrap()),
            operators: vec![counts, Operator { name: "sink".to_owned(), watermark: tidemill_core::TIME_MIN, ..Operator::default() }],
        }
    }

    fn refusal(object: &Object, change: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest.check(object).expect_err("no writer means it")
    }

    #[test]
    fn what_no_writer_means_is_refused() {
        let (line, savepoint) = (Object::Record(Line(7)), Object::Savepoint("before-2".parse().unwrap()));
        assert_eq!(manifest().check(&line), Ok(()));
        assert_eq!(manifest().check(&savepoint), Ok(()));
        let refused = |change: fn(&mut Manifest)| refusal(&line, change);
        assert!(refused(|m| m.line = Line(8)).contains("it is line 8"));
        assert!(refusal(&savepoint, |m| m.savepoint = None).contains("not that savepoint"));
        assert!(refused(|m| m.groups = 0).contains("0 key groups"));
        assert!(refused(|m| m.groups = GROUPS_MAX + 1).contains("65537 key groups"));
        assert!(refused(|m| m.operators[1].name = "counts".to_owned()).contains("stands twice"));
        assert!(refused(|m| m.operators[0].state = None).contains("no state"));
        for groups in [(99, 255), (100, 256), (101, 100)] {
            let text = refusal(&line, |m| m.operators[0].layers[0][1].groups = groups);
            assert!(text.contains("out of order"), "{groups:?}: {text}");
        }
    }
}
