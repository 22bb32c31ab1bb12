//! What the bridge costs. The bounds are wide, for slow machines and debug builds: they catch an element-wise copy or a lookup
//! per call, not noise. `cargo test --release cost -- --nocapture` prints the figures.

use std::time::{Duration, Instant};

use tidemill_core::guest::{Guest, Limits};

use crate::wat_guest::{ALONE, AT, WatGuest, block};

/// The shortest of several rounds, as the one least disturbed.
fn shortest(mut round: impl FnMut()) -> Duration {
    (0..7)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .min()
        .unwrap()
}

#[test]
fn a_call_costs_microseconds_at_most() {
    let mut instance = WatGuest::default().start(Limits::default());
    let one = block(1, "x");
    let per_call = shortest(|| (0..2_000).for_each(|_| drop(instance.process(ALONE, 0, AT, &one, &[], &[]).unwrap()))) / 2_000;
    let slots: Vec<u32> = (0..4096).collect();
    let with_slots = shortest(|| (0..100).for_each(|_| drop(instance.process(ALONE, 0, AT, &one, &[], &slots).unwrap()))) / 100;
    let mut picky = WatGuest::process(
        "(i32.store (i32.const 2576) (local.get $slots)) (i32.store (i32.const 2580) (local.get $slots_len))
        (i32.const 2560)",
    )
    .start(Limits::default());
    let unchanged = shortest(|| (0..100).for_each(|_| drop(picky.process(ALONE, 0, AT, &one, &[], &slots).unwrap()))) / 100;
    println!("process: {per_call:?} a call, {with_slots:?} with 4096 slots, {unchanged:?} with all of them returned");
    assert!(per_call < Duration::from_micros(20) && with_slots < Duration::from_micros(60) && unchanged < Duration::from_micros(200));
}

#[test]
fn emitting_costs_a_copy_and_the_check() {
    let echo = "(call $emit (i32.const 1) (i32.const 0) (local.get $block) (local.get $block_len)) (i32.const 1024)";
    let (mut silent, mut echo) = (WatGuest::default().start(Limits::default()), WatGuest::process(echo).start(Limits::default()));
    let large = block(20_000, "some text of a usual length, in fact fifty-one bytes");
    let len = large.as_bytes().len();
    let into = shortest(|| (0..10).for_each(|_| drop(silent.process(ALONE, 0, AT, &large, &[], &[]).unwrap()))) / 10;
    let both = shortest(|| (0..10).for_each(|_| drop(echo.process(ALONE, 0, AT, &large, &[], &[]).unwrap()))) / 10;
    let schema = "n:i64,s:string".parse().unwrap();
    let copies: Vec<Vec<u8>> = (0..7).map(|_| large.as_bytes().to_vec()).collect();
    let mut copies = copies.into_iter();
    let check = shortest(|| drop(tidemill_core::block::Block::from_bytes(copies.next().unwrap(), &schema).unwrap()));
    let ns = |time: Duration| time.as_nanos() as f64 / len as f64;
    println!("a block of {len} bytes: in {:.3} ns/byte, in and out {:.3}, of which the check {:.3}", ns(into), ns(both), ns(check));
    assert!(ns(into) < 5.0 && ns(both) < 15.0);
}
