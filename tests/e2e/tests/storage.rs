//! A checkpoint directory that is full, or read-only, for a while: the job goes on, checkpoints fail and come back, and a job killed
//! meanwhile goes on from the last whole one.
//!
//! The directory is a small file system of its own in a mount namespace (`unshare`), which goes with its processes.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use tidemill_e2e::{Folder, Tidemill, binary, exit, guest};

/// Runs in the namespace, in the folder of the test. $RUN is the job at a slow pace, $REST the same at full speed.
const SCRIPT: &str = r#"
set -eu
mkdir kept
mount -t tmpfs -o size=512k none kept
lines() { ls kept/log 2>/dev/null | wc -l; }
last() { ls kept/log | tail -n 1; }
failures() { grep -c 'failed (' err || true; }
until_more_failures() { n=$(failures); while [ "$(failures)" -lt $((n + 2)) ]; do sleep 0.02; done; }
$RUN 2> err &
job=$!
while [ "$(lines)" -lt 3 ]; do sleep 0.02; done
eval "$BREAK"
until_more_failures
before=$(last)
eval "$REPAIR"
while [ "$(last)" = "$before" ]; do sleep 0.02; done
eval "$BREAK"
until_more_failures
kill -9 $job
wait $job || true
eval "$REPAIR"
cat err >&2
$REST
"#;

/// Runs a job whose directory breaks twice; its output must be that of a job without trouble.
fn trouble(breaks: &str, repairs: &str, reason: &str) {
    let folder = Folder::new();
    Tidemill::new(folder.path(), "datagen").args(["nexmark", "--events", "20000", "--out", "events.json"]).run().expect(exit::OK, &[]);
    let command = |rate: &str, more: &str| {
        let (program, guest) = (binary().display().to_string(), guest("rust", "nexmark").display().to_string());
        format!("{program} run {guest} --arg query=q11 --parallelism 2 --bind events=file:events.json{rate} {more}")
    };
    let kept = "--bind results=file:out --checkpoint-dir kept --checkpoint-interval 50ms";
    let whole = command("", "--bind results=file:whole");
    Tidemill::wrapped(Path::new("sh"), folder.path()).args(["-c", &whole]).run().expect(exit::OK, &[]);
    let inside = Tidemill::wrapped(Path::new("unshare"), folder.path()).args(["--map-root-user", "--mount", "sh", "-c", SCRIPT]);
    let inside = inside.with(|shell| {
        shell.env("RUN", command("?rate=1000", kept)).env("REST", command("", kept)).env("BREAK", breaks).env("REPAIR", repairs);
    });
    let ended = inside.run();
    ended.expect(exit::OK, &["the job goes on", reason, "going on from checkpoint"]);
    assert_eq!(folder.sorted_lines("out"), folder.sorted_lines("whole"), "{}", ended.stderr);
}

#[test]
fn a_full_disk_fails_checkpoints_and_not_the_job() {
    trouble("cat /dev/zero > kept/ballast 2>/dev/null || true", "rm kept/ballast", "No space left on device");
}

#[test]
fn a_directory_that_becomes_read_only_fails_checkpoints_and_not_the_job() {
    trouble("mount -o remount,ro kept", "mount -o remount,rw kept", "Read-only file system");
}
