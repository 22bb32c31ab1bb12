//! Schemas: the names and types of a record's columns, as the plan and blocks write them.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

/// The type of a column. The discriminant is the code in a block's column table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool = 1,
    /// 32-bit signed integer.
    I32 = 2,
    /// 64-bit signed integer.
    I64 = 3,
    /// 64-bit IEEE 754 number.
    F64 = 4,
    /// UTF-8 text.
    String = 5,
    /// Any bytes.
    Bytes = 6,
}

impl Type {
    /// The name used in a schema's text.
    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F64 => "f64",
            Type::String => "string",
            Type::Bytes => "bytes",
        }
    }
}

/// One column of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; names that begin with `$` belong to columns that the SDK adds behind a record.
    pub name: String,
    /// The type of every present value.
    pub ty: Type,
    /// Whether a value may be absent.
    pub optional: bool,
}

impl Column {
    /// The column of this name for values of type `T`.
    pub fn of<T: crate::record::Cell>(name: impl Into<String>) -> Column {
        Column { name: name.into(), ty: T::TYPE, optional: T::OPTIONAL }
    }
}

impl FromStr for Type {
    type Err = String;

    fn from_str(name: &str) -> Result<Type, String> {
        let all = [Type::Bool, Type::I32, Type::I64, Type::F64, Type::String, Type::Bytes];
        all.into_iter().find(|ty| ty.name() == name).ok_or_else(|| format!("{name:?} is no type of a column"))
    }
}

/// The columns of a block, in order. The event time is not one of them: every block has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Schema {
    /// The schema of a record type.
    pub fn of<T: crate::record::Record>() -> Schema {
        let mut columns = Vec::with_capacity(T::COLUMNS);
        T::fields(&mut columns);
        Schema { columns }
    }

    /// This schema with other columns behind it.
    pub(crate) fn with(mut self, columns: impl IntoIterator<Item = Column>) -> Schema {
        self.columns.extend(columns);
        self
    }

    /// XXH3-64 of the text form: equal schemas have equal ids in every language.
    pub fn id(&self) -> u64 {
        xxh3_64(self.to_string().as_bytes())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, column) in self.columns.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let mark = if column.optional { "?" } else { "" };
            write!(f, "{comma}{}:{}{mark}", column.name, column.ty.name())?;
        }
        Ok(())
    }
}

impl FromStr for Schema {
    type Err = String;

    /// Reads the text form that the host writes.
    fn from_str(text: &str) -> Result<Schema, String> {
        let column = |text: &str| {
            let (name, ty) =
                text.rsplit_once(':').ok_or_else(|| format!("{text:?} is no column: name and type have a colon between them"))?;
            let (ty, optional) = ty.strip_suffix('?').map_or((ty, false), |ty| (ty, true));
            Ok(Column { name: name.to_owned(), ty: ty.parse()?, optional })
        };
        let columns = text.split(',').filter(|text| !text.is_empty()).map(column).collect::<Result<_, String>>()?;
        Ok(Schema { columns })
    }
}
