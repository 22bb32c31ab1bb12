//! What a machine runs out of: disk, permission, memory.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use serde_json::Value;
use tidemill_e2e::{Folder, Tidemill, binary, exit, guest};

/// The user `nobody` of every Linux: root may do everything, so that permissions have to be tested as somebody else.
const NOBODY: u32 = 65534;

#[test]
fn a_full_disk_under_a_file_sink_fails_the_job_and_leaves_no_finished_part() {
    let folder = Folder::new();
    folder.write("in.txt", "some words to count\n".repeat(20_000));
    // A file of 64 KiB at most: the shell ignores the signal, so that the write fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
    let job = Tidemill::wrapped(Path::new("sh"), folder.path()).args(["-c", script]).arg(binary()).arg("run");
    let ended = job.arg(guest("rust", "wordcount")).bind("lines", "file:in.txt").bind("counts", "file:out").run();
    ended.expect(exit::FAILED, &["counts", "part-0", "File too large"]);
    assert!(folder.parts("out").is_empty(), "a part that is not whole must not look finished");
}

#[test]
fn files_and_folders_without_permission_are_named() {
    let folder = Folder::new();
    let here = folder.path();
    // Somebody else can read neither our home nor cargo's target folder.
    fs::set_permissions(here, fs::Permissions::from_mode(0o755)).unwrap();
    let (program, job) = (here.join("tidemill"), here.join("job.wasm"));
    fs::copy(binary(), &program).unwrap();
    fs::copy(guest("rust", "wordcount"), &job).unwrap();
    fs::set_permissions(&job, fs::Permissions::from_mode(0o644)).unwrap();
    folder.write("in.txt", "a\n");
    fs::set_permissions(here.join("in.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    folder.write("secret.txt", "a\n");
    fs::create_dir(here.join("closed")).unwrap();
    for closed in ["secret.txt", "closed"] {
        fs::set_permissions(here.join(closed), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let is_root = fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() == 0;
    let run = |lines: &str, counts: &str| {
        let run = Tidemill::wrapped(&program, here).args(["run", "job.wasm"]).bind("lines", lines).bind("counts", counts);
        run.with(|command| {
            command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
        })
        .run()
    };
    run("file:in.txt", "stdout:").expect(exit::OK, &[]);
    run("file:secret.txt", "stdout:").expect(exit::REFUSED, &["secret.txt", "permission denied"]);
    run("file:in.txt", "file:closed/out").expect(exit::REFUSED, &["closed/out", "ermission denied"]);
}

#[test]
fn a_line_of_a_hundred_megabytes_does_not_take_a_hundred_megabytes() {
    let folder = Folder::new();
    let mut long = b"{\"n\":1}\n".to_vec();
    long.resize(100 << 20, b'x');
    long.extend_from_slice(b"\n{\"n\":2}\n");
    folder.write("long.jsonl", long);
    let skip = || Tidemill::new(folder.path(), "run").arg(guest("test", "policy")).args(["--arg", "on-bad=skip", "--report", "json"]);
    // Compiling the component, the first time, takes more memory than running it.
    skip().bind("numbers", "stdin:").run().expect(exit::OK, &[]);
    let ended = skip().bind("numbers", "file:long.jsonl").run();
    assert_eq!(ended.stdout, "{\"n\":1}\n{\"n\":2}\n", "{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(report["operators"][0]["skipped"], 1);
    assert!(report["peak_rss_mib"].as_f64().unwrap() < 70.0, "{report}");
}
