//! Rows of pages in the order that parts keep them: by key group, key and namespace, the latest of each.
//!
//! **Order.** Keys and namespaces compare byte by byte. Of rows of one key and namespace the one of the last page counts; pages are
//! given from the oldest to the newest, and no page has a key and namespace twice. Nothing is decoded: rows are references, dealt out
//! to their key groups by counting and sorted there, by the first eight bytes of the key and by the rest only where those
//! agree. Cells are copied a column at a time.
//!
//! **Memory.** Reading rows here and there out of pages that fit into no cache would take most of the time, and memory that is touched
//! for the first time most of the rest. So the rows of each page are put in the order of their groups first, and a slice of the groups is
//! taken out of all pages at a time.

use std::cmp::Ordering;
use std::ops::Range;

use tidemill_core::block::{Block, Builder, Column};
use tidemill_core::checkpoint::column;
use tidemill_core::schema::Schema;

use crate::error::Error;

/// Rows of a page at most.
pub(crate) const PAGE_ROWS: usize = 4096;
/// A page is closed before it is longer than this, unless it is one row.
pub(crate) const PAGE_BYTES: usize = 256 << 10;
/// A run is closed at the first border of a key group after this many bytes: groups of a few rows share pages, whose headers would
/// be most of what is written, and a reader of some groups reads little else. Short in unit tests, so that few rows make many runs.
pub(crate) const RUN_BYTES: usize = if cfg!(test) { 512 } else { 64 << 10 };

/// Rows that are sorted together, about: some megabytes with their cells.
const SLICE_ROWS: usize = 1 << 16;

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

/// Rows of some key groups, from the first to the last, in order.
pub(crate) struct Run {
    pub(crate) groups: (u32, u32),
    pub(crate) pages: Vec<Block>,
}

/// Pages opened to be sorted; the rows of each stand in the order of their groups.
pub(crate) struct Pages<'a> {
    pages: &'a [Block],
    columns: Vec<Vec<Column<'a>>>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(pages: &'a [Block]) -> Pages<'a> {
        let columns = |page: &'a Block| (0..page.columns()).map(|index| page.column(index)).collect();
        Pages { pages, columns: pages.iter().map(columns).collect() }
    }

    /// The latest row of each key and namespace of some groups, in order.
    pub(crate) fn latest(&self, groups: Range<u32>, gone: Gone) -> Vec<Row> {
        let (mut rows, ends) = self.deal(groups);
        let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
        let mut start = 0;
        for end in ends {
            let (group, first) = (&mut rows[start..end], kept.len());
            // Stable, so that the rows of one key stay in the order of their pages; quick where pages are in order already.
            group.sort_by(|a, b| self.compare(*a, *b));
            for &row in group.iter() {
                match kept[first..].last_mut() {
                    Some(last) if self.compare(*last, row) == Ordering::Equal => *last = row,
                    _ => kept.push(row),
                }
            }
            start = end;
        }
        if gone == Gone::Drop {
            kept.retain(|row| self.cell(*row, column::GONE).raw()[row.row as usize] == 0);
        }
        kept
    }

    /// The rows of some groups by group, and where each ends: a counting sort.
    fn deal(&self, groups: Range<u32>) -> (Vec<Row>, Vec<usize>) {
        let parts: Vec<(usize, &[[u8; 4]])> = self.columns.iter().map(|page| part_of(groups_of(page), &groups)).collect();
        let mut starts = Counts::new(groups);
        parts.iter().for_each(|(_, part)| starts.count(part));
        let total = starts.start();
        let mut rows = vec![Row { prefix: 0, page: 0, row: 0 }; total];
        for (page, (first, part)) in parts.iter().enumerate() {
            for (row, group) in part.iter().enumerate() {
                rows[starts.next(group)] = self.row(page as u32, (first + row) as u32);
            }
        }
        (rows, starts.places)
    }

    /// Cuts the groups so that each slice has about [`SLICE_ROWS`] rows, or is one group.
    fn slices(&self, groups: u32) -> Vec<Range<u32>> {
        let mut counts = Counts::new(0..groups);
        self.columns.iter().for_each(|page| counts.count(groups_of(page)));
        let (mut slices, mut start, mut rows) = (Vec::new(), 0, 0);
        for (group, count) in (0..).zip(&counts.places) {
            rows += count;
            if rows >= SLICE_ROWS || group + 1 == groups {
                slices.push(start..group + 1);
                (start, rows) = (group + 1, 0);
            }
        }
        slices
    }

    /// Cuts rows in order into runs, and calls `each` with them.
    pub(crate) fn runs<E>(&self, mut rows: &[Row], schema: &Schema, each: &mut dyn FnMut(Run) -> Result<(), E>) -> Result<(), E> {
        while let Some(first) = rows.first() {
            let (mut bytes, mut end) = (0, 0);
            let mut last = self.group(*first);
            for row in rows {
                let group = self.group(*row);
                if group != last && bytes >= RUN_BYTES {
                    break;
                }
                (last, end) = (group, end + 1);
                bytes += self.bytes(*row, schema);
            }
            let (run, rest) = rows.split_at(end);
            each(Run { groups: (self.group(*first), last), pages: self.build(run, schema) })?;
            rows = rest;
        }
        Ok(())
    }

    fn group(&self, row: Row) -> u32 {
        u32::from_le_bytes(groups_of(&self.columns[row.page as usize])[row.row as usize])
    }

    /// What the cells of a row take in a page, about.
    fn bytes(&self, row: Row, schema: &Schema) -> usize {
        let cells = self.columns[row.page as usize].iter().zip(schema.fields());
        cells.map(|(cell, field)| field.ty.width().unwrap_or_else(|| 4 + cell.bytes(row.row as usize).len())).sum::<usize>() + 8
    }

    /// New pages of these rows, in this order.
    fn build(&self, rows: &[Row], schema: &Schema) -> Vec<Block> {
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
            bytes += self.bytes(**row, schema);
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

/// How many rows each of some groups has, and then where the next one of each goes.
struct Counts {
    first: u32,
    places: Vec<usize>,
}

impl Counts {
    fn new(groups: Range<u32>) -> Counts {
        Counts { first: groups.start, places: vec![0; groups.len()] }
    }

    fn place(&mut self, group: &[u8; 4]) -> &mut usize {
        &mut self.places[(u32::from_le_bytes(*group) - self.first) as usize]
    }

    fn count(&mut self, rows: &[[u8; 4]]) {
        rows.iter().for_each(|group| *self.place(group) += 1);
    }

    /// Turns counts into places; returns how many rows there are. When all rows have been placed, each group's place is its end.
    fn start(&mut self) -> usize {
        let mut total = 0;
        for place in &mut self.places {
            (*place, total) = (total, total + *place);
        }
        total
    }

    fn next(&mut self, group: &[u8; 4]) -> usize {
        let place = self.place(group);
        *place += 1;
        *place - 1
    }
}

/// The key group of every row.
fn groups_of<'a>(page: &[Column<'a>]) -> &'a [[u8; 4]] {
    page[column::GROUP].raw().as_chunks::<4>().0
}

/// The rows of some groups in a page in the order of groups, and where they begin.
fn part_of<'a>(rows: &'a [[u8; 4]], groups: &Range<u32>) -> (usize, &'a [[u8; 4]]) {
    let below = |end: u32| rows.partition_point(|group| u32::from_le_bytes(*group) < end);
    let first = below(groups.start);
    (first, &rows[first..below(groups.end)])
}

/// The rows of a page in the order of their groups; none where they stand so already.
fn by_group(page: &Block, groups: u32, schema: &Schema) -> Option<Block> {
    let group_of = page.column(column::GROUP).raw().as_chunks::<4>().0;
    if group_of.is_sorted_by_key(|group| u32::from_le_bytes(*group)) {
        return None;
    }
    let mut places = Counts::new(0..groups);
    places.count(group_of);
    let mut rows = vec![0; places.start()];
    (0..).zip(group_of).for_each(|(row, group)| rows[places.next(group)] = row);
    let mut builder = Builder::new(schema);
    rows.iter().for_each(|&row| builder.push_time(page.time(row as usize)));
    (0..page.columns()).for_each(|index| builder.column(index).push_cells(page.column(index), &rows));
    builder.finish()
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
    let all = (0..pages.len() as u32).flat_map(|page| (0..pages[page as usize].rows() as u32).map(move |row| (page, row)));
    let rows: Vec<Row> = all.map(|(page, row)| opened.row(page, row)).collect();
    let less = |a: Row, b: Row| opened.group(a).cmp(&opened.group(b)).then_with(|| opened.compare(a, b)) == Ordering::Less;
    rows.windows(2).all(|pair| less(pair[0], pair[1]))
}

/// Whether all rows of a page are of these groups.
pub(crate) fn within(page: &Block, (first, last): (u32, u32)) -> bool {
    let groups = page.column(column::GROUP).raw().as_chunks::<4>().0;
    groups.iter().all(|group| (first..=last).contains(&u32::from_le_bytes(*group)))
}

/// Calls `each` with the latest rows of pages that an operator has handed over, run by run. The rows of each page are put in the order of
/// their groups, which changes nothing of what it says.
///
/// # Errors
/// Pages that are not of the schema, a row of a group that the job does not have, and what `each` says.
pub(crate) fn latest(
    operator: &str,
    pages: &mut [Block],
    groups: u32,
    schema: &Schema,
    gone: Gone,
    each: &mut dyn FnMut(Run) -> Result<(), Error>,
) -> Result<(), Error> {
    let refused = |reason: String| Err(Error::Handover { operator: operator.to_owned(), reason });
    if !pages.iter().all(|page| fits(page, schema)) {
        return refused(format!("a page that has not the columns {schema}"));
    }
    if !pages.iter().all(|page| within(page, (0, groups - 1))) {
        return refused(format!("a row of a key group that there is not, of {groups}"));
    }
    for page in pages.iter_mut() {
        if let Some(dealt) = by_group(page, groups, schema) {
            *page = dealt;
        }
    }
    let opened = Pages::new(pages);
    opened.slices(groups).into_iter().try_for_each(|slice| opened.runs(&opened.latest(slice, gone), schema, each))
}
