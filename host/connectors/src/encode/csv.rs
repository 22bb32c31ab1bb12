//! Comma-separated values, quoted by RFC 4180 only where they must be; an absent value is an empty cell.

use tidemill_core::schema::Type;

use super::Cells;

/// Appends the rows.
pub(super) fn rows(cells: &[Cells<'_>], rows: usize, out: &mut Vec<u8>) {
    for row in 0..rows {
        let start = out.len();
        for (place, cell) in cells.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if !cell.column.present(row) {
                continue;
            }
            match cell.ty {
                Type::String | Type::Bytes if !cell.clean => text(cell.column.bytes(row), out),
                _ => cell.scalar(row, out),
            }
        }
        if out.len() == start && !cells.is_empty() {
            // Readers skip an empty line, and with it the record.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
    }
}

/// Whether text can be a cell as it is.
pub(super) fn is_clean(text: &[u8]) -> bool {
    // Added up as bytes: with bools the compiler makes a table of the four and gives up its vectors.
    let odd = |b: u8| u8::from(b == b',') | u8::from(b == b'"') | u8::from(b == b'\n') | u8::from(b == b'\r');
    text.chunks(4096).all(|piece| piece.iter().fold(0, |any, &b| any | odd(b)) == 0)
}

/// Appends a cell, in quotes when it needs them.
pub(super) fn text(text: &[u8], out: &mut Vec<u8>) {
    if is_clean(text) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
