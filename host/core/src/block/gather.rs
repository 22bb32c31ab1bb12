//! Picking rows out of blocks and putting blocks together, without decoding a value.

use super::{Block, Builder};
use crate::schema::Schema;

/// A block of the given rows of `block`, in that order; `None` for no rows.
pub fn gather(block: &Block, rows: &[u32], schema: &Schema) -> Option<Block> {
    if rows.len() == block.rows() && rows.iter().enumerate().all(|(i, &row)| i == row as usize) {
        return (!rows.is_empty()).then(|| block.clone());
    }
    let mut builder = Builder::new(schema);
    gather_append(&mut builder, block, rows);
    builder.finish()
}

/// Appends the given rows of `block` to a builder of the same schema.
pub fn gather_append(builder: &mut Builder, block: &Block, rows: &[u32]) {
    let times = block.times();
    rows.iter().for_each(|&row| builder.push_time(times.get(row as usize)));
    for index in 0..block.columns() {
        builder.column(index).push_cells(block.column(index), rows);
    }
}

/// One block of the rows of all, in order; `None` for no rows.
pub fn concat(blocks: &[Block], schema: &Schema) -> Option<Block> {
    if let [one] = blocks {
        return (one.rows() > 0).then(|| one.clone());
    }
    let mut builder = Builder::new(schema);
    let mut rows = Vec::new();
    for block in blocks {
        rows.clear();
        rows.extend(0..block.rows() as u32);
        gather_append(&mut builder, block, &rows);
    }
    builder.finish()
}
