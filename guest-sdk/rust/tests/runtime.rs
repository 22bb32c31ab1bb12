//! What operators do with records: failures and their undoing, state, timers, windows, blocks.

#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::RefCell;
use std::rc::Rc;

use tidemill::block::{Block, Builder};
use tidemill::prelude::*;
use tidemill::record::{Cursor, With};
use tidemill::runtime::{Host, Instance, Level, Moment};
use tidemill::testing;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    key: i64,
    text: String,
}

fn item(key: i64, text: &str) -> Item {
    Item { key, text: text.to_owned() }
}

/// Keeps what is emitted and reported.
#[derive(Default)]
struct Heard {
    blocks: RefCell<Vec<(u32, u32, Vec<u8>)>>,
    lines: RefCell<Vec<String>>,
}

impl Host for Heard {
    fn log(&self, level: Level, operator: u32, message: &str) {
        self.lines.borrow_mut().push(format!("{level:?} {operator} {message}"));
    }
    fn emit(&self, operator: u32, port: u32, block: &[u8]) {
        self.blocks.borrow_mut().push((operator, port, block.to_vec()));
    }
    fn report_failure(&self, operator: u32, row: u32, message: &str) {
        self.lines.borrow_mut().push(format!("operator {operator} row {row}: {message}"));
    }
}

const AT: Moment = Moment { watermark: 0, now: 0 };

fn instance(job: fn(&mut Job) -> Result) -> (Instance, Rc<Heard>) {
    let heard = Rc::new(Heard::default());
    let (instance, _) = Instance::plan(job, &[], heard.clone()).map_err(|error| error.to_string()).unwrap();
    (instance, heard)
}

fn block<T: Record>(records: &[T]) -> Vec<u8> {
    let mut builder = Builder::<T>::default();
    records.iter().zip(100..).for_each(|(record, time)| builder.push(record, time));
    builder.finish().to_vec()
}

fn read<T: Record>(bytes: &[u8]) -> Vec<(T, i64)> {
    let block = Block::parse(bytes).unwrap();
    let readers = T::open(&mut Cursor::new(&block)).unwrap();
    (0..block.rows()).map(|row| (T::read(&readers, row), i64::from_le_bytes(block.times()[row]))).collect()
}

/// Emits the text letter by letter; refuses it at a `!`, when some letters have been emitted already.
fn letters(job: &mut Job) -> Result {
    job.source::<Item>("items", json())
        .try_flat_map("letters", |item, out| {
            item.text.chars().try_for_each(|letter| {
                out.emit((item.key, letter.to_string()));
                if letter == '!' { Err("too loud") } else { Ok(()) }
            })
        })
        .on_error(OnError::DeadLetter)
        .filter("not-x", |(_, letter)| letter != "x")
        .sink("out", json());
    Ok(())
}

#[test]
fn what_a_refused_record_emitted_is_taken_back_through_the_chain() {
    let (mut instance, heard) = instance(letters);
    instance.link(0, &[1, 2]);
    let input = block(&[item(1, "ab"), item(2, "cd!e"), item(3, "xf")]);
    let outcome = instance.process(0, 0, AT, &input, &[], &[]);
    assert_eq!(outcome.failures.len(), 1);
    assert_eq!((outcome.failures[0].row, outcome.failures[0].operator, outcome.failures[0].message.as_str()), (1, 1, "too loud"));
    let blocks = heard.blocks.take();
    assert_eq!(blocks.len(), 1);
    let letters: Vec<_> = read::<(i64, String)>(&blocks[0].2).into_iter().map(|((key, letter), time)| (key, letter, time)).collect();
    assert_eq!(letters, [(1, "a".to_owned(), 100), (1, "b".to_owned(), 100), (3, "f".to_owned(), 102)]);
}

/// Emits the text letter by letter and refuses the item at a `!`; the next operator emits each letter twice and refuses a `?`.
fn letters_and_marks(job: &mut Job) -> Result {
    job.source::<Item>("items", json())
        .try_flat_map("letters", |item, out| {
            item.text.chars().try_for_each(|letter| {
                out.emit((item.key, letter.to_string()));
                if letter == '!' { Err("too loud") } else { Ok(()) }
            })
        })
        .on_error(OnError::Skip)
        .try_flat_map("certain", |(key, letter): (i64, String), out| {
            out.emit((key, letter.clone()));
            out.emit((-key, letter.clone()));
            if letter == "?" { Err("unsure") } else { Ok(()) }
        })
        .on_error(OnError::DeadLetter)
        .sink("out", json());
    Ok(())
}

/// What job.wit says of `failure`: a chain means the same as its operators one by one.
#[test]
fn a_member_of_a_chain_refuses_its_own_record_and_no_other_of_the_row() {
    let (mut instance, heard) = instance(letters_and_marks);
    instance.link(0, &[1, 2]);
    let input = block(&[item(1, "a?b?"), item(2, "c?!"), item(3, "d")]);
    let outcome = instance.process(0, 0, AT, &input, &[], &[]);
    let failures: Vec<_> = outcome.failures.iter().map(|f| (f.row, f.operator, f.message.as_str())).collect();
    assert_eq!(failures, [(0, 2, "unsure"), (0, 2, "unsure"), (1, 1, "too loud")]);
    let blocks = heard.blocks.take();
    let out: Vec<_> = read::<(i64, String)>(&blocks[0].2).into_iter().map(|((key, letter), _)| format!("{key}{letter}")).collect();
    assert_eq!(out, ["1a", "-1a", "1b", "-1b", "3d", "-3d"]);
}

#[test]
fn dead_letters_tell_what_was_refused_and_why() {
    let job = |job: &mut Job| {
        let halves = job.source::<i64>("n", json()).try_map("halve", |n| if n % 2 == 0 { Ok(n / 2) } else { Err(format!("{n} is odd")) });
        halves.dead_letters().sink("bad", json());
        halves.sink("out", json());
        Ok(())
    };
    let mut test = testing::job(job).start();
    [4, 5, 6].into_iter().for_each(|n: i64| test.push("n", n));
    assert_eq!(test.sink::<i64>("out"), [2, 3]);
    let letters = test.sink::<DeadLetter>("bad");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].operator.as_str(), letters[0].reason.as_str()), ("halve", "5 is odd"));
}

/// Keeps the last text of each key; refuses `bad` after writing it.
struct Last {
    last: Value<String>,
    seen: ListState<i64>,
    counts: MapState<String, i64>,
    timer: Timer,
}

impl Last {
    fn new(declare: &mut Declare) -> Last {
        Last { last: declare.value("last"), seen: declare.list("seen"), counts: declare.map("counts"), timer: declare.event_timer("t") }
    }
}

impl Process for Last {
    type Key = i64;
    type In = Item;
    type Out = String;

    fn on_record(&self, ctx: &mut Ctx<i64, String>, item: Item) -> Result {
        match item.text.as_str() {
            "look" => {
                let last = ctx.state(&self.last).cloned().unwrap_or_default();
                ctx.emit(last);
                return Ok(());
            }
            "clear" => {
                ctx.state(&self.last).clear();
                ctx.state(&self.seen).clear();
                ctx.state(&self.counts).clear();
                ctx.timer(&self.timer).clear();
                return Ok(());
            }
            _ => {}
        }
        ctx.state(&self.last).set(item.text.clone());
        ctx.state(&self.seen).push(ctx.time());
        *ctx.state(&self.counts).or_insert(item.text.clone(), 0) += 1;
        ctx.timer(&self.timer).add(ctx.time() + 1);
        ctx.emit(item.text.clone());
        if item.text == "bad" {
            bail!("{} is refused", item.text);
        }
        Ok(())
    }
}

fn last(job: &mut Job) -> Result {
    let out = job.source::<Item>("items", json()).key_by(Item::KEY).process("last", Last::new);
    out.on_error(OnError::Skip).sink("out", json());
    Ok(())
}

#[test]
fn a_refused_record_leaves_state_timers_and_output_as_they_were() {
    let mut test = testing::operator(last, "last");
    for text in ["a", "bad", "look"] {
        test.push(item(1, text), 10);
    }
    test.push(item(2, "bad"), 20);
    test.push(item(2, "look"), 20);
    let output: Vec<String> = test.output().into_iter().map(|(text, _)| text).collect();
    assert_eq!(output, ["a", "a", ""]);
    assert_eq!(test.timers(), [("t".to_owned(), 11)]);
    assert_eq!(test.refused(), ["bad is refused", "bad is refused"]);
}

#[test]
fn a_call_says_which_slots_are_empty_and_which_unchanged() {
    let (mut instance, heard) = instance(last);
    instance.link(0, &[1]);
    let input = [item(1, "a"), item(2, "look"), item(3, "a"), item(1, "look"), item(3, "clear"), item(4, "bad")];
    let outcome = instance.process(0, 0, AT, &block(&input), &[], &[0, 1, 2, 0, 2, 3]);
    assert_eq!(outcome.cleared, [1, 2, 3], "never written, cleared, undone");
    assert_eq!(outcome.unchanged, [0_u32; 0]);
    assert_eq!(outcome.timers.len(), 3, "of `bad` there is none");
    let outcome = instance.process(0, 0, AT, &block(&[item(1, "look")]), &[], &[0]);
    assert_eq!((outcome.cleared.as_slice(), outcome.unchanged.as_slice()), (&[][..], &[0][..]));
    heard.blocks.take();
}

#[test]
fn rows_may_be_given_out_of_order_with_their_slots() {
    let (mut instance, heard) = instance(last);
    instance.link(0, &[1]);
    let input = [item(1, "a"), item(2, "b"), item(1, "c")];
    instance.process(0, 0, AT, &block(&input), &[0, 2], &[5, 5]);
    let blocks = heard.blocks.take();
    assert_eq!(read::<String>(&blocks[0].2), [("a".to_owned(), 100), ("c".to_owned(), 102)]);
}

#[test]
fn state_is_exported_and_loaded_again_as_it_was() {
    let (mut first, _) = instance(last);
    first.link(0, &[1]);
    first.process(0, 0, AT, &block(&[item(1, "a"), item(1, "b"), item(2, "c")]), &[], &[7, 7, 1]);
    let exported = first.export_state(1, &[7, 3, 1]).to_vec();
    let (mut second, heard) = instance(last);
    second.link(0, &[1]);
    second.import_state(1, &[0, 1, 2], &exported).unwrap();
    assert_eq!(second.export_state(1, &[0, 1, 2]), exported);
    second.process(0, 0, AT, &block(&[item(1, "look")]), &[], &[0]);
    assert_eq!(read::<String>(&heard.blocks.take()[0].2)[0].0, "b");
    second.drop_state(1, &[0]);
    assert_ne!(second.export_state(1, &[0, 1, 2]), exported);
    let error = second.import_state(1, &[0], &exported).unwrap_err();
    assert_eq!(error, "a block of 3 rows does not fit 1 slots");
    let error = second.import_state(1, &[0], &block(&[item(1, "a")])).unwrap_err();
    assert_eq!(error, "column 0 has type 3, not string");
}

struct Migrating {
    total: Value<(f64, String)>,
    seen: ListState<i64>,
}

impl Process for Migrating {
    type Key = i64;
    type In = Item;
    type Out = String;

    fn on_record(&self, ctx: &mut Ctx<i64, String>, _: Item) -> Result {
        let total = ctx.state(&self.total).cloned().unwrap_or_default();
        let seen = ctx.state(&self.seen).get().len();
        ctx.emit(format!("{} {} {seen}", total.0, total.1));
        Ok(())
    }
}

#[test]
fn state_of_an_earlier_version_is_turned_into_todays() {
    struct Earlier {
        total: Value<(i64, i64)>,
        gone: Value<String>,
        seen: ListState<i64>,
    }
    impl Process for Earlier {
        type Key = i64;
        type In = Item;
        type Out = String;

        fn on_record(&self, ctx: &mut Ctx<i64, String>, item: Item) -> Result {
            ctx.state(&self.total).set((item.key, item.key * 10));
            ctx.state(&self.gone).set(item.text);
            ctx.state(&self.seen).push(item.key);
            Ok(())
        }
    }
    fn earlier(job: &mut Job) -> Result {
        let keyed = job.source::<Item>("items", json()).key_by(Item::KEY);
        let made = |d: &mut Declare| Earlier { gone: d.value("gone"), total: d.value("total"), seen: d.list("seen") };
        keyed.process("sums", made).sink("out", json());
        Ok(())
    }
    fn now(job: &mut Job) -> Result {
        let keyed = job.source::<Item>("items", json()).key_by(Item::KEY);
        let total = |d: &mut Declare| {
            let total = d.value("total").migrates_from(|text: String| (0.0, text));
            total.migrates_from(|(count, sum): (i64, i64)| (sum as f64 / 2.0, format!("of {count}")))
        };
        keyed.process("sums", |d| Migrating { seen: d.list("seen"), total: total(d) }).sink("out", json());
        Ok(())
    }
    let (mut first, _) = instance(earlier);
    first.link(0, &[1]);
    first.process(0, 0, AT, &block(&[item(3, "a"), item(4, "b")]), &[], &[0, 1]);
    let exported = first.export_state(1, &[0, 1, 2]).to_vec();
    let (mut second, heard) = instance(now);
    second.link(0, &[1]);
    let saved = "gone.value:string?,total.f0:i64?,total.f1:i64?,seen.block:bytes?";
    let migrated = second.migrate_state(1, saved, &exported).unwrap().to_vec();
    second.import_state(1, &[0, 1, 2], &migrated).unwrap();
    second.process(0, 0, AT, &block(&[item(3, "a"), item(4, "b"), item(5, "c")]), &[], &[0, 1, 2]);
    let read: Vec<String> = read::<String>(&heard.blocks.take()[0].2).into_iter().map(|(text, _)| text).collect();
    assert_eq!(read, ["15 of 3 1", "20 of 4 1", "0  0"]);
    let error = second.migrate_state(1, "total", &exported).unwrap_err();
    assert!(error.contains("\"total\" is no column"), "{error}");
}

#[test]
fn a_panic_tells_the_host_its_record() {
    fn job(job: &mut Job) -> Result {
        job.source::<i64>("n", json()).map("same", |n| n).map("inverse", |n| 100 / n).sink("out", json());
        Ok(())
    }
    let (mut instance, heard) = instance(job);
    instance.link(0, &[1, 2]);
    let input = block(&[5_i64, 0, 7]);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| instance.process(0, 0, AT, &input, &[], &[])));
    assert!(caught.is_err());
    let lines = heard.lines.take();
    assert!(lines[0].starts_with("operator 2 row 1: ") && lines[0].contains("divide by zero"), "{lines:?}");
}

#[test]
fn a_record_that_emits_much_is_handed_on_in_pieces() {
    fn job(job: &mut Job) -> Result {
        job.source::<i64>("n", json()).flat_map("many", |n, out| (0..n).for_each(|i| out.emit(i))).sink("out", json());
        Ok(())
    }
    let (mut instance, heard) = instance(job);
    instance.link(0, &[1]);
    instance.process(0, 0, AT, &block(&[10_000_i64, 600_000, 1]), &[], &[]);
    let blocks = heard.blocks.take();
    let rows: Vec<usize> = blocks.iter().map(|(.., bytes)| Block::parse(bytes).unwrap().rows()).collect();
    assert_eq!(rows.iter().sum::<usize>(), 610_001);
    assert!(rows.iter().all(|rows| *rows <= 1 << 18), "{rows:?}");
}

/// Texts of a key, one after the other.
fn joined(job: &mut Job) -> Result {
    job.source::<Item>("items", json())
        .key_by(Item::KEY)
        .window(sliding(seconds(10), seconds(2)))
        .fold(
            "join",
            String::new(),
            |all, item| all.push_str(&item.text),
            |all, more| all.push_str(more),
            |w, all| (w.key(), w.start(), w.end(), i64::from(w.firing()), all.clone()),
        )
        .map("marked", |(key, start, end, firing, all)| (key, start, end, firing, format!("<{all}>")))
        .sink("out", json());
    Ok(())
}

#[test]
fn a_window_is_the_merge_of_its_panes_and_leaves_them_as_they_are() {
    let (mut instance, heard) = instance(joined);
    instance.link(0, &[1, 2]);
    instance.process(0, 0, AT, &block(&[item(1, "a"), item(2, "b"), item(1, "c"), item(1, "d")]), &[], &[0, 1, 2, 3]);
    let window = |start: i64| With { record: 1_i64, extra: (start, start + 10, 3_i32) };
    let fire = block(&[window(0), window(10)]);
    instance.fire(0, AT, &fire, &[0, 3, 5], &[0, 2, 3, 2, 3]);
    let results = read::<(i64, i64, i64, i64, String)>(&heard.blocks.take()[0].2);
    assert_eq!(results, [((1, 0, 10, 3, "<acd>".to_owned()), 100), ((1, 10, 20, 3, "<cd>".to_owned()), 101)]);
    instance.merge(1, &[0], &[3]);
    instance.fire(0, AT, &fire, &[0, 1, 2], &[0, 3]);
    let results = read::<(i64, i64, i64, i64, String)>(&heard.blocks.take()[0].2);
    assert_eq!(results, [((1, 0, 10, 3, "<ad>".to_owned()), 100)], "the source of a merge is empty");
}

#[test]
fn a_row_may_belong_to_several_windows() {
    let (mut instance, heard) = instance(joined);
    instance.link(0, &[1]);
    instance.process(0, 0, AT, &block(&[item(1, "a"), item(1, "b"), item(1, "c")]), &[0, 0, 2], &[4, 5, 5]);
    let fire = block(&[With { record: 1_i64, extra: (0_i64, 1_i64, 0_i32) }, With { record: 1, extra: (0, 1, 0) }]);
    instance.fire(0, AT, &fire, &[0, 1, 2], &[4, 5]);
    let texts: Vec<String> = read::<(i64, i64, i64, i64, String)>(&heard.blocks.take()[0].2).into_iter().map(|(r, _)| r.4).collect();
    assert_eq!(texts, ["a", "ac"]);
}

#[test]
fn sessions_merge_their_accumulators_and_late_records_fire_again() {
    fn job(job: &mut Job) -> Result {
        job.source::<(i64, i64)>("items", json())
            .assign_event_time("time", |(_, at)| *at, out_of_order(millis(50)))
            .key_by_fn("key", |(key, _)| *key)
            .window(session(millis(10)))
            .allowed_lateness(millis(100))
            .process("list", |w, records: &[(i64, i64)], out| out.emit((w.start(), w.end(), i64::from(w.firing()), records.len() as i64)))
            .sink("out", json());
        Ok(())
    }
    let mut test = testing::job(job).start();
    for at in [100_i64, 120, 110, 100, 300, 115, 500, 105] {
        test.push("items", (1_i64, at));
    }
    let mut seen = test.sink::<(i64, i64, i64, i64)>("out");
    seen.sort_unstable();
    assert_eq!(seen, [(100, 130, 0, 4), (300, 310, 0, 1)], "115 was too late even for the lateness, or fired again");
}

#[test]
fn processing_time_windows_close_by_the_clock() {
    fn job(job: &mut Job) -> Result {
        job.source::<i64>("n", json()).window_all(tumbling(seconds(1)).processing_time()).count("count").sink("out", json());
        Ok(())
    }
    let mut test = testing::job(job).start();
    test.set_processing_time(1_500);
    test.push("n", 1_i64);
    test.push("n", 2_i64);
    test.set_processing_time(1_998);
    assert!(test.sink::<WindowCount<()>>("out").is_empty());
    test.set_processing_time(1_999);
    assert_eq!(test.sink::<WindowCount<()>>("out"), [WindowCount { key: (), start: 1_000, end: 2_000, count: 2 }]);
}

#[test]
fn log_lines_name_their_operator() {
    fn job(job: &mut Job) -> Result {
        job.source::<i64>("n", json())
            .map("loud", |n| {
                log::warn!("{n} is here");
                n
            })
            .sink("out", json());
        Ok(())
    }
    let mut test = testing::job(job).start();
    test.push("n", 7_i64);
    assert_eq!(test.log(), ["Warn operator 1: 7 is here"]);
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Foreign {
    tags: Vec<String>,
    depth: Option<u8>,
}

#[test]
fn every_kind_of_field_survives_a_block() {
    #[derive(Debug, PartialEq, Record)]
    struct All {
        r#type: bool,
        small: Option<i32>,
        large: i64,
        ratio: f64,
        raw: Vec<u8>,
        maybe_raw: Option<Vec<u8>>,
        name: Option<String>,
        nested: List<Item>,
        json: Json<Foreign>,
        bin: Option<Bin<Foreign>>,
    }
    let foreign = Foreign { tags: vec!["a".to_owned(), String::new()], depth: Some(3) };
    let full = |n: i64| All {
        r#type: n % 2 == 0,
        small: (n % 3 > 0).then_some(n as i32),
        large: n - 5,
        ratio: n as f64 / 7.0,
        raw: vec![n as u8; n as usize],
        maybe_raw: (n % 2 > 0).then(Vec::new),
        name: (n % 5 > 0).then(|| "ü".repeat(n as usize)),
        nested: List((0..n).map(|i| item(i, "x")).collect()),
        json: Json(foreign.clone()),
        bin: (n % 2 > 0).then(|| Bin(foreign.clone())),
    };
    let records: Vec<All> = (0..20).map(full).collect();
    let read = read::<All>(&block(&records));
    assert!(read.iter().zip(&records).all(|((a, _), b)| a == b));
    assert_eq!(All::TYPE.name(), "type");
}
