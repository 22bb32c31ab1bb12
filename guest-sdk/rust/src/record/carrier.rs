//! One-column carriers of what has no columns of its own: [`List`] of records, [`Json`] and [`Bin`] of anything
//! that serde knows.
//!
//! They are bytes to the host: it can store and pass them on, but neither key by them nor show them. A list of
//! records and JSON can be read in every language, the binary form in Rust alone.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cell::{bytes_at, single};
use super::{Cell, Column, Cursor, Plain, Record};
use crate::block::{Block, Builder, Error, RawColumn, Variable, Writer};
use crate::schema::Type;

/// The most bytes that one [`Bin`] may claim to decode to: the largest block there is, so that a damaged length is refused
/// before anything is allocated for it.
const BIN_BYTES_MAX: usize = crate::block::BYTES_MAX;

/// The writer of a bytes column.
type Bytes = Variable<{ Type::Bytes as u8 }>;
/// The reader of a bytes column.
type BytesReader<'a> = (&'a [[u8; 4]], &'a [u8]);

macro_rules! carrier {
    ($(#[$doc:meta])* $name:ident, $inner:ty, [$($bound:tt)*]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name<T>(pub $inner);

        impl<T> Deref for $name<T> {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl<T> DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: $($bound)* 'static> Cell for $name<T> {
            const TYPE: Type = Type::Bytes;
            const OPTIONAL: bool = false;
            type Reader<'a> = BytesReader<'a>;
            type Writer = Bytes;

            fn open(column: RawColumn<'_>) -> Result<BytesReader<'_>, Error> {
                <Vec<u8> as Cell>::open(column)
            }

            fn read(reader: &BytesReader<'_>, row: usize) -> Self {
                Self::decode(bytes_at(reader, row))
                    .unwrap_or_else(|error| panic!(concat!("a ", stringify!($name), " field cannot be decoded: {}"), error))
            }

            fn write(&self, writer: &mut Bytes) {
                self.encode(writer);
            }
        }

        impl<T: $($bound)* 'static> Plain for $name<T> {}
    };
}

carrier! {
    /// Records as one bytes field that holds a block of them: readable in every language.
    List, Vec<T>, [Record +]
}

carrier! {
    /// Anything that serde knows as one bytes field of JSON: readable in every language.
    Json, T, [Serialize + DeserializeOwned +]
}

carrier! {
    /// Anything that serde knows as one bytes field in bincode's compact form: readable in Rust alone.
    Bin, T, [Serialize + DeserializeOwned +]
}

single!("block"; [T: Record] List<T>);
single!("json"; [T: Serialize + DeserializeOwned + 'static] Json<T>);
single!("bincode"; [T: Serialize + DeserializeOwned + 'static] Bin<T>);

impl<T: Record> List<T> {
    /// Nothing at all stands for the empty list, so that an absent column reads as one.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(List(Vec::new()));
        }
        let block = Block::parse(bytes)?;
        let readers = T::open(&mut Cursor::new(&block))?;
        Ok(List((0..block.rows()).map(|row| T::read(&readers, row)).collect()))
    }

    fn encode(&self, writer: &mut Bytes) {
        let mut builder = Builder::<T>::new(0);
        self.0.iter().for_each(|record| builder.push(record, 0));
        writer.push(if self.0.is_empty() { &[] } else { builder.finish() });
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(records: Vec<T>) -> Self {
        List(records)
    }
}

impl<T: Serialize + DeserializeOwned> Json<T> {
    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Json)
    }

    fn encode(&self, writer: &mut Bytes) {
        writer.push_with(|heap| {
            serde_json::to_writer(heap, &self.0).unwrap_or_else(|error| panic!("a Json field cannot be encoded: {error}"))
        });
    }
}

impl<T: Serialize + DeserializeOwned> Bin<T> {
    fn config() -> impl bincode::config::Config {
        bincode::config::standard().with_limit::<BIN_BYTES_MAX>()
    }

    fn decode(bytes: &[u8]) -> Result<Self, bincode::error::DecodeError> {
        bincode::serde::decode_from_slice(bytes, Self::config()).map(|(value, _)| Bin(value))
    }

    fn encode(&self, writer: &mut Bytes) {
        let bytes = bincode::serde::encode_to_vec(&self.0, Self::config());
        writer.push(&bytes.unwrap_or_else(|error| panic!("a Bin field cannot be encoded: {error}")));
    }
}
