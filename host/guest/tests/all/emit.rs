//! Blocks that a guest emits: taken as they are when right, named when wrong, and never a panic.

use proptest::prelude::any;
use proptest::{prop_assert, proptest};
use tidemill_core::block::Block;
use tidemill_core::guest::{Error, Guest, Limits, Outcome};

use crate::wat_guest::{ALONE, AT, BOTH, DATA, WatGuest, block};

/// A guest that emits the block it was given, cut or lengthened to `$now` bytes where that is not 0, on the operator and port
/// that `$watermark` gives in its two halves.
fn echo() -> WatGuest {
    WatGuest::process(
        "(call $emit (i32.wrap_i64 (i64.shr_u (local.get $watermark) (i64.const 32))) (i32.wrap_i64 (local.get $watermark))
           (local.get $block) (select (local.get $block_len) (i32.wrap_i64 (local.get $now)) (i64.eqz (local.get $now))))
         (i32.const 1024)",
    )
}

fn emit(operator: i64, port: i64, len: i64, chain: u32, block: &Block) -> Result<Outcome, Error> {
    let at = tidemill_core::guest::Moment { watermark: operator << 32 | port, now: len };
    echo().start(Limits::default()).process(chain, 0, at, block, &[], &[])
}

fn contract(result: Result<Outcome, Error>) -> String {
    match result {
        Err(Error::Contract { export: "process", message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_right_block_arrives_unchanged() {
    let sent = block(1000, "größe");
    let outcome = emit(1, 0, 0, ALONE, &sent).unwrap();
    let [emission] = &outcome.emitted[..] else { panic!("one block") };
    assert_eq!((emission.operator, emission.port, &emission.block), (1, 0, &sent));
}

#[test]
fn wrong_operators_and_ports_are_named() {
    let sent = block(1, "x");
    assert!(contract(emit(9, 0, 0, ALONE, &sent)).contains("operator 9"));
    assert!(contract(emit(2, 0, 0, ALONE, &sent)).contains("not of this chain"));
    assert!(contract(emit(1, 2, 0, ALONE, &sent)).contains("port 2 of operator op"));
    assert!(contract(emit(1, 0, 0, BOTH, &sent)).contains("port 0 of operator op"));
    assert!(emit(2, 0, 0, BOTH, &sent).is_ok());
}

#[test]
fn a_block_of_another_schema_is_named() {
    assert!(contract(emit(1, 1, 0, ALONE, &block(1, "x"))).contains("port 1 of operator op that cannot be read"));
}

#[test]
fn a_block_of_the_wrong_length_is_named() {
    let sent = block(3, "x");
    for len in [8, 24, 32, sent.as_bytes().len() as i64 - 8, sent.as_bytes().len() as i64 + 8] {
        assert!(contract(emit(1, 0, len, ALONE, &sent)).contains("cannot be read"), "{len}");
    }
}

#[test]
fn an_empty_block_is_nothing() {
    let mut bytes = block(1, "").as_bytes().to_vec();
    // No rows: the columns' parts shrink to one offset of the text column.
    bytes[8..12].copy_from_slice(&0u32.to_le_bytes());
    bytes.truncate(72);
    bytes[12..16].copy_from_slice(&72u32.to_le_bytes());
    bytes[40..44].copy_from_slice(&64u32.to_le_bytes());
    bytes[56..60].copy_from_slice(&64u32.to_le_bytes());
    bytes[60..64].copy_from_slice(&72u32.to_le_bytes());
    bytes[64..72].fill(0);
    let body = format!("(call $emit (i32.const 1) (i32.const 0) (i32.const {DATA}) (i32.const {})) (i32.const 1024)", bytes.len());
    let mut instance = WatGuest::process(body).with_data(bytes).start(Limits::default());
    assert_eq!(instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]), Ok(Outcome::default()));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2000, ..Default::default() })]
    #[test]
    fn damaged_blocks_are_refused_or_readable(at in any::<usize>(), bit in 0u8..8, second in any::<usize>(), value in any::<u8>()) {
        thread_local! {
            static LOADED: (tidemill_guest::Component, std::sync::Arc<tidemill_core::plan::Plan>, String) =
                poke().load(&tidemill_guest::LoadOptions::default());
        }
        let sent = block(5, "größe");
        let (at, second) = (at % sent.as_bytes().len(), second % sent.as_bytes().len());
        let mut instance = LOADED.with(|(component, plan, document)| component.instantiate(&[], document, plan.clone()).unwrap());
        instance.link(ALONE, &[1]).unwrap();
        let (watermark, now) = ((at as i64) << 8 | i64::from(bit), (second as i64) << 8 | i64::from(value));
        let moment = tidemill_core::guest::Moment { watermark, now };
        match instance.process(ALONE, 0, moment, &sent, &[], &[]) {
            Err(error) => prop_assert!(matches!(error, Error::Contract { .. }), "{error}"),
            Ok(outcome) => {
                for emission in &outcome.emitted {
                    for column in 0..emission.block.columns() {
                        (0..emission.block.rows()).for_each(|row| drop(format!("{:?}", emission.block.column(column).value(row))));
                    }
                }
            }
        }
    }
}

/// A guest that flips bit `$watermark & 255` of byte `$watermark >> 8`, writes `$now & 255` into byte `$now >> 8`, and emits.
fn poke() -> WatGuest {
    WatGuest::process(
        "(local.set $i (i32.add (local.get $block) (i32.wrap_i64 (i64.shr_u (local.get $watermark) (i64.const 8)))))
         (i32.store8 (local.get $i) (i32.xor (i32.load8_u (local.get $i))
            (i32.shl (i32.const 1) (i32.and (i32.wrap_i64 (local.get $watermark)) (i32.const 255)))))
         (local.set $i (i32.add (local.get $block) (i32.wrap_i64 (i64.shr_u (local.get $now) (i64.const 8)))))
         (i32.store8 (local.get $i) (i32.wrap_i64 (local.get $now)))
         (call $emit (i32.const 1) (i32.const 0) (local.get $block) (local.get $block_len)) (i32.const 1024)",
    )
}
