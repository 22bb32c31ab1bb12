//! Rows of pages in the order that parts keep them: by key group, key and namespace, the latest of each.
//!
//! **Order.** Keys and namespaces compare byte by byte. Of rows of one key and namespace the one of the last page counts; pages are
//! given from the oldest to the newest, and no page has a key and namespace twice. Nothing is decoded: rows are references, sorted
//! by the first eight bytes of the key and by the rest only where those agree, and cells are copied once, a column at a time.

use std::cmp::Ordering;

use tidemill_core::block::{Block, Builder, Column};
use tidemill_core::checkpoint::column;
use tidemill_core::schema::Schema;

use crate::error::Error;

/// Rows of a page at most.
pub(crate) const PAGE_ROWS: usize = 4096;
/// A page is closed before it is longer than this, unless it is one row.
pub(crate) const PAGE_BYTES: usize = 256 << 10;

/// A row of one of several pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The first eight bytes of the key, as a number that compares as they do.
    prefix: u64,
    page: u32,
    row: u32,
}

/// What becomes of rows that say that state is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// They are dropped: nothing lies below that they would hide.
    Drop,
    /// They are kept: they hide rows of layers below.
    Keep,
}

/// Pages opened to be sorted.
pub(crate) struct Pages<'a> {
    pages: &'a [Block],
    columns: Vec<Vec<Column<'a>>>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(pages: &'a [Block]) -> Pages<'a> {
        let columns = |page: &'a Block| (0..page.columns()).map(|index| page.column(index)).collect();
        Pages { pages, columns: pages.iter().map(columns).collect() }
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.pages.iter().map(Block::rows).sum());
        for page in 0..self.pages.len() as u32 {
            rows.extend((0..self.pages[page as usize].rows() as u32).map(|row| self.row(page, row)));
        }
        rows
    }

    /// All rows by key group, and where each group ends: a counting sort. Fails with a group that the job does not have.
    pub(crate) fn rows_by_group(&self, groups: u32) -> Result<(Vec<Row>, Vec<usize>), i32> {
        let mut starts = vec![0usize; groups as usize];
        for page in &self.columns {
            for group in groups_of(page) {
                let group = i32::from_le_bytes(*group);
                *usize::try_from(group).ok().and_then(|group| starts.get_mut(group)).ok_or(group)? += 1;
            }
        }
        let mut total = 0;
        for start in &mut starts {
            (*start, total) = (total, total + *start);
        }
        let mut rows = vec![Row { prefix: 0, page: 0, row: 0 }; total];
        for (page, columns) in self.columns.iter().enumerate() {
            for (row, group) in groups_of(columns).iter().enumerate() {
                let next = &mut starts[u32::from_le_bytes(*group) as usize];
                rows[*next] = self.row(page as u32, row as u32);
                *next += 1;
            }
        }
        // Each start has moved to the end of its group.
        Ok((rows, starts))
    }

    /// Puts rows of one group in order and leaves the latest of each key and namespace.
    pub(crate) fn latest(&self, rows: &mut [Row], gone: Gone) -> Vec<Row> {
        // Stable, so that the rows of one key stay in the order of their pages; quick where pages are in order already.
        rows.sort_by(|a, b| self.compare(*a, *b));
        let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
        for &row in rows.iter() {
            match kept.last_mut() {
                Some(last) if self.compare(*last, row) == Ordering::Equal => *last = row,
                _ => kept.push(row),
            }
        }
        if gone == Gone::Drop {
            kept.retain(|row| self.cell(*row, column::GONE).raw()[row.row as usize] == 0);
        }
        kept
    }

    /// New pages of these rows, in this order.
    pub(crate) fn build(&self, rows: &[Row], schema: &Schema) -> Vec<Block> {
        let mut builder = Builder::new(schema);
        let mut pages = Vec::new();
        let mut rest = rows;
        while !rest.is_empty() {
            let (page, behind) = rest.split_at(self.page_length(rest, schema));
            rest = behind;
            page.iter().for_each(|row| builder.push_time(self.pages[row.page as usize].time(row.row as usize)));
            for index in 0..schema.fields().len() {
                let cells = builder.column(index);
                page.iter().for_each(|row| cells.push_cell(self.cell(*row, index), row.row as usize));
            }
            pages.extend(builder.finish());
        }
        pages
    }

    /// How many of the first rows make a page.
    fn page_length(&self, rows: &[Row], schema: &Schema) -> usize {
        let mut bytes = 0;
        let fits = |row: &&Row| {
            let cells = self.columns[row.page as usize].iter().zip(schema.fields());
            bytes += cells.map(|(cell, field)| field.ty.width().unwrap_or_else(|| 4 + cell.bytes(row.row as usize).len())).sum::<usize>();
            bytes <= PAGE_BYTES
        };
        rows.iter().take(PAGE_ROWS).take_while(fits).count().max(1)
    }

    fn row(&self, page: u32, row: u32) -> Row {
        let key = self.columns[page as usize][column::KEY].bytes(row as usize);
        let mut first = [0; 8];
        let length = key.len().min(8);
        first[..length].copy_from_slice(&key[..length]);
        Row { prefix: u64::from_be_bytes(first), page, row }
    }

    fn cell(&self, row: Row, index: usize) -> Column<'a> {
        self.columns[row.page as usize][index]
    }

    fn compare(&self, a: Row, b: Row) -> Ordering {
        let bytes = |row: Row, index: usize| self.cell(row, index).bytes(row.row as usize);
        let rest = || bytes(a, column::KEY).cmp(bytes(b, column::KEY));
        let namespace = || bytes(a, column::NAMESPACE).cmp(bytes(b, column::NAMESPACE));
        a.prefix.cmp(&b.prefix).then_with(rest).then_with(namespace)
    }
}

/// The key group of every row.
fn groups_of<'a>(page: &[Column<'a>]) -> &'a [[u8; 4]] {
    page[column::GROUP].raw().as_chunks::<4>().0
}

/// Whether a page has the columns of a schema. Pages come from the engine, which is trusted with their bytes but not with having
/// meant the same state.
pub(crate) fn fits(page: &Block, schema: &Schema) -> bool {
    page.columns() == schema.fields().len()
        && schema.fields().iter().enumerate().all(|(index, field)| {
            let column = page.column(index);
            column.ty() == field.ty && column.optional() == field.optional
        })
}

/// Whether the rows of the pages stand in order and none twice.
pub(crate) fn ascend(pages: &[Block]) -> bool {
    let opened = Pages::new(pages);
    opened.rows().windows(2).all(|pair| opened.compare(pair[0], pair[1]) == Ordering::Less)
}

/// Calls `each` with the latest rows of every key group that has some; groups ascend.
///
/// # Errors
/// Pages that are not of the schema, a row of a group that the job does not have, and what `each` says.
pub(crate) fn each_group(
    operator: &str,
    pages: &[Block],
    groups: u32,
    schema: &Schema,
    gone: Gone,
    mut each: impl FnMut(u32, Vec<Block>) -> Result<(), Error>,
) -> Result<(), Error> {
    let refused = |reason: String| Error::Handover { operator: operator.to_owned(), reason };
    if !pages.iter().all(|page| fits(page, schema)) {
        return Err(refused(format!("a page that has not the columns {schema}")));
    }
    let opened = Pages::new(pages);
    let (mut rows, ends) =
        opened.rows_by_group(groups).map_err(|group| refused(format!("a row of key group {group}, of which there are {groups}")))?;
    let mut start = 0;
    for (group, end) in ends.into_iter().enumerate() {
        if start < end {
            let kept = opened.latest(&mut rows[start..end], gone);
            if !kept.is_empty() {
                each(group as u32, opened.build(&kept, schema))?;
            }
        }
        start = end;
    }
    Ok(())
}
