//! Keys: their canonical bytes, their hash, their key group and the worker they live on (semantics.md #39).
//!
//! The encoding and the hash are part of the contract (`wit/…/block.md`), so that guests in every
//! language and every release agree on where a key lives.

use xxhash_rust::xxh3::xxh3_64;

use crate::block::{Block, Column, Value};
use crate::schema::{Schema, Type};

/// Key groups of a job: fixed when the job is first run, more than any sensible parallelism on one node.
pub const GROUPS: u32 = 256;

/// Appends the canonical encoding of one key field.
pub fn encode(value: Value<'_>, optional: bool, out: &mut Vec<u8>) {
    if optional {
        out.push(u8::from(value != Value::Absent));
    }
    match value {
        Value::Absent => {}
        Value::Bool(v) => out.push(u8::from(v)),
        Value::I32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::I64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::F64(v) => {
            let bits = match v {
                _ if v.is_nan() => 0x7ff8_0000_0000_0000,
                0.0 => 0,
                _ => v.to_bits(),
            };
            out.extend_from_slice(&bits.to_le_bytes());
        }
        Value::String(v) => encode_heap(v.as_bytes(), out),
        Value::Bytes(v) => encode_heap(v, out),
    }
}

fn encode_heap(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The values of a canonical key whose fields are `fields`, to show them; `None` when the bytes are not the key of such fields.
pub fn decode<'a>(key: &'a [u8], fields: &Schema) -> Option<Vec<Value<'a>>> {
    let mut rest = key;
    let values = fields.fields().iter().map(|field| decode_one(&mut rest, field.ty, field.optional)).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(values)
}

fn decode_one<'a>(rest: &mut &'a [u8], ty: Type, optional: bool) -> Option<Value<'a>> {
    if optional {
        match rest.split_off_first()? {
            0 => return Some(Value::Absent),
            1 => {}
            _ => return None,
        }
    }
    fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        rest.split_off(..N)?.try_into().ok()
    }
    fn heap<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(fixed(rest)?) as usize;
        rest.split_off(..length)
    }
    Some(match ty {
        Type::Bool => match fixed::<1>(rest)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return None,
        },
        Type::I32 => Value::I32(i32::from_le_bytes(fixed(rest)?)),
        Type::I64 => Value::I64(i64::from_le_bytes(fixed(rest)?)),
        Type::F64 => Value::F64(f64::from_le_bytes(fixed(rest)?)),
        Type::String => Value::String(std::str::from_utf8(heap(rest)?).ok()?),
        Type::Bytes => Value::Bytes(heap(rest)?),
    })
}

/// Appends the canonical key of a row: its key columns one after the other.
pub fn encode_row(block: &Block, row: usize, columns: &[usize], out: &mut Vec<u8>) {
    for &index in columns {
        let column = block.column(index);
        match column.ty() {
            // The bytes are what is encoded: no reason to look at them as text.
            Type::String | Type::Bytes if !column.optional() => encode_heap(column.bytes(row), out),
            _ => encode(column.value(row), column.optional(), out),
        }
    }
}

/// Calls `each(row, key)` with the canonical key of every row. The commonest keys, one i64 or one text, are read in
/// place or with one copy.
pub fn for_each(block: &Block, columns: &[usize], mut each: impl FnMut(usize, &[u8])) {
    let mut key = Vec::new();
    if let [one] = columns
        && !block.column(*one).optional()
    {
        let column = block.column(*one);
        match column.ty() {
            Type::I64 => {
                let cells = column.raw().as_chunks::<8>().0;
                return cells.iter().enumerate().for_each(|(row, cell)| each(row, cell));
            }
            Type::String | Type::Bytes => return for_each_text(column, block.rows(), each),
            _ => {}
        }
    }
    for row in 0..block.rows() {
        key.clear();
        encode_row(block, row, columns, &mut key);
        each(row, &key);
    }
}

/// Bytes of text that are put behind their length in one step. A copy of a length known beforehand is no call.
const SHORT: usize = 28;

fn for_each_text(column: Column<'_>, rows: usize, mut each: impl FnMut(usize, &[u8])) {
    let (ends, heap) = (&column.raw().as_chunks::<4>().0[1..], column.heap());
    let (mut short, mut long) = ([0; 4 + SHORT], Vec::new());
    let mut start = 0;
    for (row, end) in ends[..rows].iter().enumerate() {
        let end = u32::from_le_bytes(*end) as usize;
        let len = end - start;
        match heap[start..].first_chunk::<SHORT>() {
            Some(text) if len <= SHORT => {
                short[..4].copy_from_slice(&(len as u32).to_le_bytes());
                short[4..].copy_from_slice(text);
                each(row, &short[..4 + len]);
            }
            _ => {
                long.clear();
                encode_heap(&heap[start..end], &mut long);
                each(row, &long);
            }
        }
        start = end;
    }
}

/// The hash of a canonical key.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The key group of a hash.
#[inline]
pub fn group(hash: u64) -> u32 {
    (hash % u64::from(GROUPS)) as u32
}

/// The worker that owns a key group at this parallelism.
#[inline]
pub fn worker(group: u32, parallelism: usize) -> usize {
    group as usize * parallelism / GROUPS as usize
}

/// The key groups that a worker owns at this parallelism; none beyond it.
pub fn groups(worker: usize, parallelism: usize) -> std::ops::Range<u32> {
    if worker >= parallelism {
        return 0..0;
    }
    let first = |worker: usize| (worker * GROUPS as usize).div_ceil(parallelism) as u32;
    first(worker)..first(worker + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_a_worker_and_every_worker_a_group() {
        for parallelism in 1..=GROUPS as usize {
            let mut seen = vec![false; parallelism];
            let mut last = 0;
            for g in 0..GROUPS {
                let w = worker(g, parallelism);
                assert!(w >= last, "groups lie in ranges");
                (seen[w], last) = (true, w);
                assert!(groups(w, parallelism).contains(&g));
            }
            assert_eq!((0..parallelism).map(|w| groups(w, parallelism).len()).sum::<usize>(), GROUPS as usize);
            assert!(groups(parallelism, parallelism).is_empty());
            assert!(seen.into_iter().all(|s| s));
        }
    }

    #[test]
    fn a_key_is_decoded_to_what_was_encoded_and_nothing_else_is_a_key() {
        let fields: Schema = "a:bool,b:i32,c:i64?,d:f64,e:string?,f:bytes".parse().unwrap();
        let values = [Value::Bool(true), Value::I32(-7), Value::Absent, Value::F64(2.5), Value::String("größe"), Value::Bytes(&[0, 9])];
        let mut key = Vec::new();
        for (value, field) in values.iter().zip(fields.fields()) {
            encode(*value, field.optional, &mut key);
        }
        assert_eq!(decode(&key, &fields).unwrap(), values);
        for length in 0..key.len() {
            assert_eq!(decode(&key[..length], &fields), None, "the first {length} bytes");
        }
        assert_eq!(decode(&[&key[..], &[0]].concat(), &fields), None, "a byte too many");
        assert_eq!(decode(&[2], &"a:bool".parse().unwrap()), None, "no bool");
        assert_eq!(decode(&[2, 0], &"a:bool?".parse().unwrap()), None, "neither absent nor present");
        assert_eq!(decode(&[1, 0, 0, 0, 0xff], &"a:string".parse().unwrap()), None, "no text");
    }

    #[test]
    fn texts_read_in_place_have_the_keys_of_their_rows() {
        let schema = "t:string".parse().expect("a schema");
        let mut builder = crate::block::Builder::new(&schema);
        let text = "0123456789".repeat(6);
        // Short ones, long ones, and short ones so near the end of the heap that less than `SHORT` bytes follow.
        for len in (0..=text.len()).chain(0..SHORT) {
            builder.push_time(0);
            builder.column(0).push_str(&text[..len]);
        }
        let block = builder.finish().expect("rows");
        let mut rows = 0;
        for_each(&block, &[0], |row, key| {
            let mut expected = Vec::new();
            encode_row(&block, row, &[0], &mut expected);
            assert_eq!((row, key), (rows, &expected[..]));
            rows += 1;
        });
        assert_eq!(rows, block.rows());
    }

    #[test]
    fn numbers_that_are_equal_have_equal_keys() {
        let key = |v: f64| {
            let mut out = Vec::new();
            encode(Value::F64(v), false, &mut out);
            out
        };
        assert_eq!(key(0.0), key(-0.0));
        assert_eq!(key(f64::NAN), key(-f64::NAN));
        assert_ne!(key(1.0), key(2.0));
    }
}
