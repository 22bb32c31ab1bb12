//! Parts and layers against a plain map, over random state.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_core::block::Block;
use tidemill_core::checkpoint::protocol::{self, Object, Stamp};
use tidemill_core::checkpoint::{CheckpointId, Generation, page_schema};
use tidemill_core::key;
use tidemill_core::schema::Schema;

use crate::layers::Layers;
use crate::manifest::Part;
use crate::pages::{Change, Kept, Place, changes, page, state};
use crate::part::{Origin, Writer, examine};
use crate::rows::{self, Gone};
use crate::store::Store;

fn origin(number: u64) -> Origin {
    Origin { stamp: Stamp { generation: Generation(1), checkpoint: CheckpointId(number) }, groups: key::GROUPS }
}

fn arb_place() -> impl Strategy<Value = Place> {
    // Few keys, so that they meet; some share their first eight bytes.
    let key = prop_oneof![
        (0u8..12).prop_map(|n| vec![n]),
        (0u8..6).prop_map(|n| [&[7; 8][..], &[n]].concat()),
        (0i64..20).prop_map(|n| n.to_le_bytes().to_vec()),
        Just(Vec::new()),
    ];
    let namespace = prop_oneof![Just(Vec::new()), (0i64..3).prop_map(|n| n.to_le_bytes().to_vec())];
    (key, namespace).prop_map(|(key, namespace)| (key::group(key::hash(&key)), key, namespace))
}

fn arb_change() -> impl Strategy<Value = Change> {
    let kept = (proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5)), any::<i64>(), proptest::option::of("[a-zö]{0,6}"));
    (arb_place(), proptest::option::weighted(0.7, kept))
}

/// Handovers of one checkpoint: each has a place once, a later one counts instead of an earlier one.
fn arb_handovers() -> impl Strategy<Value = Vec<BTreeMap<Place, Option<Kept>>>> {
    let handover = proptest::collection::vec(arb_change(), 0..40).prop_map(|changes| changes.into_iter().collect());
    proptest::collection::vec(handover, 1..3)
}

/// Writes the pages of handovers as one layer; `deal` cuts and shuffles them first.
fn write_layer(store: &Store, number: u64, handovers: &[BTreeMap<Place, Option<Kept>>], gone: Gone, deal: usize) -> Vec<Part> {
    let mut pages = Vec::new();
    for handover in handovers {
        let mut rows: Vec<Change> = handover.clone().into_iter().collect();
        let middle = deal % rows.len().max(1);
        rows.rotate_left(middle);
        pages.extend(rows.chunks(1 + deal % 7).filter_map(page));
    }
    let mut writer = Writer::new(store, origin(number), "counts", &state()).part_bytes(400 + deal * 97 % 3000);
    rows::latest("counts", &mut pages, key::GROUPS, &page_schema(&state()), gone, &mut |run| writer.run(&run)).unwrap();
    writer.finish().unwrap()
}

fn read(store: &Store, layers: &[Vec<Part>], groups: std::ops::Range<u32>, gone: Gone) -> Vec<Change> {
    let mut found = Vec::new();
    let state = state();
    Layers::new(store, "counts", &state, layers)
        .merge::<crate::Error>(groups.clone(), gone, &mut |run| {
            let rows: Vec<Change> = run.pages.iter().flat_map(changes).collect();
            assert!(groups.contains(&run.groups.0) && groups.contains(&run.groups.1));
            assert_eq!((rows[0].0.0, rows[rows.len() - 1].0.0), run.groups);
            found.extend(rows);
            Ok(())
        })
        .unwrap();
    found
}

fn live(model: &BTreeMap<Place, Option<Kept>>, groups: &std::ops::Range<u32>) -> Vec<Change> {
    model.iter().filter(|((group, ..), kept)| groups.contains(group) && kept.is_some()).map(|(p, k)| (p.clone(), k.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is written in whatever pieces, and merged whenever, reads as the map that the same changes make.
    #[test]
    fn layers_read_as_the_map_they_were_made_of(
        checkpoints in proptest::collection::vec((arb_handovers(), 0usize..1000, 0usize..6), 1..10),
        from in 0u32..key::GROUPS,
        span in 0u32..=key::GROUPS,
    ) {
        let store = Store::memory().unwrap();
        let mut model: BTreeMap<Place, Option<Kept>> = BTreeMap::new();
        let mut layers: Vec<Vec<Part>> = Vec::new();
        for (number, (handovers, deal, merge)) in checkpoints.iter().enumerate() {
            let gone = if layers.is_empty() { Gone::Drop } else { Gone::Keep };
            handovers.iter().for_each(|handover| model.extend(handover.clone()));
            layers.push(write_layer(&store, 1 + 2 * number as u64, handovers, gone, *deal));
            layers.retain(|layer| !layer.is_empty());
            for part in layers.iter().flatten() {
                let summary = examine(&store, &part.path(), part.bytes).unwrap();
                prop_assert_eq!((summary.rows, summary.operator.as_str()), (part.rows, "counts"));
            }
            // Merges the layers behind some of the oldest.
            if *merge < layers.len() {
                let gone = if *merge == 0 { Gone::Drop } else { Gone::Keep };
                let state = state();
                let merged = Layers::new(&store, "counts", &state, &layers[*merge..])
                    .rewrite(&store, origin(2 + 2 * number as u64), gone, &|| true)
                    .unwrap();
                layers.truncate(*merge);
                layers.push(merged);
                layers.retain(|layer| !layer.is_empty());
            }
            if let Some(base) = layers.first() {
                let all = read(&store, std::slice::from_ref(base), 0..key::GROUPS, Gone::Keep);
                prop_assert!(all.iter().all(|(_, kept)| kept.is_some()), "a row of the first layer says that state is gone");
            }
            for groups in [0..key::GROUPS, from..(from + span).min(key::GROUPS)] {
                prop_assert_eq!(read(&store, &layers, groups.clone(), Gone::Drop), live(&model, &groups));
            }
        }
    }

    /// A part has the rows that were given, those that say that state is gone too.
    #[test]
    fn a_part_has_the_latest_row_of_each_place(handovers in arb_handovers(), deal in 0usize..1000) {
        let store = Store::memory().unwrap();
        let mut model: BTreeMap<Place, Option<Kept>> = BTreeMap::new();
        handovers.iter().for_each(|handover| model.extend(handover.clone()));
        let layer = write_layer(&store, 1, &handovers, Gone::Keep, deal);
        let all: Vec<Change> = model.into_iter().collect();
        prop_assert_eq!(read(&store, &[layer], 0..key::GROUPS, Gone::Keep), all);
    }
}

#[test]
fn the_same_state_is_the_same_file_however_it_came() {
    let changes: Vec<Change> = (0..500i64)
        .map(|n| {
            let key = n.to_le_bytes().to_vec();
            ((key::group(key::hash(&key)), key, Vec::new()), Some((None, n, None)))
        })
        .collect();
    let write = |mut pages: Vec<Block>| {
        let store = Store::memory().unwrap();
        let mut writer = Writer::new(&store, origin(1), "counts", &state());
        rows::latest("counts", &mut pages, key::GROUPS, &page_schema(&state()), Gone::Keep, &mut |run| writer.run(&run)).unwrap();
        writer.finish().unwrap()
    };
    let once = write(vec![page(&changes).unwrap()]);
    let mut backwards = changes.clone();
    backwards.reverse();
    assert_eq!(write(backwards.chunks(7).filter_map(page).collect()), once);
    assert_eq!(once.len(), 1);
}

#[test]
fn a_part_is_closed_when_it_is_long_enough_and_a_page_at_its_limits() {
    let store = Store::memory().unwrap();
    let key = |n: u32| n.to_be_bytes().to_vec();
    let rows: Vec<Change> = (0..rows::PAGE_ROWS as u32 + 1).map(|n| ((3, key(n), Vec::new()), Some((None, 0, None)))).collect();
    let long = "x".repeat(rows::PAGE_BYTES);
    let longer: Vec<Change> = (0..3).map(|n| ((5, key(n), Vec::new()), Some((None, 0, Some(long.clone()))))).collect();
    let mut pages = [page(&rows).unwrap(), page(&longer).unwrap()];
    let schema = page_schema(&state());
    let mut lengths = BTreeMap::new();
    let mut writer = Writer::new(&store, origin(1), "counts", &state()).part_bytes(1);
    rows::latest("counts", &mut pages, key::GROUPS, &schema, Gone::Keep, &mut |run| {
        lengths.insert(run.groups, run.pages.iter().map(Block::rows).collect::<Vec<_>>());
        writer.run(&run)
    })
    .unwrap();
    assert_eq!(lengths, BTreeMap::from([((3, 3), vec![rows::PAGE_ROWS, 1]), ((5, 5), vec![1, 1, 1])]));
    let parts = writer.finish().unwrap();
    assert_eq!(parts.iter().map(|part| (part.groups, part.rows)).collect::<Vec<_>>(), [((3, 3), rows.len() as u64), ((5, 5), 3)]);
}

#[test]
fn groups_of_few_rows_share_a_run_until_it_is_long_enough() {
    let rows: Vec<Change> = (0..100u32).map(|n| ((n / 3, vec![n as u8], Vec::new()), Some((None, 0, None)))).collect();
    let schema = page_schema(&state());
    let mut runs = Vec::new();
    rows::latest("counts", &mut [page(&rows).unwrap()], key::GROUPS, &schema, Gone::Keep, &mut |run| {
        let bytes: usize = run.pages.iter().map(|page| page.as_bytes().len()).sum();
        runs.push((run.groups, bytes));
        Ok(())
    })
    .unwrap();
    assert!(runs.len() > 3, "{runs:?}");
    assert!(runs.windows(2).all(|pair| pair[0].0.1 + 1 == pair[1].0.0), "no group is in two runs: {runs:?}");
    assert!(runs.iter().all(|(groups, bytes)| groups.1 > groups.0 && *bytes < 2 * rows::RUN_BYTES), "{runs:?}");
}

#[test]
fn what_is_no_state_of_the_operator_is_refused() {
    let schema = page_schema(&state());
    let each = |page: Block, groups: u32, schema: &Schema| {
        rows::latest("counts", &mut [page], groups, schema, Gone::Keep, &mut |_| Ok(())).unwrap_err().to_string()
    };
    let row = |group: i32| page(&[((group as u32, vec![1], Vec::new()), None)]).unwrap();
    assert!(each(row(16), 16, &schema).contains("a key group that there is not, of 16"));
    assert!(each(row(-1), 16, &schema).contains("a key group that there is not"));
    assert!(each(row(0), 16, &page_schema(&"n:i64".parse().unwrap())).contains("has not the columns"));
    assert!(each(row(0), 16, &page_schema(&"n:i64,s:string".parse().unwrap())).contains("has not the columns"));
}

/// Every single bit and every cut of a part is found, and what is said of it has a place.
#[test]
fn every_damage_of_a_part_is_found() {
    let store = Store::memory().unwrap();
    let changes: Vec<Change> = (0..20u8).map(|n| ((u32::from(n % 5), vec![n], vec![]), Some((None, 7, Some("ö".to_owned()))))).collect();
    let layer = write_layer(&store, 1, &[changes.into_iter().collect()], Gone::Keep, 30);
    let [part] = &layer[..] else { panic!("one part") };
    let good = store.read(&part.path()).unwrap();
    let judged = |bytes: Vec<u8>| {
        let stored = bytes.len() as u64;
        store.put(&part.path(), bytes.into()).unwrap();
        let open = crate::part::Reader::open(&store, part, "counts", &state()).and_then(|mut reader| reader.check_sums());
        (open, examine(&store, &part.path(), stored))
    };
    assert_eq!(judged(good.to_vec()).0, Ok(()));
    for bit in 0..8 * good.len() {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        let (open, examined) = judged(bad);
        for error in [open.unwrap_err(), examined.unwrap_err()] {
            assert!(matches!(&error, crate::Error::Damaged { at, .. } if *at <= bit as u64 / 8), "bit {bit}: {error}");
        }
    }
    for length in 0..good.len() {
        let (open, examined) = judged(good[..length].to_vec());
        for error in [open.unwrap_err(), examined.unwrap_err()] {
            assert!(matches!(error, crate::Error::Damaged { .. }), "{length} bytes: {error}");
        }
    }
    let (_, longer) = judged([&good[..], &[0]].concat());
    assert!(matches!(longer.unwrap_err(), crate::Error::Damaged { .. }));
    let missing = Object::Part(another_part()).path();
    assert!(matches!(examine(&store, &missing, 100).unwrap_err(), crate::Error::Missing { .. }));
}

fn another_part() -> protocol::Part {
    protocol::Part { stamp: origin(9).stamp, hash: [1; 32] }
}

#[test]
fn a_merge_that_is_stopped_says_so() {
    let store = Store::memory().unwrap();
    let row = |n: u8| BTreeMap::from([((0, vec![n], vec![]), Some((None, 7, None)))]);
    let parts: Vec<Vec<Part>> = (0..2).map(|n| write_layer(&store, n, &[row(n as u8)], Gone::Keep, 0)).collect();
    let state = state();
    let stopped = Layers::new(&store, "counts", &state, &parts).rewrite(&store, origin(3), Gone::Drop, &|| false);
    assert!(stopped.unwrap_err().to_string().contains("stopped"));
}
