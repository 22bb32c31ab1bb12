//! Every Nexmark query at parallelism 1, 2 and 4, byte for byte what Apache Flink 2.3 gives for the same 100,000 events.
//!
//! The events are made by `datagen:nexmark`, whose bytes are those of the generator the expected results were made with; results
//! of more than a MiB are kept as the digest of their sorted lines.
#![allow(clippy::unwrap_used)]

use sha2::{Digest, Sha256};
use tidemill_e2e::{Folder, Tidemill, exit, guest, root};

const EVENTS: &str = "datagen:nexmark?events=100000&event-rate=1000&seed=42";

fn check(query: &str) {
    for parallelism in ["1", "2", "4"] {
        let folder = Folder::new();
        let ended = Tidemill::new(folder.path(), "run")
            .arg(guest("rust", "nexmark"))
            .args(["--arg", &format!("query={query}"), "--parallelism", parallelism])
            .bind("events", EVENTS)
            .bind("results", "file:out")
            .run();
        assert_eq!(ended.code, exit::OK, "{query} over {parallelism}: {}", ended.stderr);
        let lines = folder.sorted_lines("out");
        let expected = root().join("tests/e2e/expected/nexmark");
        match std::fs::read_to_string(expected.join(format!("{query}.txt"))) {
            Ok(text) => assert!(lines.iter().eq(text.lines()), "{query} over {parallelism} differs: {}", first_difference(&lines, &text)),
            Err(_) => {
                let digests = std::fs::read_to_string(expected.join("digests.txt")).unwrap();
                let row = digests.lines().find(|row| row.ends_with(&format!(" {query}"))).unwrap();
                let mut bytes = lines.join("\n");
                bytes.push('\n');
                let digest: String = Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(format!("{digest} {} {query}", lines.len()), row, "over {parallelism}");
            }
        }
    }
}

fn first_difference(lines: &[String], expected: &str) -> String {
    let pairs = lines.iter().map(String::as_str).zip(expected.lines());
    let at = pairs.enumerate().find(|(_, (a, b))| a != b);
    format!("{} lines for {}, the first that differs: {at:?}", lines.len(), expected.lines().count())
}

macro_rules! queries {
    ($($query:ident)*) => { $(#[test] fn $query() { check(stringify!($query)); })* };
}

queries! { q0 q1 q2 q3 q4 q5 q7 q8 q11 wordcount timers }

#[test]
fn a_count_in_the_guest_equals_the_count_in_the_host() {
    let folder = Folder::new();
    for aggregate in ["host", "guest"] {
        let ended = Tidemill::new(folder.path(), "run")
            .arg(guest("rust", "nexmark"))
            .args(["--arg", "query=q5", "--arg", &format!("aggregate={aggregate}"), "--parallelism", "2"])
            .bind("events", EVENTS)
            .bind("results", &format!("file:{aggregate}"))
            .run();
        assert_eq!(ended.code, exit::OK, "{}", ended.stderr);
    }
    assert_eq!(folder.sorted_lines("host"), folder.sorted_lines("guest"));
}
