//! Pages of a small state schema, for all tests of the crate.

use tidemill_core::block::{Block, Builder, Value};
use tidemill_core::checkpoint::{column, page_schema};
use tidemill_core::schema::Schema;

/// What a row is of: group, key and namespace.
pub(crate) type Place = (u32, Vec<u8>, Vec<u8>);
/// What is kept there: the host's bytes, a number, perhaps a text.
pub(crate) type Kept = (Option<Vec<u8>>, i64, Option<String>);
/// A change: the state of a place, or that it is gone.
pub(crate) type Change = (Place, Option<Kept>);

/// The columns of the state.
pub(crate) fn state() -> Schema {
    "n:i64,s:string?".parse().unwrap()
}

/// A page of these rows.
pub(crate) fn page(rows: &[Change]) -> Option<Block> {
    let mut builder = Builder::new(&page_schema(&state()));
    for ((group, key, namespace), kept) in rows {
        builder.push_time(i64::from(*group));
        builder.column(column::GROUP).push_i32(*group as i32);
        builder.column(column::KEY).push_bytes(key);
        builder.column(column::NAMESPACE).push_bytes(namespace);
        builder.column(column::GONE).push_bool(kept.is_none());
        let (host, n, s) = kept.clone().unwrap_or_default();
        match host {
            Some(host) => builder.column(column::HOST).push_bytes(&host),
            None => builder.column(column::HOST).push_absent(),
        }
        builder.column(column::STATE).push_i64(n);
        match s {
            Some(s) => builder.column(column::STATE + 1).push_str(&s),
            None => builder.column(column::STATE + 1).push_absent(),
        }
    }
    builder.finish()
}

/// The rows of a page.
pub(crate) fn changes(page: &Block) -> Vec<Change> {
    let bytes = |index: usize, row: usize| page.column(index).bytes(row).to_vec();
    let change = |row: usize| {
        let Value::I32(group) = page.column(column::GROUP).value(row) else { panic!("a group is a number") };
        assert_eq!(page.time(row), i64::from(group), "the time stays with its row");
        let place = (group as u32, bytes(column::KEY, row), bytes(column::NAMESPACE, row));
        if page.column(column::GONE).value(row) == Value::Bool(true) {
            return (place, None);
        }
        let host = page.column(column::HOST).present(row).then(|| bytes(column::HOST, row));
        let Value::I64(n) = page.column(column::STATE).value(row) else { panic!("the first column is a number") };
        let s = match page.column(column::STATE + 1).value(row) {
            Value::String(s) => Some(s.to_owned()),
            _ => None,
        };
        (place, Some((host, n, s)))
    };
    (0..page.rows()).map(change).collect()
}
