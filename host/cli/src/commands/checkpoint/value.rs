//! Cells, keys and namespaces as JSON, and a key as it is typed.

use serde_json::{Value as Json, json};
use tidemill_core::block::Value;
use tidemill_core::key;
use tidemill_core::schema::{Field, Schema, Type};

use crate::fault::{Fault, Outcome};

/// `0x` and the bytes.
pub(super) fn bytes_shown(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A cell. A number that JSON has no word for is text.
pub(super) fn cell(value: Value<'_>) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Bool(v) => json!(v),
        Value::I32(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::F64(v) if v.is_finite() => json!(v),
        Value::F64(v) => json!(v.to_string()),
        Value::String(v) => json!(v),
        Value::Bytes(v) => json!(bytes_shown(v)),
    }
}

/// A key by its fields.
pub(super) fn fields(schema: &Schema, values: &[Value<'_>]) -> Json {
    Json::Object(schema.fields().iter().zip(values).map(|(field, value)| (field.name.clone(), cell(*value))).collect())
}

/// What state is of besides its key; none for nothing. Eight bytes are the number that windows are told apart by.
pub(super) fn namespace(bytes: &[u8]) -> Option<Json> {
    match (bytes, <[u8; 8]>::try_from(bytes)) {
        ([], _) => None,
        (_, Ok(number)) => Some(json!(i64::from_le_bytes(number))),
        _ => Some(json!(bytes_shown(bytes))),
    }
}

/// The canonical bytes of a key as it was typed.
pub(super) fn key_bytes(text: &str, schema: Option<&Schema>) -> Outcome<Vec<u8>> {
    let Some(schema) = schema else {
        let unknown = || {
            Fault::usage("the fields of this operator's key are not known").hint("write 0x and the bytes of the key, as `read` shows it")
        };
        return text.strip_prefix("0x").and_then(hexadecimal).ok_or_else(unknown);
    };
    let wrong = || {
        let example = if schema.fields().len() == 1 { "its value" } else { "a JSON array of their values" };
        Fault::usage(format!("{text:?} is no key of {schema}")).hint(format!("write {example}"))
    };
    let values = match schema.fields() {
        [one] => vec![typed(text, one)],
        fields => match serde_json::from_str::<Vec<Json>>(text) {
            Ok(values) if values.len() == fields.len() => values,
            _ => return Err(wrong()),
        },
    };
    let mut bytes = Vec::new();
    for (value, field) in values.iter().zip(schema.fields()) {
        encode(value, field, &mut bytes).ok_or_else(wrong)?;
    }
    Ok(bytes)
}

/// The one field of a key as it was typed: text needs no quotes.
fn typed(text: &str, field: &Field) -> Json {
    match field.ty {
        Type::String | Type::Bytes if text != "null" || !field.optional => json!(text),
        _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    }
}

fn encode(value: &Json, field: &Field, out: &mut Vec<u8>) -> Option<()> {
    let heap;
    let value = match (value, field.ty) {
        (Json::Null, _) if field.optional => Value::Absent,
        (Json::Bool(v), Type::Bool) => Value::Bool(*v),
        (Json::Number(v), Type::I32) => Value::I32(v.as_i64()?.try_into().ok()?),
        (Json::Number(v), Type::I64) => Value::I64(v.as_i64()?),
        (Json::Number(v), Type::F64) => Value::F64(v.as_f64()?),
        (Json::String(v), Type::F64) => Value::F64(v.parse().ok()?),
        (Json::String(v), Type::String) => Value::String(v),
        (Json::String(v), Type::Bytes) => {
            heap = hexadecimal(v.strip_prefix("0x")?)?;
            Value::Bytes(&heap)
        }
        _ => return None,
    };
    key::encode(value, field.optional, out);
    Some(())
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes().chunks(2).map(|pair| Some((digit(&pair[0])? << 4) | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str, schema: &str) -> Option<Vec<u8>> {
        key_bytes(text, Some(&schema.parse().unwrap())).ok()
    }

    #[test]
    fn a_key_is_typed_as_it_is_shown() {
        for (text, schema, shown) in [
            ("blue", "word:string", json!({"word": "blue"})),
            ("7", "word:string", json!({"word": "7"})),
            ("null", "word:string?", json!({"word": null})),
            ("-7", "id:i64", json!({"id": -7})),
            ("7", "id:i32?", json!({"id": 7})),
            ("NaN", "x:f64", json!({"x": "NaN"})),
            ("true", "b:bool", json!({"b": true})),
            ("0x00ff", "raw:bytes", json!({"raw": "0x00ff"})),
            ("0x00ff", "word:string", json!({"word": "0x00ff"})),
            (r#"["blue", 7, "0x00ff"]"#, "word:string,id:i64,raw:bytes", json!({"word": "blue", "id": 7, "raw": "0x00ff"})),
        ] {
            let schema: Schema = schema.parse().unwrap();
            let bytes = key_bytes(text, Some(&schema)).unwrap();
            assert_eq!(fields(&schema, &key::decode(&bytes, &schema).unwrap()), shown);
            assert_eq!(key_bytes(&bytes_shown(&bytes), None).unwrap(), bytes, "where the fields are not known");
        }
    }

    #[test]
    fn what_is_no_key_is_said() {
        assert_eq!(parsed("blue", "id:i64"), None);
        assert_eq!(parsed("3000000000", "id:i32"), None);
        assert_eq!(parsed("null", "id:i64"), None);
        assert_eq!(parsed("blue", "a:string,b:string"), None);
        assert_eq!(parsed(r#"["blue"]"#, "a:string,b:string"), None);
        assert_eq!(parsed("xyz", "raw:bytes"), None);
        assert_eq!(parsed("0x123", "id:i64"), None);
        for text in ["blue", "0xblue", "0x1"] {
            assert!(key_bytes(text, None).unwrap_err().hint.unwrap().contains("0x"));
        }
    }

    #[test]
    fn a_namespace_of_eight_bytes_is_a_number() {
        assert_eq!(namespace(&[]), None);
        assert_eq!(namespace(&(-5i64).to_le_bytes()), Some(json!(-5)));
        assert_eq!(namespace(&[1, 255]), Some(json!("0x01ff")));
    }
}
