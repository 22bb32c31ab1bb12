//! One record on its way into columns: the values found, and how they become a row or a reason why not.

use tidemill_core::TimeMs;
use tidemill_core::block::{Builder, ColumnBuilder};
use tidemill_core::schema::Type;

use super::layout::{Layout, Wanted};

/// A value as it was found, before anyone asked for a type.
///
/// Two words instead of an enum with payloads: the scanner writes one for every value, and an enum is put together in memory
/// in pieces that the next load must wait for (measured: a third of the scanner's time).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slot {
    kind: Kind,
    bits: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Null,
    Bool,
    Int,
    /// An integer above the range of i64.
    Big,
    Float,
    /// Text at these bytes of the record.
    Text,
    /// Text at these bytes of the scratch in which escapes were undone.
    Unescaped,
    /// No field can take it.
    Array,
    Object,
}

/// A range of bytes. 32 bits suffice: a record is at most [`super::LINE_BYTES_MAX`] long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span(u64);

impl Span {
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span((start as u64) << 32 | end as u64)
    }

    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[(self.0 >> 32) as usize..self.0 as u32 as usize]
    }
}

impl Slot {
    /// The record does not have the key.
    pub(crate) const MISSING: Slot = Slot { kind: Kind::Missing, bits: 0 };
    pub(crate) const NULL: Slot = Slot { kind: Kind::Null, bits: 0 };
    pub(crate) const ARRAY: Slot = Slot { kind: Kind::Array, bits: 0 };
    pub(crate) const OBJECT: Slot = Slot { kind: Kind::Object, bits: 0 };

    #[inline]
    pub(crate) fn bool(value: bool) -> Slot {
        Slot { kind: Kind::Bool, bits: value.into() }
    }

    #[inline]
    pub(crate) fn int(value: i64) -> Slot {
        Slot { kind: Kind::Int, bits: value as u64 }
    }

    /// An integer that is never negative.
    pub(crate) fn unsigned(value: u64) -> Slot {
        Slot { kind: if i64::try_from(value).is_ok() { Kind::Int } else { Kind::Big }, bits: value }
    }

    #[inline]
    pub(crate) fn float(value: f64) -> Slot {
        Slot { kind: Kind::Float, bits: value.to_bits() }
    }

    /// Text at these bytes of the record.
    #[inline]
    pub(crate) fn text(span: Span) -> Slot {
        Slot { kind: Kind::Text, bits: span.0 }
    }

    /// Text at these bytes of the scratch.
    pub(crate) fn unescaped(span: Span) -> Slot {
        Slot { kind: Kind::Unescaped, bits: span.0 }
    }

    /// Whether the record does not have the key.
    pub(crate) fn is_missing(self) -> bool {
        self.kind == Kind::Missing
    }

    /// The integer, if it is one that fits.
    pub(crate) fn as_int(self) -> Option<i64> {
        (self.kind == Kind::Int).then_some(self.bits as i64)
    }

    fn as_float(self) -> f64 {
        f64::from_bits(self.bits)
    }

    fn describe(self) -> &'static str {
        match self.kind {
            Kind::Missing => "nothing",
            Kind::Null => "null",
            Kind::Bool => "a bool",
            Kind::Int | Kind::Big => "an integer",
            Kind::Float => "a fraction or exponent",
            Kind::Text | Kind::Unescaped => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// The values of one record and the bytes they point to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// One per [`Layout::names`].
    pub(crate) slots: &'a [Slot],
    /// What [`Slot::text`] points into.
    pub(crate) record: &'a [u8],
    /// What [`Slot::unescaped`] points into.
    pub(crate) scratch: &'a [u8],
}

impl<'a> Row<'a> {
    /// The bytes of a string, wherever they lie.
    pub(crate) fn text(&self, name: usize) -> Option<&'a [u8]> {
        let slot = self.slots[name];
        match slot.kind {
            Kind::Text => Some(Span(slot.bits).of(self.record)),
            Kind::Unescaped => Some(Span(slot.bits).of(self.scratch)),
            _ => None,
        }
    }

    /// Appends the row to the port's columns, or leaves them as they were and says what is wrong. Returns the event time,
    /// 0 when the source has none.
    pub(crate) fn store(&self, layout: &Layout, port: usize, builder: &mut Builder) -> Result<TimeMs, String> {
        let time = match layout.time {
            None => 0,
            Some(name) => match self.slots[name].as_int() {
                Some(time) => time,
                None => return Err(refusal(layout, Wanted { name, ty: Type::I64, optional: false }, self.slots[name])),
            },
        };
        let rows = builder.rows();
        for (column, wanted) in builder.columns_mut().iter_mut().zip(&layout.ports[port].columns) {
            let slot = self.slots[wanted.name];
            if !self.push(column, *wanted, slot) {
                builder.truncate(rows);
                return Err(refusal(layout, *wanted, slot));
            }
        }
        builder.push_time(time);
        Ok(time)
    }

    /// Pushes one value if the column can take it.
    #[inline]
    fn push(&self, column: &mut ColumnBuilder, wanted: Wanted, slot: Slot) -> bool {
        match (wanted.ty, slot.kind) {
            (Type::I64, Kind::Int) => column.push_i64(slot.bits as i64),
            (Type::String | Type::Bytes, Kind::Text) => column.push_heap(Span(slot.bits).of(self.record)),
            (Type::String | Type::Bytes, Kind::Unescaped) => column.push_heap(Span(slot.bits).of(self.scratch)),
            (Type::F64, Kind::Float) => column.push_f64(slot.as_float()),
            (Type::F64, Kind::Int) => column.push_f64(slot.bits as i64 as f64),
            (Type::F64, Kind::Big) => column.push_f64(slot.bits as f64),
            (Type::I32, Kind::Int) => match i32::try_from(slot.bits as i64) {
                Ok(v) => column.push_i32(v),
                Err(_) => return false,
            },
            (Type::Bool, Kind::Bool) => column.push_bool(slot.bits != 0),
            (_, Kind::Missing | Kind::Null) if wanted.optional => column.push_absent(),
            _ => return false,
        }
        true
    }
}

#[cold]
fn refusal(layout: &Layout, wanted: Wanted, slot: Slot) -> String {
    let (name, ty) = (&layout.names[wanted.name], wanted.ty.name());
    match slot.kind {
        Kind::Missing => format!("field {name:?} is missing"),
        Kind::Int | Kind::Big if matches!(wanted.ty, Type::I32 | Type::I64) => format!("field {name:?} does not fit an {ty}"),
        _ => format!("field {name:?} holds {} where {ty} belongs", slot.describe()),
    }
}
