//! Random blocks of random schemas, made by the host's builder, and what a block holds as text: a line is a row, its time and then its cells.

use std::fmt::Write;

use tidemill_core::block::{Block, Builder, ColumnBuilder, Value};
use tidemill_core::schema::{Field, Schema, Type};

const TYPES: [Type; 6] = [Type::Bool, Type::I32, Type::I64, Type::F64, Type::String, Type::Bytes];
const NUMBERS: [i64; 9] = [0, 1, -1, i32::MAX as i64, i32::MIN as i64, 1 << 53, -(1 << 53) - 1, i64::MAX, i64::MIN];
/// The last ones are NaNs that carry something, the very last one a signalling one.
const FLOATS: [u64; 10] = [
    0,
    1 << 63,
    0x3ff8_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    1,
    0x7fef_ffff_ffff_ffff,
    NAN,
    0xfff8_0000_0000_0007,
    0x7ff0_0000_0000_0001,
];
const NAN: u64 = 0x7ff8_0000_0000_0000;
/// A mark of byte order and a zero are characters like all others.
const LETTERS: [&str; 5] = ["", "abc ,\"\n\0", "潮汐磨坊ü", "🌊🌀", "aü潮🌊\u{10ffff}\u{feff}"];

/// splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn number(&mut self) -> i64 {
        if self.below(2) == 0 { self.pick(&NUMBERS) } else { self.bits().cast_signed() }
    }

    /// Mostly short; some are longer than anything that a codec holds in a buffer of fixed size.
    fn length(&mut self) -> usize {
        let limit = if self.below(60) > 0 { 12 } else { self.pick(&[300, 5_000, 70_000]) };
        self.below(limit)
    }

    fn text(&mut self) -> String {
        let (letters, length) = (self.pick(&LETTERS).chars().collect::<Vec<_>>(), self.length());
        if letters.is_empty() { String::new() } else { (0..length).map(|_| self.pick(&letters)).collect() }
    }

    fn push(&mut self, column: &mut ColumnBuilder, one_nan: bool) {
        match column.ty() {
            Type::Bool => column.push_bool(self.below(2) == 0),
            Type::I32 => column.push_i32(self.number() as i32),
            Type::I64 => column.push_i64(self.number()),
            Type::F64 => {
                let number = f64::from_bits(if self.below(2) == 0 { self.pick(&FLOATS) } else { self.bits() });
                column.push_f64(if one_nan && number.is_nan() { f64::from_bits(NAN) } else { number });
            }
            Type::String => column.push_str(&self.text()),
            Type::Bytes => column.push_bytes(&(0..self.length()).map(|_| self.bits() as u8).collect::<Vec<_>>()),
        }
    }
}

/// A block and its schema.
pub(crate) struct Table {
    pub(crate) schema: Schema,
    pub(crate) block: Block,
}

impl Table {
    pub(crate) fn random(random: &mut Random, one_nan: bool) -> Table {
        let columns = if random.below(30) == 0 { 40 } else { random.below(9) };
        let field = |at| Field {
            name: format!("{}{at}", random.pick(&["c", "a_long_name_", "N"])),
            ty: random.pick(&TYPES),
            optional: random.below(2) == 0,
        };
        let schema = Schema::new((0..columns).map(field).collect()).unwrap();
        // In tenths: columns of which most is there, most is absent, and nothing is there.
        let gaps: Vec<usize> = schema.fields().iter().map(|field| if field.optional { random.pick(&[1, 9, 10]) } else { 0 }).collect();
        let rows = match random.below(40) {
            0 | 1 => 0,
            2 => 1_000,
            _ => 1 + random.below(40),
        };
        let mut builder = Builder::new(&schema);
        for _ in 0..rows {
            builder.push_time(random.number());
            for (column, gap) in builder.columns_mut().iter_mut().zip(&gaps) {
                if random.below(10) < *gap { column.push_absent() } else { random.push(column, one_nan) }
            }
        }
        let block = builder.finish().unwrap_or_else(|| empty(&schema));
        Table { schema, block }
    }

    /// What a program is given.
    pub(crate) fn parts(&self) -> Vec<u8> {
        let schema = self.schema.to_string();
        let part = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
        [part(schema.as_bytes()), part(self.block.as_bytes())].concat()
    }
}

/// A block without rows, which the builder does not make since the host hands none over. Text and bytes have one offset, and a gap behind it.
fn empty(schema: &Schema) -> Block {
    let mut bytes =
        [b"TBLK".as_slice(), &[1, 0], &(schema.fields().len() as u16).to_le_bytes(), &[0; 8], &schema.id().to_le_bytes(), &[0; 8]].concat();
    let mut at = 32 + 16 * schema.fields().len() as u32;
    for field in schema.fields() {
        let validity = if field.optional { at } else { 0 };
        let (data, variable) = (at, field.ty.width().is_none());
        at += if variable { 8 } else { 0 };
        bytes.extend([field.ty as u8, u8::from(field.optional), 0, 0]);
        bytes.extend([validity, data, if variable { at } else { 0 }].iter().flat_map(|offset| offset.to_le_bytes()));
    }
    bytes.resize(at as usize, 0);
    bytes[12..16].copy_from_slice(&at.to_le_bytes());
    Block::from_bytes(bytes, schema).unwrap()
}

/// The block that the host's builder makes of the cells of another.
pub(crate) fn rebuilt(block: &Block, schema: &Schema) -> Block {
    let mut builder = Builder::new(schema);
    for row in 0..block.rows() {
        builder.push_time(block.time(row));
        for (index, column) in builder.columns_mut().iter_mut().enumerate() {
            match block.column(index).value(row) {
                Value::Absent => column.push_absent(),
                Value::Bool(value) => column.push_bool(value),
                Value::I32(value) => column.push_i32(value),
                Value::I64(value) => column.push_i64(value),
                Value::F64(value) => column.push_f64(value),
                Value::String(value) => column.push_str(value),
                Value::Bytes(value) => column.push_bytes(value),
            }
        }
    }
    builder.finish().unwrap_or_else(|| empty(schema))
}

/// The rows of a block as text: an f64 as its bits, texts and bytes in hexadecimal behind a quote.
pub(crate) fn told(block: &Block) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut text = String::new();
    for row in 0..block.rows() {
        write!(text, "{}", block.time(row)).unwrap();
        for column in 0..block.columns() {
            match block.column(column).value(row) {
                Value::Absent => write!(text, " -"),
                Value::Bool(value) => write!(text, " {}", if value { 't' } else { 'f' }),
                Value::I32(value) => write!(text, " {value}"),
                Value::I64(value) => write!(text, " {value}"),
                Value::F64(value) => write!(text, " {:016x}", value.to_bits()),
                Value::String(value) => write!(text, " \"{}", hex(value.as_bytes())),
                Value::Bytes(value) => write!(text, " \"{}", hex(value)),
            }
            .unwrap();
        }
        text.push('\n');
    }
    text
}

/// The parts of a file, each behind its length.
pub(crate) fn cut(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (part, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        parts.push(part);
        bytes = rest;
    }
    parts
}
