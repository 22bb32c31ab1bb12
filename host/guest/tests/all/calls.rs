//! Calls and what comes back: traps with their story, outcomes held against the call, state in and out.

use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Error, Guest, Limits};
use tidemill_core::schema::Schema;
use tidemill_guest::LoadOptions;

use crate::wat_guest::{ALONE, AT, BOTH, DATA, WatGuest, block, outcome, state_block};

#[test]
fn a_trap_tells_where_what_and_which_row() {
    let guest = WatGuest {
        fields: "(func $_ZN6sensor7average17h0123456789abcdefE (call $boom)) (func $boom (unreachable))",
        ..WatGuest::process(
            "(call $report (i32.const 1) (i32.const 2) (i32.const 65536) (i32.const 15))
             (call $_ZN6sensor7average17h0123456789abcdefE) (i32.const 1024)",
        )
    };
    let mut instance = guest.with_data("index too large").start(Limits::default());
    let error = instance.process(ALONE, 0, AT, &block(3, "x"), &[], &[]).unwrap_err();
    let Error::Trap { export: "process", message, backtrace, at } = &error else { panic!("{error}") };
    assert_eq!((message.as_str(), *at), ("index too large (wasm `unreachable` instruction executed)", Some((1, 2))));
    assert_eq!(backtrace[..3], ["boom", "sensor::average", "process"]);
    assert_eq!(instance.process(ALONE, 0, AT, &block(3, "x"), &[], &[]), Err(error), "the instance is over");
}

#[test]
fn a_report_of_a_row_that_is_not_there_is_kept_without_it() {
    for (operator, row) in [(1, 3), (2, 0), (u32::MAX, u32::MAX)] {
        let body = format!("(call $report (i32.const {operator}) (i32.const {row}) (i32.const 65536) (i32.const 3)) (unreachable)");
        let mut instance = WatGuest::process(body).with_data("why").start(Limits::default());
        let error = instance.process(ALONE, 0, AT, &block(3, "x"), &[], &[]).unwrap_err();
        assert!(matches!(&error, Error::Trap { message, at: None, .. } if message.starts_with("why (")), "{error}");
    }
}

#[test]
fn a_report_is_not_remembered_beyond_its_call() {
    let body = "(if (global.get $calls) (then (unreachable))) (global.set $calls (i32.const 1))
        (call $report (i32.const 1) (i32.const 0) (i32.const 65536) (i32.const 1)) (i32.const 1024)";
    let mut instance = WatGuest::process(body).with_data("x").start(Limits::default());
    instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    let error = instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap_err();
    assert!(matches!(error, Error::Trap { at: None, .. }), "{error}");
}

#[test]
fn arguments_arrive_as_they_were_given() {
    // Traps unless chain, input, times, length of the block, rows[1] and slots[2] are what the test gives.
    let expect = |value: &str, is: &str| format!("(if (i64.ne {value} (i64.const {is})) (then (unreachable)))");
    let wide = |value: &str| format!("(i64.extend_i32_u {value})");
    let sent = block(7, "ab");
    let body = [
        expect(&wide("(local.get $chain)"), "0"),
        expect(&wide("(local.get $input)"), "3"),
        expect("(local.get $watermark)", "-5"),
        expect("(local.get $now)", "9223372036854775807"),
        expect(&wide("(local.get $block_len)"), &sent.as_bytes().len().to_string()),
        expect(&wide("(i32.load offset=4 (local.get $rows))"), "6"),
        expect(&wide("(i32.load offset=8 (local.get $slots))"), "77"),
        expect(&wide("(i32.load (local.get $block))"), &u32::from_le_bytes(*b"TBLK").to_string()),
        "(i32.const 1024)".to_owned(),
    ];
    let mut instance = WatGuest::process(body.concat()).start(Limits::default());
    let at = tidemill_core::guest::Moment { watermark: -5, now: i64::MAX };
    instance.process(ALONE, 3, at, &sent, &[0, 6, 6], &[8, 9, 77]).unwrap();
}

#[test]
fn an_outcome_comes_back_and_is_held_against_the_call() {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    // A timer (slot 4, replace, due at 9), cleared [4], unchanged [5], a failure of row 1 saying "ab".
    let data = words(&[4, 0, 1, 0, 9, 0, 4, 5, 1, 1, (DATA + 48) as u32, 2, u32::from_le_bytes(*b"ab  ")]);
    let body = outcome([(DATA, 1), (DATA + 24, 1), (DATA + 28, 1), (DATA + 32, 1)]);
    let mut instance = WatGuest::process(body).with_data(data).start(Limits::default());
    let outcome = instance.process(ALONE, 0, AT, &block(2, "x"), &[], &[4, 5]).unwrap();
    assert_eq!((outcome.timers[0].slot, outcome.timers[0].time, outcome.cleared, outcome.unchanged), (4, 9, vec![4], vec![5]));
    assert_eq!((outcome.failures[0].row, outcome.failures[0].operator, outcome.failures[0].message.as_str()), (1, 1, "ab"));
    let error = instance.process(ALONE, 0, AT, &block(2, "x"), &[], &[4]).unwrap_err();
    assert!(matches!(&error, Error::Contract { message, .. } if message.contains("slot 5")), "{error}");
}

#[test]
fn every_other_call_goes_through() {
    let mut instance = WatGuest::default().start(Limits::default());
    instance.on_timer(ALONE, AT, &block(1, "x"), &[0]).unwrap();
    instance.fire(ALONE, AT, &block(1, "x"), &[0, 1], &[0]).unwrap();
    instance.merge(1, &[0], &[1]).unwrap();
    instance.import_state(1, &[0], &state_block(&[1])).unwrap();
    instance.drop_state(1, &[0]).unwrap();
}

/// A guest that keeps one i64 per slot in memory from 256 KiB on, exports and imports blocks of 64 of them, and takes another 64 KiB
/// of memory in every call.
fn keeper() -> WatGuest {
    let process = "(drop (memory.grow (i32.const 1)))
        (loop $l (if (i32.lt_u (local.get $i) (local.get $slots_len)) (then
        (i64.store (i32.add (i32.const 262144) (i32.shl (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))
            (i32.const 3))) (local.get $now))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))) (i32.const 1024)";
    // The block's bytes lie in the data: header and validity of exactly 64 rows; the values are copied in behind.
    let export = "(local $i i32) (memory.copy (i32.const 196608) (i32.const 65536) (i32.const 4096))
        (loop $l (if (i32.lt_u (local.get $i) (local.get $slots_len)) (then
        (i64.store (i32.add (i32.const 197176) (i32.shl (local.get $i) (i32.const 3)))
            (i64.load (i32.add (i32.const 262144) (i32.shl (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))
                (i32.const 3)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l))))
        (i32.store (i32.const 2560) (i32.const 196608)) (i32.store (i32.const 2564) (i32.load (i32.const 65548))) (i32.const 2560)";
    let import = "(local $i i32) (loop $l (if (i32.lt_u (local.get $i) (local.get $slots_len)) (then
        (i64.store (i32.add (i32.const 262144) (i32.shl (i32.load (i32.add (local.get $slots) (i32.shl (local.get $i) (i32.const 2))))
            (i32.const 3))) (i64.load (i32.add (i32.add (local.get $block) (i32.const 568)) (i32.shl (local.get $i) (i32.const 3)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))) (i32.const 1024)";
    WatGuest {
        pages: 16,
        export_state: export.to_owned(),
        import_state: import.to_owned(),
        ..WatGuest::process(process).with_data(state_block(&[0; 64]).as_bytes())
    }
}

#[test]
fn an_instance_that_grows_is_replaced_by_one_with_the_same_state() {
    let limits = Limits { memory_bytes: 4 << 20, ..Limits::default() };
    let (component, plan, document) = keeper().load(&LoadOptions { limits, ..LoadOptions::default() });
    let mut guest = component.factory(&[], document, plan).instantiate().unwrap();
    guest.link(ALONE, &[1]).unwrap();
    guest.link(BOTH, &[1, 2]).unwrap();
    let slots: Vec<u32> = (0..64).collect();
    guest.process(ALONE, 0, AT, &block(1, "x"), &[], &slots).unwrap();
    for now in 0..300u32 {
        // Three times the memory that one instance may have, all slots in turn.
        let at = tidemill_core::guest::Moment { watermark: 0, now: i64::from(now) };
        guest.process(if now % 2 == 0 { ALONE } else { BOTH }, 0, at, &block(1, "x"), &[], &[now % 64]).unwrap();
    }
    assert!(component.recycled() > 5, "{} were replaced", component.recycled());
    let state = guest.export_state(1, &slots).unwrap();
    let expected: Vec<i64> = slots.iter().map(|slot| 256 + i64::from(*slot) - if *slot < 44 { 0 } else { 64 }).collect();
    assert_eq!(state, state_block(&expected));
}

#[test]
fn exported_state_must_be_of_the_declared_schema_and_of_all_slots() {
    let export = |data: &[u8]| {
        let export_state = format!(
            "(i32.store (i32.const 2560) (i32.const {DATA})) (i32.store (i32.const 2564) (i32.const {})) (i32.const 2560)",
            data.len()
        );
        let guest = WatGuest { export_state, ..WatGuest::default() }.with_data(data);
        guest.start(Limits::default()).export_state(1, &[4, 5])
    };
    assert_eq!(export(state_block(&[1, 2]).as_bytes()), Ok(state_block(&[1, 2])));
    let message = |data: &[u8]| match export(data) {
        Err(Error::Contract { export: "export-state", message }) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message(state_block(&[1]).as_bytes()), "it gave 1 rows of state of operator 1, asked for 2");
    assert!(message(block(2, "x").as_bytes()).contains("cannot be read"));
    let mut timed = state_block(&[1, 2]).as_bytes().to_vec();
    timed[48] = 1;
    assert!(message(&timed).contains("event times"));
}

#[test]
fn state_that_does_not_load_is_refused_in_the_guests_words() {
    let import_state = format!(
        "(i32.store8 (i32.const 2560) (i32.const 1)) (i32.store (i32.const 2564) (i32.const {DATA}))
         (i32.store (i32.const 2568) (i32.const 8)) (i32.const 2560)"
    );
    let guest = WatGuest { import_state, ..WatGuest::default() }.with_data("no\x07 codec");
    let error = guest.start(Limits::default()).import_state(1, &[0], &state_block(&[1])).unwrap_err();
    assert_eq!(error, Error::Refused { export: "import-state", message: "no\\u{7} code".to_owned() });
}

/// Rows of the state of `op` in an earlier version.
fn earlier(texts: &[&str]) -> (Schema, Block) {
    let schema: Schema = "v.x:string?".parse().unwrap();
    let mut builder = Builder::new(&schema);
    for text in texts {
        builder.push_time(0);
        builder.column(0).push_str(text);
    }
    let block = builder.finish().unwrap();
    (schema, block)
}

#[test]
fn migrated_state_must_be_of_the_declared_schema_and_have_the_rows_it_was_made_of() {
    let (schema, saved) = earlier(&["one", "two"]);
    let migrate = |data: &[u8]| {
        let body = format!(
            "(i32.store8 (i32.const 2560) (i32.const 0)) (i32.store (i32.const 2564) (i32.const {DATA}))
             (i32.store (i32.const 2568) (i32.const {})) (i32.const 2560)",
            data.len()
        );
        WatGuest::migrates(body).with_data(data).start(Limits::default()).migrate_state(1, &schema, &saved)
    };
    assert_eq!(migrate(state_block(&[1, 2]).as_bytes()), Ok(state_block(&[1, 2])));
    let message = |data: &[u8]| match migrate(data) {
        Err(Error::Contract { export: "migrate-state", message }) => message,
        other => panic!("{other:?}"),
    };
    for other in [&[1][..], &[1, 2, 3]] {
        let expected = format!("it gave {} rows of state of operator 1, asked for 2", other.len());
        assert_eq!(message(state_block(other).as_bytes()), expected);
    }
    // What came in is no answer either.
    for other in [&block(2, "x"), &saved] {
        assert!(message(other.as_bytes()).contains("the state of operator 1 cannot be read"), "{}", message(other.as_bytes()));
    }
    let mut timed = state_block(&[1, 2]).as_bytes().to_vec();
    timed[48] = 1;
    assert!(message(&timed).contains("event times"));
}

#[test]
fn state_that_cannot_be_migrated_is_refused_in_the_guests_words() {
    let body = format!(
        "(i32.store8 (i32.const 2560) (i32.const 1)) (i32.store (i32.const 2564) (i32.const {DATA}))
         (i32.store (i32.const 2568) (i32.const 6)) (i32.const 2560)"
    );
    let (schema, saved) = earlier(&["one"]);
    let error = WatGuest::migrates(body).with_data("no one").start(Limits::default()).migrate_state(1, &schema, &saved).unwrap_err();
    assert_eq!(error, Error::Refused { export: "migrate-state", message: "no one".to_owned() });
}
