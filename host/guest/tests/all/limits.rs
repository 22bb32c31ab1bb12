//! Guests that want more than they may have: each is stopped with an error that names the limit, and at the limit is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_core::guest::{Error, Guest, Limits};
use tidemill_guest::{Component, LoadError, LoadOptions};

use crate::wat_guest::{ALONE, AT, Kept, WatGuest, block, outcome};

fn process(guest: &WatGuest, limits: Limits) -> Result<(), Error> {
    guest.start(limits).process(ALONE, 0, AT, &block(1, "x"), &[], &[3]).map(drop)
}

fn limit(guest: &WatGuest, limits: Limits) -> String {
    match process(guest, limits) {
        Err(Error::Limit { export: "process", message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_endless_loop_is_stopped_at_the_deadline() {
    let limits = Limits { call_ms: 50, ..Limits::default() };
    let mut instance = WatGuest::process("(loop $l (br $l)) (unreachable)").start(limits);
    let start = Instant::now();
    let error = instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap_err();
    assert_eq!(error, Error::Deadline { export: "process", ms: 50 });
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(instance.link(7, &[1]), Err(error), "the instance is over");
}

#[test]
fn an_endless_loop_in_a_start_function_is_stopped() {
    let guest = WatGuest { fields: "(start $spin) (func $spin (loop $l (br $l)))", ..WatGuest::default() };
    let options = LoadOptions { limits: Limits { call_ms: 20, ..Limits::default() }, ..LoadOptions::default() };
    let error = Component::load(&guest.build(), &options).unwrap().plan(&[]).unwrap_err();
    assert_eq!(error, LoadError::Guest(Error::Deadline { export: "instantiate", ms: 20 }));
}

#[test]
fn the_deadline_begins_anew_with_every_call() {
    // Each call spins for some milliseconds, all together for far longer than one may.
    let body = "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 3000000)))) (i32.const 1024)";
    let mut instance = WatGuest::process(body).start(Limits { call_ms: 200, ..Limits::default() });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    }
}

#[test]
fn memory_is_limited_and_the_limit_itself_may_be_used() {
    let grow = |pages: usize| WatGuest::process(format!("(drop (memory.grow (i32.const {pages}))) (i32.const 1024)"));
    // Four pages and a small table of the linker's from the start.
    let start = WatGuest::default().start(Limits::default()).memory_bytes();
    assert!((4 << 16..5 << 16).contains(&start));
    let limits = Limits { memory_bytes: start + (28 << 16), ..Limits::default() };
    let mut instance = grow(28).start(limits.clone());
    instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    assert_eq!(instance.memory_bytes(), limits.memory_bytes);
    assert_eq!(limit(&grow(29), limits), "memory of 2.0 MiB (0.2 in use, 1.8 more asked for)");
    assert_eq!(limit(&grow(60_000), Limits::default()), "memory of 512 MiB (0.2 in use, 3750 more asked for)");
}

#[test]
fn a_memory_that_is_too_large_from_the_start_is_refused() {
    let guest = WatGuest { pages: 65_536, ..WatGuest::default() };
    let error = Component::load(&guest.build(), &LoadOptions::default()).unwrap().plan(&[]).unwrap_err();
    assert!(matches!(&error, LoadError::Guest(Error::Limit { export: "instantiate", .. })), "{error}");
}

#[test]
fn tables_and_further_memories_count_too() {
    let body = "(drop (table.grow $t (ref.null func) (i32.const 1000000))) (i32.const 1024)";
    let table = WatGuest { fields: "(table $t 1 funcref)", ..WatGuest::process(body) };
    assert!(limit(&table, Limits { memory_bytes: 4 << 20, ..Limits::default() }).starts_with("memory of 4 MiB"));
    let more = WatGuest { fields: "(memory $a 20) (memory $b 20)", ..WatGuest::default() };
    let options = LoadOptions { limits: Limits { memory_bytes: 2 << 20, ..Limits::default() }, ..LoadOptions::default() };
    let error = Component::load(&more.build(), &options).unwrap().plan(&[]).unwrap_err();
    assert!(matches!(&error, LoadError::Guest(Error::Limit { export: "instantiate", .. })), "{error}");
}

#[test]
fn deep_recursion_is_a_trap() {
    let guest = WatGuest { fields: "(func $deep (call $deep) (call $deep))", ..WatGuest::process("(call $deep) (i32.const 1024)") };
    for _ in 0..100 {
        let error = process(&guest, Limits::default()).unwrap_err();
        assert!(matches!(&error, Error::Trap { message, .. } if message.contains("stack exhausted")), "{error}");
    }
}

#[test]
fn a_flood_of_blocks_is_stopped() {
    let emit =
        format!("(loop $l (call $emit (i32.const 1) (i32.const 0) (i32.const {}) (i32.const {{len}})) (br $l)) (unreachable)", 65_536);
    let bytes = block(100, "some text").as_bytes().to_vec();
    let guest = WatGuest::process(emit.replace("{len}", &bytes.len().to_string())).with_data(bytes);
    assert_eq!(limit(&guest, Limits { emit_bytes: 16 << 20, ..Limits::default() }), "16 MiB emitted in one call");
}

#[test]
fn what_may_be_emitted_is_emitted() {
    let bytes = block(100, "some text").as_bytes().to_vec();
    let emit = format!("(call $emit (i32.const 1) (i32.const 0) (i32.const 65536) (i32.const {}))", bytes.len());
    let exact = 2 * (bytes.len() + 256);
    let guest = WatGuest::process(format!("{emit} {emit} (i32.const 1024)")).with_data(bytes);
    process(&guest, Limits { emit_bytes: exact, ..Limits::default() }).unwrap();
    limit(&guest, Limits { emit_bytes: exact - 1, ..Limits::default() });
}

#[test]
fn a_flood_of_timers_is_stopped() {
    // Timer operations are 24 bytes: slot 3, timer 0, action 0, time 0.
    let op = |n: usize| [[3u8, 0, 0, 0], [0; 4], [0; 4], [0; 4], [0; 4], [0; 4]].concat().repeat(n);
    let guest = |n: usize| WatGuest::process(outcome([(65_536, n), (0, 0), (0, 0), (0, 0)])).with_data(op(n));
    let limits = Limits { timer_ops: 1000, ..Limits::default() };
    process(&guest(1000), limits.clone()).unwrap();
    assert_eq!(limit(&guest(1001), limits), "1001 timer operations in one call, of 1000");
}

#[test]
fn lists_that_share_memory_to_look_huge_are_stopped() {
    // Eight million timer operations over the same 192 MiB of empty memory.
    let guest = WatGuest { pages: 4096, ..WatGuest::process(outcome([(65_536, 8 << 20), (0, 0), (0, 0), (0, 0)])) };
    assert_eq!(limit(&guest, Limits::default()), "128 MiB of lists and text in one call");
}

#[test]
fn lists_that_leave_the_memory_break_the_contract() {
    for lists in [[(65_536, 1 << 30), (0, 0), (0, 0), (0, 0)], [(0, 0), (0xffff_fff0, 8), (0, 0), (0, 0)], [(0, 0), (0, 0), (2, 1), (0, 0)]]
    {
        let error = process(&WatGuest::process(outcome(lists)), Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Contract { export: "process", .. }), "{error}");
    }
}

#[test]
fn a_flood_of_log_lines_is_counted() {
    let body = "(loop $l (call $log (i32.const 3) (i32.const 2) (i32.const 65536) (i32.const 11))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 20000)))) (i32.const 1024)";
    let kept = Arc::new(Kept::default());
    let options = LoadOptions { log: kept.clone(), ..LoadOptions::default() };
    let mut instance = WatGuest::process(body).with_data("\x1b[2J\r\nhello").start_with(&options);
    instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    let lines = kept.0.lock().unwrap();
    assert_eq!(lines[0], (tidemill_guest::Level::Warn, "tail".to_owned(), "\\u{1b}[2J\\r\\nhello".to_owned()));
    assert!(instance.dropped_log_lines() > 1_000 && lines.len() < 19_000, "{} kept", lines.len());
}
