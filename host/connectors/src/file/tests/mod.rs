//! Files, stripes and parts, on real directories.
#![allow(clippy::unwrap_used)]

mod sink;

use std::collections::HashMap;
use std::fs;
use std::io::Write;

use proptest::prelude::*;
use tempfile::TempDir;
use tidemill_core::TIME_MIN;
use tidemill_core::connect::{Error, Polled};

use super::*;
use crate::testing::{self, all_lines, drain};

fn url(dir: &TempDir, rest: &str) -> String {
    format!("file:{}/{rest}", dir.path().display())
}

fn read(url: &str, schema: &str, format: &str, on_error: &str) -> Result<Vec<String>, Error> {
    let source = crate::open_source(url, &testing::source(schema, format, "", on_error))?;
    let batches = drain(&mut *testing::reader(&*source), 3)?;
    Ok(all_lines(&batches))
}

/// Readers over the files of a pattern, with stripes of a size that no real source has.
fn share_of(dir: &TempDir, pattern: &str, stripe_bytes: u64) -> Arc<Shared> {
    let operator = testing::source("n:i64", "json", r#""time":"at""#, "fail");
    let layout = Arc::new(Layout::of(&operator, Format::Json).unwrap());
    let url = Url::parse(&url(dir, pattern), &[]).unwrap();
    Arc::new(share(&url, layout, Format::Json, stripe_bytes).unwrap())
}

/// Lines of one file: a number of their own, a time that rises but for some disorder, and padding.
fn content(lines: &[(u8, u8)], first: usize, end: &str) -> (String, i64) {
    let (mut text, mut newest, mut disorder) = (String::new(), i64::MIN, 0);
    for (i, (late, pad)) in lines.iter().enumerate() {
        let time = 10 * i as i64 - i64::from(*late);
        newest = newest.max(time);
        disorder = disorder.max(newest - time);
        let blank = if pad % 7 == 0 { end } else { "" };
        text += &format!("{blank}{{\"n\":{},\"at\":{time},\"pad\":\"{}\"}}{end}", first + i, "x".repeat(usize::from(*pad)));
    }
    (text, disorder)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the files, the stripes and the order in which workers come to read: every line is read once; no worker is told of a time
    /// that one of its later records lies further behind than the file's own disorder; an ended split stays ended.
    #[test]
    fn stripes_lose_nothing_and_never_run_ahead(
        files in proptest::collection::vec(proptest::collection::vec((any::<u8>(), any::<u8>()), 0..40), 1..4),
        stripe_bytes in 1u64..700,
        peers in 1usize..5,
        rows in 1usize..9,
        turns in proptest::collection::vec(0usize..8, 1..64),
        crlf: bool,
        cut: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = 0;
        let mut disorders = Vec::new();
        for (index, lines) in files.iter().enumerate() {
            let (mut text, disorder) = content(lines, expected, if crlf { "\r\n" } else { "\n" });
            if cut {
                text.truncate(text.trim_end().len());
            }
            fs::write(dir.path().join(format!("{index}.json")), text).unwrap();
            expected += lines.len();
            disorders.push(disorder);
        }
        let shared = share_of(&dir, "*.json", stripe_bytes);
        // Readers come into being when they are first polled: a late start is the rule here.
        let mut readers: Vec<Option<reader::FileReader>> = (0..peers).map(|_| None).collect();
        let mut finished = vec![false; peers];
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut turns = turns.iter().cycle();
        while finished.iter().any(|f| !f) {
            let turn = turns.next().unwrap();
            let worker = (*turn..turn + peers).map(|w| w % peers).find(|&w| !finished[w]).unwrap();
            let reader = readers[worker].get_or_insert_with(|| reader::FileReader::new(shared.clone(), worker, peers));
            let before = reader.splits().to_vec();
            match reader.poll(rows).unwrap() {
                Polled::Batch(batch) => {
                    prop_assert!(batch.records as usize <= rows);
                    for block in batch.blocks.iter().map(|(_, block)| block) {
                        let split = before[batch.split];
                        prop_assert!(!split.ended);
                        prop_assert!(block.times().iter().all(|t| t >= split.max_time.saturating_sub(disorders[batch.split])));
                        testing::lines(block).into_iter().for_each(|l| *seen.entry(l).or_default() += 1);
                    }
                }
                Polled::Pending => prop_assert!(false, "a file never pends"),
                Polled::Ended => finished[worker] = true,
            }
            let after = readers[worker].as_ref().unwrap().splits();
            prop_assert!(before.iter().zip(after).all(|(b, a)| a.max_time >= b.max_time && (a.ended || !b.ended)));
            prop_assert!(!finished[worker] || after.iter().all(|s| s.ended));
        }
        prop_assert_eq!(seen.len(), expected);
        prop_assert!(seen.values().all(|&n| n == 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Readers come to a boundary one after the other, while those that have passed it read on. From the positions any number of readers
    /// reads exactly what had not been read before the boundary; so it does from where the readers end when they are stopped after it.
    #[test]
    fn from_a_boundary_every_line_is_read_once(
        files in proptest::collection::vec(proptest::collection::vec((any::<u8>(), any::<u8>()), 0..40), 1..4),
        stripe_bytes in 1u64..700,
        peers in 1usize..5,
        later in 1usize..5,
        rows in 1usize..9,
        turns in proptest::collection::vec(0usize..8, 1..64),
        boundaries in proptest::collection::vec(0usize..40, 1..4),
        packed: bool,
        stopped: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = 0;
        for (index, lines) in files.iter().enumerate() {
            let (text, _) = content(lines, expected, "\n");
            expected += lines.len();
            let name = dir.path().join(format!("{index}.json"));
            if packed && index == 0 {
                let mut gz = flate2::write::GzEncoder::new(fs::File::create(dir.path().join("0.json.gz")).unwrap(), flate2::Compression::fast());
                gz.write_all(text.as_bytes()).unwrap();
                gz.finish().unwrap();
            } else {
                fs::write(name, text).unwrap();
            }
        }
        let shared = share_of(&dir, "*.json*", stripe_bytes);
        let mut all: Vec<Standing> = (0..peers).map(|i| Standing::new(reader::FileReader::new(shared.clone(), i, peers))).collect();
        let (mut before, mut turns) = (Vec::new(), turns.iter().cycle());
        for (number, polls) in boundaries.iter().enumerate() {
            // Everybody reads; then each comes to the boundary at a turn of its own. Those that have been there read on, as do others.
            let boundary = 10 + number as u64;
            let counts = number + 1 < boundaries.len() || stopped;
            for _ in 0..*polls {
                all[turns.next().unwrap() % peers].read_on(rows, None, Some(&mut before));
            }
            for reader in &mut all {
                reader.passed = reader.ended;
                reader.at_boundary.clone_from(&reader.at_end);
            }
            for step in 0.. {
                if all.iter().all(|reader| reader.passed) {
                    break;
                }
                let worker = turns.next().unwrap() % peers;
                if step % 3 > 0 {
                    // Behind the boundary: counts as read only where something follows that it lies before.
                    let lines = (counts || !all[worker].passed).then_some(&mut before);
                    all[worker].read_on(rows, Some(boundary), lines);
                } else {
                    let worker = (worker..worker + peers).map(|w| w % peers).find(|&w| !all[w].passed).unwrap();
                    all[worker].pass(boundary);
                }
            }
        }
        if stopped {
            // Each comes to its end at a turn of its own, while others read on.
            while let Some(worker) = (0..peers).find(|&w| !all[w].ended) {
                let worker = (worker..peers).rev().find(|&w| !all[w].ended && turns.next().unwrap() % 3 == 0).unwrap_or(worker);
                if turns.next().unwrap() % 2 == 0 {
                    all[worker].end();
                } else {
                    all[worker].read_on(rows, None, Some(&mut before));
                }
            }
        }
        let positions: Vec<Option<String>> =
            all.into_iter().map(|reader| if stopped { reader.at_end } else { reader.at_boundary }).collect();
        let positions: Vec<String> = positions.into_iter().flatten().collect();
        let again = share_of(&dir, "*.json*", stripe_bytes);
        FileSource(again.clone()).restore(&positions).unwrap();
        for number in 0..later {
            let mut reader = reader::FileReader::new(again.clone(), number, later);
            let mut over = false;
            while !over {
                match reader.poll(rows).unwrap() {
                    Polled::Batch(batch) => before.extend(all_lines(&[batch])),
                    _ => over = true,
                }
            }
        }
        let total = before.len();
        before.sort();
        before.dedup();
        prop_assert_eq!((total, before.len()), (expected, expected), "lines read, and different ones");
    }
}

/// A reader, and what it said last about where it stands, as a job has it.
struct Standing {
    reader: reader::FileReader,
    passed: bool,
    ended: bool,
    at_boundary: Option<String>,
    at_end: Option<String>,
}

impl Standing {
    fn new(reader: reader::FileReader) -> Standing {
        Standing { reader, passed: false, ended: false, at_boundary: None, at_end: None }
    }

    fn pass(&mut self, boundary: u64) {
        self.at_boundary = self.reader.position(Some(boundary)).unwrap();
        self.passed = true;
    }

    fn end(&mut self) {
        self.at_end = self.reader.position(None).unwrap();
        self.ended = true;
    }

    /// Where it ends while others come to a boundary, it has come to that first.
    fn read_on(&mut self, rows: usize, boundary: Option<u64>, lines: Option<&mut Vec<String>>) {
        if self.ended {
            return;
        }
        match (self.reader.poll(rows).unwrap(), boundary) {
            (Polled::Batch(batch), _) => {
                if let Some(lines) = lines {
                    lines.extend(all_lines(&[batch]));
                }
            }
            (_, Some(boundary)) => {
                if !self.passed {
                    self.pass(boundary);
                }
                self.end();
            }
            (_, None) => self.end(),
        }
    }
}

#[test]
fn files_of_one_time_range_advance_together() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.json"] {
        let (text, _) = content(&[(0, 50); 200], 0, "\n");
        fs::write(dir.path().join(name), text).unwrap();
    }
    let shared = share_of(&dir, "*.json", 500);
    let mut reader = reader::FileReader::new(shared, 0, 1);
    while let Polled::Batch(_) = reader.poll(100).unwrap() {
        let splits = reader.splits();
        let apart = splits[0].max_time.saturating_sub(splits[1].max_time).abs();
        let started = splits.iter().all(|s| s.max_time > TIME_MIN && !s.ended);
        assert!(!started || apart <= 150, "{splits:?}");
    }
}

#[test]
fn more_files_than_are_kept_open_are_read_in_turns() {
    let dir = tempfile::tempdir().unwrap();
    let files = reader::HANDLES_MAX + 4;
    for i in 0..files {
        fs::write(dir.path().join(format!("{i:02}.json")), content(&[(0, 0); 20], 20 * i, "\n").0).unwrap();
    }
    let mut reader = reader::FileReader::new(share_of(&dir, "*.json", 50), 0, 1);
    let mut lines = Vec::new();
    while let Polled::Batch(batch) = reader.poll(2).unwrap() {
        lines.extend(all_lines(&[batch]));
        assert!(reader.open_files() <= reader::HANDLES_MAX);
    }
    assert_eq!((lines.len(), reader.open_files()), (20 * files, reader::HANDLES_MAX));
}

#[test]
fn a_slow_source_has_short_stripes() {
    assert_eq!([None, Some(1), Some(50_000), Some(u64::MAX)].map(stripe_bytes), [STRIPE_BYTES, STRIPE_BYTES_MIN, 12_800, STRIPE_BYTES]);
}

#[test]
fn lines_far_longer_than_a_stripe_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let pad = "y".repeat(300_000);
    let text: String = (0..4).map(|n| format!("{{\"n\":{n},\"at\":{n},\"pad\":\"{pad}\"}}\n")).collect();
    fs::write(dir.path().join("long.json"), text.trim_end()).unwrap();
    let shared = share_of(&dir, "long.json", 1_000);
    let mut readers = [reader::FileReader::new(shared.clone(), 0, 2), reader::FileReader::new(shared, 1, 2)];
    let mut seen = Vec::new();
    for turn in 0.. {
        match readers[turn % 2].poll(10).unwrap() {
            Polled::Batch(batch) => seen.extend(all_lines(&[batch])),
            _ => break,
        }
    }
    readers.iter_mut().for_each(|r| seen.extend(all_lines(&drain(r, 10).unwrap())));
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3"]);
}

#[test]
fn the_job_may_assign_times() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), "one\ntwo\nthree\n").unwrap();
    let source = crate::open_source(&url(&dir, "a.txt"), &testing::source("line:string", "text", "", "fail")).unwrap();
    let mut reader = testing::reader(&*source);
    reader.poll(2).unwrap();
    assert_eq!(reader.splits()[0].max_time, TIME_MIN);
    reader.observe(0, 40);
    reader.observe(0, 30);
    assert_eq!(reader.splits()[0].max_time, 40);
    let late = source.reader(1, 2, Arc::new(|| {})).unwrap();
    assert_eq!(late.splits()[0].max_time, TIME_MIN, "the stripe is not complete yet");
    drain(&mut *reader, 2).unwrap();
    let late = source.reader(1, 2, Arc::new(|| {})).unwrap();
    assert_eq!((late.splits()[0].max_time, late.splits()[0].ended), (40, true));
}

#[test]
fn patterns_directories_and_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a1.json", "a2.json", "b1.json"] {
        fs::write(dir.path().join(name), format!("{{\"s\":\"{name}\"}}\n")).unwrap();
    }
    fs::create_dir(dir.path().join("a9.json")).unwrap();
    let all = |pattern: &str| read(&url(&dir, pattern), "s:string", "json", "fail");
    assert_eq!(all("a?.json").unwrap(), ["a1.json", "a2.json"]);
    assert_eq!(all("[b-z]*").unwrap(), ["b1.json"]);
    let text = |pattern: &str| all(pattern).unwrap_err().to_string();
    assert!(text("c*.json").contains("no file matches"));
    assert!(text("none.json").contains("no such file"), "{}", text("none.json"));
    assert!(text("").contains("is a directory: write file:"), "{}", text(""));
    assert!(text("a1.json?fromat=csv").contains("unknown option"));
    // Tests may run as a user who may read everything, so the words are asked for directly.
    let denied = super::advice(&io::ErrorKind::PermissionDenied.into(), Path::new("x"));
    assert!(denied.contains("permission denied") && denied.contains("ls -l"));
}

#[test]
fn an_empty_file_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.json.gz", "c.csv"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let source = crate::open_source(&url(&dir, "*"), &testing::source("s:string", "json", "", "fail")).unwrap();
    let mut reader = testing::reader(&*source);
    assert!(reader.splits().iter().all(|s| s.ended));
    assert!(matches!(reader.poll(1), Ok(Polled::Ended)));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

#[test]
fn packed_files_are_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |from: u32| (from..from + 20_000).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>();
    // Two members one after the other are one file, as gzip itself holds.
    fs::write(dir.path().join("a.json.gz"), [gzip(lines(0).as_bytes()), gzip(lines(20_000).as_bytes())].concat()).unwrap();
    fs::write(dir.path().join("b.json.zst"), zstd::encode_all(lines(40_000).as_bytes(), 1).unwrap()).unwrap();
    let source = crate::open_source(&url(&dir, "*"), &testing::source("n:i64", "json", "", "fail")).unwrap();
    let mut seen = Vec::new();
    for worker in 0..2 {
        let mut reader = source.reader(worker, 2, Arc::new(|| {})).unwrap();
        let rows = all_lines(&drain(&mut *reader, 1_000).unwrap());
        assert!(rows.len() == 40_000 || rows.len() == 20_000, "each worker has one file, and {} rows", rows.len());
        seen.extend(rows.into_iter().map(|n| n.parse::<u32>().unwrap()));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..60_000));
}

#[test]
fn a_damaged_packed_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let whole = gzip("{\"n\":1}\n".repeat(50_000).as_bytes());
    fs::write(dir.path().join("cut.json.gz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(dir.path().join("no.json.gz"), "{\"n\":1}\n").unwrap();
    fs::write(dir.path().join("no.json.zst"), "{\"n\":1}\n").unwrap();
    for (name, tool) in [("cut.json.gz", "gzip -t"), ("no.json.gz", "gzip -t"), ("no.json.zst", "zstd -t")] {
        let text = read(&url(&dir, name), "n:i64", "json", "skip").unwrap_err().to_string();
        assert!(text.contains(name) && text.contains(tool), "{text}");
    }
}

#[test]
fn bad_records_are_placed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.json"), "\u{feff}{\"n\":1}\n\n{\"n\":\"x\"}\r\n{\"n\":3}\nno\n").unwrap();
    let text = read(&url(&dir, "a.json"), "n:i64", "json", "fail").unwrap_err().to_string();
    assert!(text.contains("a.json:3 (byte 12): field \"n\" holds a string where i64 belongs: {\"n\":\"x\"}"), "{text}");
    assert_eq!(read(&url(&dir, "a.json"), "n:i64", "json", "skip").unwrap(), ["1", "3"]);
    let source = crate::open_source(&url(&dir, "a.json"), &testing::source("n:i64", "json", "", "dead-letter")).unwrap();
    let batches = drain(&mut *testing::reader(&*source), 10).unwrap();
    let bad: Vec<_> = batches.iter().flat_map(|b| &b.bad).collect();
    assert_eq!(bad.iter().map(|b| b.record.as_str()).collect::<Vec<_>>(), ["{\"n\":\"x\"}", "no"]);
    assert!(bad[0].place.ends_with("a.json:3 (byte 12)") && bad[1].place.ends_with("a.json:5 (byte 31)"), "{bad:?}");
    assert_eq!((batches[0].records, batches[0].bad_count), (4, 2));
}

#[test]
fn a_line_without_end_is_a_bad_record_and_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let long = [b"{\"s\":\"".to_vec(), vec![b'x'; 20 << 20], b"\"}\n{\"s\":\"after\"}\n".to_vec()].concat();
    let good = b"{\"s\":\"before\"}\n";
    let text = [good.as_slice(), &long].concat();
    fs::write(dir.path().join("a.json"), &text).unwrap();
    fs::write(dir.path().join("a.json.gz"), gzip(&text)).unwrap();
    for name in ["a.json", "a.json.gz"] {
        assert_eq!(read(&url(&dir, name), "s:string", "json", "skip").unwrap(), ["before", "after"], "{name}");
        let text = read(&url(&dir, name), "s:string", "json", "fail").unwrap_err().to_string();
        assert!(text.contains(":2 (byte 15): a line of more than 8388608 bytes"), "{}", &text[..200]);
        assert!(text.len() < 2 * tidemill_core::connect::RECORD_SHOWN_MAX);
    }
}

#[test]
fn lines_are_counted_past_one_that_is_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let text = [b"{\"s\":1}\n".as_slice(), &vec![b'x'; 10 << 20], b"\n{\"s\":\"good\"}\nno\n"].concat();
    fs::write(dir.path().join("a.json.gz"), gzip(&text)).unwrap();
    let source = crate::open_source(&url(&dir, "a.json.gz"), &testing::source("s:string", "json", "", "dead-letter")).unwrap();
    let batches = drain(&mut *testing::reader(&*source), 10).unwrap();
    assert_eq!(all_lines(&batches), ["good"]);
    let places: Vec<_> = batches.iter().flat_map(|b| &b.bad).map(|b| b.place.rsplit_once("gz").unwrap().1).collect();
    let long_end = 8 + (10 << 20) + 1;
    assert_eq!(places, [":1 (byte 0)".to_owned(), ":2 (byte 8)".to_owned(), format!(":4 (byte {})", long_end + 13)]);
}

#[test]
fn csv_by_its_header() {
    let dir = tempfile::tempdir().unwrap();
    let text = "c,b,a,unused\n\"x, \"\"y\"\"\nz\",1.5, 7 ,\n,,8,u\nw,2,nine,\nw,2,9\n";
    fs::write(dir.path().join("a.csv"), text).unwrap();
    let good = read(&url(&dir, "a.csv"), "a:i64,b:f64?,c:string", "csv", "skip").unwrap();
    assert_eq!(good, ["7|1.5|x, \"y\"\nz", "8|-|"]);
    let error = |schema: &str| read(&url(&dir, "a.csv"), schema, "csv", "fail").unwrap_err().to_string();
    assert!(error("a:i64").contains("a.csv:5 (byte 41): field \"a\" holds \"nine\" where i64 belongs: w,2,nine,"), "{}", error("a:i64"));
    assert!(error("d:i64").contains("needs column \"d\", but the header line is c,b,a,unused"), "{}", error("d:i64"));
    fs::write(dir.path().join("b.csv"), "a\n1\n\n2").unwrap();
    assert_eq!(read(&url(&dir, "b.csv"), "a:i64", "csv", "fail").unwrap(), ["1", "2"], "a last line without end counts");
    fs::write(dir.path().join("c.csv"), "a,a\n1,2\n").unwrap();
    let twice = read(&url(&dir, "c.csv"), "a:i64", "csv", "fail").unwrap_err().to_string();
    assert!(twice.contains("stands twice"), "{twice}");
}

#[test]
fn text_lines_are_one_field() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), b"one two\r\n\n  three\t\nb\xffd\nlast").unwrap();
    assert_eq!(read(&url(&dir, "a.txt"), "line:string", "text", "skip").unwrap(), ["one two", "  three\t", "last"]);
    let text = read(&url(&dir, "a.txt"), "line:string", "text", "fail").unwrap_err().to_string();
    assert!(text.contains("a.txt:4") && text.contains("not UTF-8"), "{text}");
    let text = read(&url(&dir, "a.txt"), "n:i64", "text", "fail").unwrap_err().to_string();
    assert!(text.contains("one string field"), "{text}");
}

#[test]
fn files_that_are_held_are_left_alone_until_they_are_let_go() {
    for packed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        for file in 0..3 {
            let (text, _) = content(&[(0, 0); 20], file * 100, "\n");
            let path = dir.path().join(format!("{file}.json{}", if packed { ".gz" } else { "" }));
            if packed {
                let mut packer = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
                packer.write_all(text.as_bytes()).unwrap();
                packer.finish().unwrap();
            } else {
                fs::write(path, text).unwrap();
            }
        }
        let mut reader = reader::FileReader::new(share_of(&dir, "*.json*", 50), 0, 1);
        let read = |reader: &mut reader::FileReader, held: [bool; 3]| {
            reader.hold(&held);
            let (mut seen, mut last) = ([0; 3], None);
            while last.is_none() {
                match reader.poll(3).unwrap() {
                    Polled::Batch(batch) => seen[batch.split] += batch.records,
                    other => last = Some(matches!(other, Polled::Ended)),
                }
            }
            (seen, last)
        };
        assert_eq!(read(&mut reader, [true, false, true]), ([0, 20, 0], Some(false)));
        assert_eq!(read(&mut reader, [false, false, true]), ([20, 0, 0], Some(false)));
        assert_eq!(read(&mut reader, [false; 3]), ([0, 0, 20], Some(true)));
    }
}
