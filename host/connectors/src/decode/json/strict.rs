//! The decoder that defines what a record means: serde_json, streaming, any legal JSON.
//!
//! The scanner gives every line here that it finds surprising; tests compare both.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::decode::row::{Slot, Span};

/// What a strict pass fills.
pub(super) struct Found<'a> {
    /// One per name; the last of equal keys wins.
    pub(super) slots: &'a mut [Slot],
    /// Where strings are put.
    pub(super) scratch: &'a mut Vec<u8>,
}

/// Reads the values of the keys for which `index` knows a slot.
pub(super) fn read(text: &str, found: Found<'_>, index: &dyn Fn(&str) -> Option<usize>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Record { found, index }).and_then(|()| json.end());
    read.map_err(|e| {
        let said = e.to_string();
        said.strip_suffix(&format!(" at line {} column {}", e.line(), e.column()))
            .map_or(said.clone(), |bare| format!("{bare} at column {}", e.column()))
    })
}

struct Record<'a> {
    found: Found<'a>,
    index: &'a dyn Fn(&str) -> Option<usize>,
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(slot) = map.next_key_seed(Key(self.index))? {
            match slot {
                Some(slot) => self.found.slots[slot] = map.next_value_seed(Any(self.found.scratch))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Key<'a>(&'a dyn Fn(&str) -> Option<usize>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok((self.0)(key))
    }
}

struct Any<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Slot;

    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Slot, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Slot, E> {
        Ok(Slot::NULL)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Slot, E> {
        Ok(Slot::bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Slot, E> {
        Ok(Slot::int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Slot, E> {
        Ok(Slot::unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Slot, E> {
        Ok(Slot::float(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Slot, E> {
        let start = self.0.len();
        self.0.extend_from_slice(value.as_bytes());
        let end = u32::try_from(self.0.len()).map_err(|_| E::custom("too much text in one record"))?;
        Ok(Slot::unescaped(Span::new(start, end as usize)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Slot, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Slot::ARRAY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slot, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Slot::OBJECT)
    }
}
