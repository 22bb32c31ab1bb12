//! One JSON object a line, with the schema's names; an absent value is null.

use tidemill_core::schema::Type;

use super::Cells;

/// Appends the rows.
pub(super) fn rows(cells: &[Cells<'_>], rows: usize, out: &mut Vec<u8>) {
    let end: &[u8] = if cells.is_empty() { b"{}\n" } else { b"}\n" };
    for row in 0..rows {
        for cell in cells {
            out.extend_from_slice(cell.lead);
            value(cell, row, out);
        }
        out.extend_from_slice(end);
    }
}

#[inline]
fn value(cell: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
    if !cell.column.present(row) {
        return out.extend_from_slice(b"null");
    }
    match cell.ty {
        Type::String if cell.clean => {
            out.push(b'"');
            cell.text(row, out);
            out.push(b'"');
        }
        Type::String => string(cell.column.bytes(row), out),
        // JSON has only text: what is no UTF-8 becomes replacement characters.
        Type::Bytes => string(String::from_utf8_lossy(cell.column.bytes(row)).as_bytes(), out),
        Type::F64 if !cell.f64(row).is_finite() => out.extend_from_slice(b"null"),
        _ => cell.scalar(row, out),
    }
}

/// Whether text can be written between quotes as it is.
pub(super) fn is_clean(text: &[u8]) -> bool {
    text.chunks(4096).all(|piece| piece.iter().fold(true, |clean, &b| clean & (b >= 0x20) & (b != b'"') & (b != b'\\')))
}

/// Appends a quoted string.
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    for (at, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            0x0C => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        if short != 0 {
            out.extend_from_slice(&[b'\\', short]);
        } else {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out.extend_from_slice(&text[from..]);
    out.push(b'"');
}
