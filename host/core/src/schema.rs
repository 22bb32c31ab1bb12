//! Schemas: the names and types of a block's columns.
//!
//! A schema has one text form, `sensor:string,celsius:f64?`, which plans, error messages and the schema
//! id all use. Parsing what [`Schema`] displays gives the same schema back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The most columns a schema may have: far more than a person writes, few enough that a table of
/// them is never a memory concern.
pub const COLUMNS_MAX: usize = 1024;

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
    /// The type with this code in a column table.
    pub fn from_code(code: u8) -> Option<Type> {
        [Type::Bool, Type::I32, Type::I64, Type::F64, Type::String, Type::Bytes].into_iter().find(|t| *t as u8 == code)
    }

    /// Bytes per row of a fixed-width type; `None` for text and bytes.
    pub fn width(self) -> Option<usize> {
        match self {
            Type::Bool => Some(1),
            Type::I32 => Some(4),
            Type::I64 | Type::F64 => Some(8),
            Type::String | Type::Bytes => None,
        }
    }

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

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Letters, digits, `_`, `.`, `$` and `-`; unique within the schema.
    pub name: String,
    /// The type of every present value.
    pub ty: Type,
    /// Whether a value may be absent.
    pub optional: bool,
}

/// The columns of a block, in order. The event time is not one of them: every block has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Schema {
    fields: Vec<Field>,
}

/// Why a text is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field lacks its type.
    #[error("field {0:?} has no type: write `name:type`")]
    NoType(String),
    /// A type that does not exist.
    #[error("field {name:?} has unknown type {ty:?} (bool, i32, i64, f64, string or bytes, with ? when optional)")]
    UnknownType {
        /// The field.
        name: String,
        /// What stood where the type belongs.
        ty: String,
    },
    /// A name that cannot be written in the text form.
    #[error("field name {0:?} may only hold letters, digits, `_`, `.`, `$` and `-`")]
    BadName(String),
    /// Two fields of one name.
    #[error("field {0:?} stands twice")]
    Duplicate(String),
    /// More than [`COLUMNS_MAX`] fields.
    #[error("{0} fields are more than {COLUMNS_MAX}")]
    TooMany(usize),
}

impl Schema {
    /// A schema of these fields, if their names are well formed and unique.
    pub fn new(fields: Vec<Field>) -> Result<Schema, Error> {
        if fields.len() > COLUMNS_MAX {
            return Err(Error::TooMany(fields.len()));
        }
        for (i, field) in fields.iter().enumerate() {
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | '-');
            if field.name.is_empty() || !field.name.chars().all(legal) {
                return Err(Error::BadName(field.name.clone()));
            }
            if fields[..i].iter().any(|f| f.name == field.name) {
                return Err(Error::Duplicate(field.name.clone()));
            }
        }
        Ok(Schema { fields })
    }

    /// The fields in column order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The column index of a field.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// XXH3-64 of the text form: equal schemas have equal ids in every language and release.
    pub fn id(&self) -> u64 {
        xxh3_64(self.to_string().as_bytes())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.fields.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let mark = if field.optional { "?" } else { "" };
            write!(f, "{comma}{}:{}{mark}", field.name, field.ty.name())?;
        }
        Ok(())
    }
}

impl FromStr for Schema {
    type Err = Error;

    fn from_str(text: &str) -> Result<Schema, Error> {
        let mut fields = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (name, ty) = part.rsplit_once(':').ok_or_else(|| Error::NoType(part.to_owned()))?;
            let (bare, optional) = ty.strip_suffix('?').map_or((ty, false), |bare| (bare, true));
            let ty = match bare {
                "bool" => Type::Bool,
                "i32" => Type::I32,
                "i64" => Type::I64,
                "f64" => Type::F64,
                "string" => Type::String,
                "bytes" => Type::Bytes,
                _ => return Err(Error::UnknownType { name: name.to_owned(), ty: ty.to_owned() }),
            };
            fields.push(Field { name: name.to_owned(), ty, optional });
        }
        Schema::new(fields)
    }
}

impl From<Schema> for String {
    fn from(schema: Schema) -> String {
        schema.to_string()
    }
}

impl TryFrom<String> for Schema {
    type Error = Error;

    fn try_from(text: String) -> Result<Schema, Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["", "a:i64", "sensor:string,celsius:f64?", "__key.0:bytes,$x:bool,y-z:i32?"] {
            assert_eq!(text.parse::<Schema>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn bad_texts_are_named() {
        let error = |text: &str| text.parse::<Schema>().expect_err(text).to_string();
        assert!(error("a").contains("no type"));
        assert!(error("a:u8").contains("unknown type \"u8\""));
        assert!(error("a b:i64").contains("may only hold"));
        assert!(error("a:i64,a:f64").contains("stands twice"));
        let many = vec!["a:i64"; COLUMNS_MAX + 1].iter().enumerate().map(|(i, _)| format!("c{i}:i64")).collect::<Vec<_>>();
        assert!(error(&many.join(",")).contains("more than 1024"));
    }
}
