//! Blocks into bytes: JSON lines, CSV and text.
//!
//! Columns are looked up once per block, then rows are written straight into the caller's buffer. Columns whose names begin
//! with `$` are the engine's own and appear in no format; the event time appears only where it is a column.

mod csv;
mod decimal;
mod json;

use tidemill_core::block::{Block, Column};
use tidemill_core::plan::Format;
use tidemill_core::schema::{Schema, Type};

/// Writes blocks of one schema in one format. See the module.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    format: Format,
    columns: Vec<Visible>,
}

/// A column that is written.
#[derive(Clone, Debug)]
struct Visible {
    index: usize,
    name: String,
    /// What stands before its value in JSON: `{"name":` or `,"name":`.
    lead: Vec<u8>,
}

/// A column of the block at hand.
struct Cells<'a> {
    column: Column<'a>,
    ty: Type,
    raw: &'a [u8],
    heap: &'a [u8],
    lead: &'a [u8],
    /// No value of the column needs escapes (JSON) or quotes (CSV).
    clean: bool,
}

impl Encoder {
    pub(crate) fn new(schema: &Schema, format: Format) -> Encoder {
        let mut columns: Vec<Visible> = Vec::new();
        for (index, field) in schema.fields().iter().enumerate().filter(|(_, f)| !f.name.starts_with('$')) {
            let mut lead = vec![if columns.is_empty() { b'{' } else { b',' }];
            json::string(field.name.as_bytes(), &mut lead);
            lead.push(b':');
            columns.push(Visible { index, name: field.name.clone(), lead });
        }
        Encoder { format, columns }
    }

    /// The header line of a CSV output; nothing for other formats.
    pub(crate) fn header(&self, out: &mut Vec<u8>) {
        if self.format != Format::Csv {
            return;
        }
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            csv::text(column.name.as_bytes(), out);
        }
        out.push(b'\n');
    }

    /// Appends every row of the block.
    pub(crate) fn rows(&self, block: &Block, out: &mut Vec<u8>) {
        let taken = if self.format == Format::Text { 1 } else { usize::MAX };
        let cells: Vec<Cells<'_>> = self.columns.iter().take(taken).map(|visible| self.cells(block, visible)).collect();
        match self.format {
            Format::Json => json::rows(&cells, block.rows(), out),
            Format::Csv => csv::rows(&cells, block.rows(), out),
            Format::Text => text_rows(&cells, block.rows(), out),
        }
    }

    fn cells<'a>(&'a self, block: &'a Block, visible: &'a Visible) -> Cells<'a> {
        let column = block.column(visible.index);
        let clean = match (self.format, column.ty()) {
            (Format::Json, Type::String) => json::is_clean(column.heap()),
            (Format::Csv, Type::String | Type::Bytes) => csv::is_clean(column.heap()),
            _ => true,
        };
        Cells { column, ty: column.ty(), raw: column.raw(), heap: column.heap(), lead: &visible.lead, clean }
    }
}

impl Cells<'_> {
    #[inline]
    fn i64(&self, row: usize) -> i64 {
        i64::from_le_bytes(self.raw.as_chunks().0[row])
    }

    fn i32(&self, row: usize) -> i32 {
        i32::from_le_bytes(self.raw.as_chunks().0[row])
    }

    fn f64(&self, row: usize) -> f64 {
        f64::from_le_bytes(self.raw.as_chunks().0[row])
    }

    fn bool(&self, row: usize) -> &'static [u8] {
        if self.raw[row] != 0 { b"true" } else { b"false" }
    }

    /// Appends a bool, integer or finite number; text is the format's own matter.
    #[inline]
    fn scalar(&self, row: usize, out: &mut Vec<u8>) {
        match self.ty {
            Type::Bool => out.extend_from_slice(self.bool(row)),
            Type::I32 => decimal::push(self.i32(row).into(), out),
            Type::I64 => decimal::push(self.i64(row), out),
            Type::F64 => out.extend_from_slice(zmij::Buffer::new().format(self.f64(row)).as_bytes()),
            Type::String | Type::Bytes => self.text(row, out),
        }
    }

    /// Appends text as it is.
    #[inline]
    fn text(&self, row: usize, out: &mut Vec<u8>) {
        let ends = self.raw.as_chunks::<4>().0;
        let (start, end) = (u32::from_le_bytes(ends[row]) as usize, u32::from_le_bytes(ends[row + 1]) as usize);
        match self.heap[start..].first_chunk::<STEP>() {
            Some(step) if end - start <= STEP => {
                let at = out.len() + end - start;
                out.extend_from_slice(step);
                out.truncate(at);
            }
            _ => out.extend_from_slice(&self.heap[start..end]),
        }
    }
}

/// Bytes of a text that are copied in one step, also when it is shorter: a copy of a length known beforehand is no call.
const STEP: usize = 32;

/// The first column as it is, a row a line.
fn text_rows(cells: &[Cells<'_>], rows: usize, out: &mut Vec<u8>) {
    for row in 0..rows {
        if let Some(cell) = cells.first().filter(|c| c.column.present(row)) {
            cell.scalar(row, out);
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemill_core::block::Builder;

    fn block(schema: &Schema, fill: impl Fn(&mut Builder)) -> Block {
        let mut builder = Builder::new(schema);
        fill(&mut builder);
        builder.push_time(7);
        builder.finish().unwrap()
    }

    fn encoded(schema: &Schema, format: Format, block: &Block) -> String {
        let mut out = Vec::new();
        Encoder::new(schema, format).rows(block, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_type_in_every_format() {
        let schema: Schema = "s:string,b:bool,i:i32,l:i64,f:f64,o:i64?,$k:i64,y:bytes".parse().unwrap();
        let one = block(&schema, |b| {
            b.column(0).push_str("say \"hi\", x");
            b.column(1).push_bool(true);
            b.column(2).push_i32(-5);
            b.column(3).push_i64(i64::MIN);
            b.column(4).push_f64(1.0);
            b.column(5).push_absent();
            b.column(6).push_i64(99);
            b.column(7).push_bytes(b"raw");
        });
        let json = "{\"s\":\"say \\\"hi\\\", x\",\"b\":true,\"i\":-5,\"l\":-9223372036854775808,\"f\":1.0,\"o\":null,\"y\":\"raw\"}\n";
        assert_eq!(encoded(&schema, Format::Json, &one), json);
        assert_eq!(encoded(&schema, Format::Csv, &one), "\"say \"\"hi\"\", x\",true,-5,-9223372036854775808,1.0,,raw\n");
        assert_eq!(encoded(&schema, Format::Text, &one), "say \"hi\", x\n");
        let mut header = Vec::new();
        Encoder::new(&schema, Format::Csv).header(&mut header);
        assert_eq!(header, b"s,b,i,l,f,o,y\n");
    }

    #[test]
    fn numbers_that_json_does_not_have_are_null() {
        let schema: Schema = "f:f64".parse().unwrap();
        let nan = block(&schema, |b| b.column(0).push_f64(f64::NAN));
        assert_eq!(encoded(&schema, Format::Json, &nan), "{\"f\":null}\n");
        assert_eq!(encoded(&schema, Format::Csv, &nan), "NaN\n");
    }

    #[test]
    fn rows_without_visible_columns_are_still_rows() {
        let schema: Schema = "$k:i64".parse().unwrap();
        let one = block(&schema, |b| b.column(0).push_i64(1));
        assert_eq!(encoded(&schema, Format::Json, &one), "{}\n");
        assert_eq!(encoded(&schema, Format::Csv, &one), "\n");
        assert_eq!(encoded(&schema, Format::Text, &one), "\n");
    }

    #[test]
    fn an_empty_cell_alone_in_its_row_is_quoted() {
        let schema: Schema = "s:string".parse().unwrap();
        let empty = block(&schema, |b| b.column(0).push_str(""));
        assert_eq!(encoded(&schema, Format::Csv, &empty), "\"\"\n");
    }

    proptest! {
        #[test]
        fn json_agrees_with_serde_json(s in "\\PC{0,20}|[\\x00-\\x7f]{0,20}", l: i64, f in proptest::num::f64::NORMAL) {
            let schema: Schema = "s:string,l:i64,f:f64".parse().unwrap();
            let one = block(&schema, |b| {
                b.column(0).push_str(&s);
                b.column(1).push_i64(l);
                b.column(2).push_f64(f);
            });
            let expected = format!("{{\"s\":{},\"l\":{l},\"f\":{}}}\n", serde_json::to_string(&s).unwrap(), serde_json::to_string(&f).unwrap());
            prop_assert_eq!(encoded(&schema, Format::Json, &one), expected);
        }

        #[test]
        fn csv_reads_back(a in "[a-c,\"\\n\\r ]{0,8}", b in "[a-c,\"\\n\\r ]{0,8}") {
            let schema: Schema = "a:string,b:string".parse().unwrap();
            let one = block(&schema, |to| {
                to.column(0).push_str(&a);
                to.column(1).push_str(&b);
            });
            let text = encoded(&schema, Format::Csv, &one);
            let (mut out, mut ends) = ([0; 64], [0; 4]);
            let (_, _, _, cells) = csv_core::Reader::new().read_record(text.as_bytes(), &mut out, &mut ends);
            prop_assert_eq!(cells, 2);
            prop_assert_eq!(&out[..ends[0]], a.as_bytes());
            prop_assert_eq!(&out[ends[0]..ends[1]], b.as_bytes());
        }
    }
}
