//! Blocks against models: what goes in comes out, whatever the schema, and no bytes from outside can make a reader panic.

#![allow(clippy::unwrap_used)]

mod cells;

use cells::{Cell, Row, build, push_row, read};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tidemill_core::block::{Block, Builder, concat, gather};
use tidemill_core::schema::{Field, Schema, Type};

const TYPES: [Type; 6] = [Type::Bool, Type::I32, Type::I64, Type::F64, Type::String, Type::Bytes];

fn schemas() -> impl Strategy<Value = Schema> {
    vec((select(&TYPES[..]), any::<bool>()), 0..6).prop_map(|columns| {
        let field = |(i, (ty, optional)): (usize, (Type, bool))| Field { name: format!("c{i}"), ty, optional };
        Schema::new(columns.into_iter().enumerate().map(field).collect()).unwrap()
    })
}

fn cell(field: &Field) -> BoxedStrategy<Cell> {
    let present = match field.ty {
        Type::Bool => any::<bool>().prop_map(Cell::Bool).boxed(),
        Type::I32 => any::<i32>().prop_map(Cell::I32).boxed(),
        Type::I64 => any::<i64>().prop_map(Cell::I64).boxed(),
        Type::F64 => any::<u64>().prop_map(Cell::F64).boxed(),
        Type::String => "\\PC{0,12}".prop_map(Cell::String).boxed(),
        Type::Bytes => vec(any::<u8>(), 0..20).prop_map(Cell::Bytes).boxed(),
    };
    if field.optional { prop_oneof![1 => Just(Cell::Absent), 3 => present].boxed() } else { present }
}

fn rows_of(schema: &Schema, count: std::ops::Range<usize>) -> BoxedStrategy<Vec<Row>> {
    let cells: Vec<_> = schema.fields().iter().map(cell).collect();
    vec((any::<i64>(), cells), count).boxed()
}

fn tables() -> impl Strategy<Value = (Schema, Vec<Row>)> {
    schemas().prop_flat_map(|schema| rows_of(&schema, 1..30).prop_map(move |rows| (schema.clone(), rows)))
}

/// What happens to a block between its writer and its reader.
#[derive(Clone, Debug)]
enum Damage {
    /// Any byte becomes any other.
    Byte(Index, u8),
    /// A byte of the header or the column table does, where it hurts most.
    Head(Index, u8),
    /// A u32 anywhere, aligned, takes an odd value.
    Word(Index, u32),
    /// The end is cut off, and the length says so.
    Cut(Index),
    /// Zeros are appended, and the length says so.
    Extend(u8),
}

fn damages() -> impl Strategy<Value = Damage> {
    let words = prop_oneof![0u32..80, Just(u32::MAX), Just(1 << 20), Just(1 << 31), any::<u32>()];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, v)| Damage::Byte(at, v)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, v)| Damage::Head(at, v)),
        (any::<Index>(), words).prop_map(|(at, v)| Damage::Word(at, v)),
        any::<Index>().prop_map(Damage::Cut),
        (1u8..20).prop_map(Damage::Extend),
    ]
}

fn damage(bytes: &mut Vec<u8>, damage: &Damage, columns: usize) {
    match damage {
        Damage::Byte(at, value) => {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        Damage::Head(at, value) => {
            let at = at.index(bytes.len().min(32 + 16 * columns));
            bytes[at] = *value;
        }
        Damage::Word(at, value) if bytes.len() >= 4 => {
            let at = 4 * at.index(bytes.len() / 4);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        Damage::Word(..) => {}
        Damage::Cut(at) => {
            let len = 8 * at.index(bytes.len() / 8) + 8;
            bytes.truncate(len);
            state_length(bytes);
        }
        Damage::Extend(more) => {
            bytes.resize(bytes.len() + 8 * usize::from(*more), 0);
            state_length(bytes);
        }
    }
}

fn state_length(bytes: &mut [u8]) {
    let length = (bytes.len() as u32).to_le_bytes();
    if bytes.len() >= 16 {
        bytes[12..16].copy_from_slice(&length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_goes_in_comes_out((schema, rows) in tables()) {
        let block = build(&schema, &rows).unwrap();
        prop_assert_eq!(&read(&block), &rows);
        let again = Block::from_bytes(block.as_bytes().to_vec(), &schema).unwrap();
        prop_assert_eq!(read(&again), rows);
        prop_assert_eq!(again.as_bytes(), block.as_bytes());
    }

    #[test]
    fn damaged_bytes_are_refused_or_readable((schema, rows) in tables(), harm in vec(damages(), 1..4)) {
        let mut bytes = build(&schema, &rows).unwrap().as_bytes().to_vec();
        harm.iter().for_each(|d| damage(&mut bytes, d, schema.fields().len()));
        if let Ok(block) = Block::from_bytes(bytes, &schema) {
            read(&block);
        }
    }

    #[test]
    fn random_bytes_behind_a_good_header_are_refused_or_readable(
        schema in schemas(), rows in 0u32..40, mut tail in vec(any::<u64>(), 0..60),
    ) {
        let columns = schema.fields().len();
        tail.truncate(60);
        let mut bytes = b"TBLK\x01\0".to_vec();
        bytes.extend((columns as u16).to_le_bytes());
        bytes.extend(rows.to_le_bytes());
        bytes.extend([0; 20]);
        bytes.extend(tail.iter().flat_map(|w| w.to_le_bytes()));
        state_length(&mut bytes);
        if let Ok(block) = Block::from_bytes(bytes, &schema) {
            read(&block);
        }
    }

    #[test]
    fn gathering_is_indexing((schema, rows) in tables(), picks in vec(any::<Index>(), 0..40)) {
        let block = build(&schema, &rows).unwrap();
        let picks: Vec<u32> = picks.iter().map(|p| p.index(rows.len()) as u32).collect();
        let expected: Vec<Row> = picks.iter().map(|&i| rows[i as usize].clone()).collect();
        let gathered = gather(&block, &picks, &schema);
        prop_assert_eq!(gathered, build(&schema, &expected));
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        prop_assert_eq!(gather(&block, &all, &schema), Some(block));
    }

    #[test]
    fn concatenating_is_appending(
        (schema, parts) in schemas().prop_flat_map(|s| vec(rows_of(&s, 1..8), 0..5).prop_map(move |parts| (s.clone(), parts))),
    ) {
        let blocks: Vec<Block> = parts.iter().map(|rows| build(&schema, rows).unwrap()).collect();
        let joined = concat(&blocks, &schema);
        prop_assert_eq!(joined, build(&schema, &parts.concat()));
    }

    #[test]
    fn a_truncated_builder_has_never_seen_the_rest(
        (schema, rows) in tables(), keep in any::<Index>(), half in any::<Index>(), more in any::<bool>(),
    ) {
        let keep = keep.index(rows.len() + 1);
        let mut builder = Builder::new(&schema);
        rows.iter().for_each(|row| push_row(&mut builder, row));
        // A row that turns out bad halfway: some columns and perhaps the time are pushed, others are not.
        let filled = half.index(schema.fields().len() + 1);
        for (index, cell) in rows[0].1.iter().enumerate().take(filled) {
            cell.push(builder.column(index));
        }
        builder.truncate(keep);
        prop_assert_eq!(builder.rows(), keep);
        let mut expected = rows[..keep].to_vec();
        if more {
            push_row(&mut builder, &rows[0]);
            expected.push(rows[0].clone());
        }
        let size = builder.size();
        let block = builder.finish();
        prop_assert!(block.as_ref().is_none_or(|b| b.as_bytes().len() <= size));
        prop_assert_eq!(block, build(&schema, &expected));
        prop_assert!(builder.finish().is_none(), "a finished builder is empty");
    }
}
