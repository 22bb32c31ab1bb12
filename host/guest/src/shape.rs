//! Types of the component model as text, to compare what a component exports with what the contract says.

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// Levels of a type that are written; the contract has four.
const DEPTH_MAX: usize = 8;

/// A function's type: `(u32, list<u8>) -> string`. Names of parameters are no part of it.
pub(crate) fn function(function: &ComponentFunc) -> String {
    let params: Vec<String> = function.params().map(|(_, ty)| value(&ty, DEPTH_MAX)).collect();
    let results: Vec<String> = function.results().map(|ty| value(&ty, DEPTH_MAX)).collect();
    let asynchronous = if function.async_() { "async " } else { "" };
    match results.is_empty() {
        true => format!("{asynchronous}({})", params.join(", ")),
        false => format!("{asynchronous}({}) -> {}", params.join(", "), results.join(", ")),
    }
}

fn value(ty: &Type, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else { return "…".to_owned() };
    let optional = |ty: Option<Type>| ty.map_or("_".to_owned(), |ty| value(&ty, depth));
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::List(list) => format!("list<{}>", value(&list.ty(), depth)),
        Type::Option(option) => format!("option<{}>", value(&option.ty(), depth)),
        Type::Result(result) => format!("result<{}, {}>", optional(result.ok()), optional(result.err())),
        Type::Enum(cases) => format!("enum {{{}}}", cases.names().collect::<Vec<_>>().join(", ")),
        Type::Record(record) => {
            let fields: Vec<String> = record.fields().map(|field| format!("{}: {}", field.name, value(&field.ty, depth))).collect();
            format!("record {{{}}}", fields.join(", "))
        }
        // The contract has no others, so their names are all that can matter.
        Type::Tuple(_) => "tuple".to_owned(),
        Type::Variant(_) => "variant".to_owned(),
        Type::Flags(_) => "flags".to_owned(),
        Type::Own(_) | Type::Borrow(_) => "resource".to_owned(),
        _ => "a type of another contract".to_owned(),
    }
}
