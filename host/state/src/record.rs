//! The files of the log and of savepoints: text that a person can read and every byte of which is under a hash
//! (`docs/formats/checkpoint.md`).
//!
//! A first line names the format, JSON follows, and a last line has the hash of all before it.

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};
use tidemill_core::checkpoint::protocol::{self, Claim, Found, Object};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::Error;
use crate::manifest::Manifest;

/// The format this release writes and reads.
const FORMAT: u32 = 1;

const FIRST_LINE: &str = "tidemill checkpoint log, format ";
const LAST_LINE: &str = "xxh3-128 ";
/// The last line with its line break.
const LAST_LINE_BYTES: usize = LAST_LINE.len() + 32 + 1;

/// What a file of the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A runner takes the job over.
    Claim(Claim),
    /// A checkpoint exists.
    Checkpoint(Box<Manifest>),
}

impl Record {
    /// The bytes of its file.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string_pretty(self).expect("names, numbers and lists are JSON");
        let mut text = format!("{FIRST_LINE}{FORMAT}\n{json}\n");
        let hash = xxh3_128(text.as_bytes());
        text.push_str(&last_line(hash));
        text.into_bytes()
    }

    /// Reads the bytes of the file of this object.
    ///
    /// # Errors
    /// [`Error::Newer`], or [`Error::Damaged`] with the place.
    pub fn decode(object: &Object, bytes: &[u8]) -> Result<Record, Error> {
        let file = &object.path();
        let (content, last) = bytes.split_at(bytes.len().saturating_sub(LAST_LINE_BYTES));
        if !last.starts_with(LAST_LINE.as_bytes()) || !last.ends_with(b"\n") {
            return Err(Error::damaged(file, content.len() as u64, "the line with the hash is missing or cut"));
        }
        if last != last_line(xxh3_128(content)).as_bytes() {
            return Err(Error::damaged(file, 0, format!("the hash of bytes 0 to {} is not the one that was written", content.len())));
        }
        let text = std::str::from_utf8(content).map_err(|e| Error::damaged(file, e.valid_up_to() as u64, "no text"))?;
        let (first, json) = text.split_once('\n').unwrap_or((text, ""));
        match first.strip_prefix(FIRST_LINE).and_then(|format| u32::from_str(format).ok()) {
            Some(FORMAT) => {}
            Some(found) => return Err(Error::Newer { file: file.clone(), found, known: FORMAT }),
            None => return Err(Error::damaged(file, 0, "the first line is not that of a record")),
        }
        let wrong = |what: String| Error::damaged(file, first.len() as u64 + 1, what);
        let record: Record = serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
        match (&record, object) {
            (Record::Checkpoint(manifest), _) => manifest.check(object).map_err(wrong)?,
            (Record::Claim(_), Object::Record(_)) => {}
            (Record::Claim(_), _) => return Err(wrong("a claim, which is no checkpoint".to_owned())),
        }
        Ok(record)
    }

    /// What the decisions of the protocol know of it.
    pub fn facts(&self) -> protocol::Record {
        match self {
            Record::Claim(claim) => protocol::Record::Claim(claim.clone()),
            Record::Checkpoint(manifest) => protocol::Record::Checkpoint(manifest.facts()),
        }
    }
}

/// Reads a record; none when there is no such file.
///
/// # Errors
/// What the storage says, and what [`Record::decode`] says of the bytes.
pub(crate) fn read(store: &crate::Store, object: &Object) -> Result<Option<Record>, Error> {
    match store.read(&object.path()) {
        Ok(bytes) => Record::decode(object, &bytes).map(Some),
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What reading a record came to, for the protocol, and its manifest where it is a checkpoint's.
///
/// # Errors
/// What the storage says, and [`Error::Newer`]: whether that record is whole only a later release can tell.
pub(crate) fn find(store: &crate::Store, object: &Object) -> Result<(Found, Option<Manifest>), Error> {
    Ok(match read(store, object) {
        Ok(None) => (Found::Missing, None),
        Ok(Some(record)) => (Found::Record(record.facts()), record.into_manifest()),
        Err(error @ Error::Damaged { .. }) => (Found::Damaged(error.to_string()), None),
        Err(error) => return Err(error),
    })
}

impl Record {
    /// The manifest of a checkpoint.
    pub fn into_manifest(self) -> Option<Manifest> {
        match self {
            Record::Checkpoint(manifest) => Some(*manifest),
            Record::Claim(_) => None,
        }
    }
}

fn last_line(hash: u128) -> String {
    format!("{LAST_LINE}{hash:032x}\n")
}

#[cfg(test)]
mod tests {
    use tidemill_core::checkpoint::CheckpointId;
    use tidemill_core::checkpoint::protocol::{Line, RunnerId};

    use super::*;
    use crate::manifest::tests::manifest;

    const OBJECT: Object = Object::Record(Line(7));

    fn checkpoint() -> Record {
        Record::Checkpoint(Box::new(manifest()))
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let claim = Claim { runner: RunnerId(u64::MAX), base: Some(Line(3)), skipped: vec![Line(5)], last: CheckpointId(9) };
        for record in [Record::Claim(claim), checkpoint()] {
            assert_eq!(Record::decode(&OBJECT, &record.encode()).unwrap(), record);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let bytes = checkpoint().encode();
        for bit in 0..8 * bytes.len() {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = Record::decode(&OBJECT, &bad).expect_err("a bit is flipped");
            assert!(matches!(error, Error::Damaged { .. }), "bit {bit}: {error}");
        }
        for length in 0..bytes.len() {
            let error = Record::decode(&OBJECT, &bytes[..length]).expect_err("bytes are missing");
            assert!(matches!(error, Error::Damaged { .. }), "{length} bytes: {error}");
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let text = String::from_utf8(checkpoint().encode()).unwrap().replacen("format 1", "format 2", 1);
        let content = &text[..text.len() - LAST_LINE_BYTES];
        let written = format!("{content}{}", last_line(xxh3_128(content.as_bytes())));
        let error = Record::decode(&OBJECT, written.as_bytes()).expect_err("it is newer");
        assert_eq!(error, Error::Newer { file: OBJECT.path(), found: 2, known: 1 });
    }
}
