//! What code costs, counted on request: the same for the same work, by the work, and nobody's where the host moves state.

use std::collections::BTreeMap;

use tidemill_core::guest::Guest;
use tidemill_guest::{CacheUse, Component, Fuel, LoadOptions};

use crate::wat_guest::{ALONE, AT, BOTH, WatGuest, block};

/// A guest that goes round so often for each call.
fn rounds(count: u32) -> WatGuest {
    WatGuest::process(format!(
        "(local.set $i (i32.const {count}))
         (loop $again (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $again (local.get $i)))
         (i32.const 1024)"
    ))
}

fn metered() -> LoadOptions {
    LoadOptions { meter: true, ..LoadOptions::default() }
}

/// The fuel of so many calls.
fn spent(guest: &WatGuest, calls: usize) -> BTreeMap<u32, Fuel> {
    let (component, plan, document) = guest.load(&metered());
    let mut instance = component.instantiate(&[], &document, plan).unwrap();
    instance.link(ALONE, &[1]).unwrap();
    instance.link(BOTH, &[1, 2]).unwrap();
    for _ in 0..calls {
        instance.process(BOTH, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    }
    component.fuel().unwrap()
}

#[test]
fn the_same_work_costs_the_same_and_ten_times_the_work_ten_times_as_much() {
    let (once, again) = (spent(&rounds(10_000), 3), spent(&rounds(10_000), 3));
    assert_eq!(once, again);
    let (little, much) = (once[&1].used, spent(&rounds(100_000), 3)[&1].used);
    assert!((9..=10).contains(&(much / little)), "{little} and {much}");
    assert_eq!(spent(&rounds(10_000), 6)[&1].used, 2 * little, "every call is counted from the same");
}

#[test]
fn a_chain_is_its_head_s_and_names_the_others() {
    let spent = spent(&rounds(1_000), 1);
    assert_eq!(spent.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(spent[&1].with, [2]);
}

#[test]
fn what_the_host_asks_for_itself_is_nobody_s() {
    let (component, plan, document) = rounds(1).load(&metered());
    let mut instance = component.instantiate(&[], &document, plan).unwrap();
    instance.link(ALONE, &[1]).unwrap();
    let _ = instance.export_state(1, &[]);
    assert_eq!(component.fuel().unwrap()[&1].used, 0);
}

#[test]
fn nothing_is_counted_that_nobody_asked_for() {
    let (component, plan, document) = rounds(1).load(&LoadOptions::default());
    let mut instance = component.instantiate(&[], &document, plan).unwrap();
    instance.link(ALONE, &[1]).unwrap();
    instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    assert_eq!(component.fuel(), None);
}

#[test]
fn code_that_counts_is_another_artifact_of_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = rounds(1).build();
    let used = |meter| {
        let options = LoadOptions { cache_dir: Some(dir.path().to_owned()), meter, ..LoadOptions::default() };
        Component::load(&bytes, &options).unwrap().describe().cache.clone()
    };
    let (stored, hit) = (CacheUse::Stored, CacheUse::Hit);
    assert_eq!([used(false), used(true), used(false), used(true)], [stored.clone(), stored, hit.clone(), hit]);
}
