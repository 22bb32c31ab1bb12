//! How long a job takes from its submission to its first output that is there to stay: with a component that the server has never seen,
//! and with one that it has.
//!
//! `cargo test -p tidemill-e2e --test first_output -- --nocapture` prints the figures.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tidemill_e2e::{Folder, Server, exit, guest};

/// Submissions with a component that is there.
const CACHED: usize = 10;
/// What is promised is a second and 200 ms; a busy machine gets ten times the longer of the two.
const SLOWEST: Duration = Duration::from_secs(10);

/// From the start of the command to the first line that a checkpoint has committed.
fn first_output(folder: &Folder, server: &Server<'_>, name: &str) -> Duration {
    let begun = Instant::now();
    let submit = server.command("submit").arg(guest("test", "swap")).args(["--name", name, "--checkpoint-interval", "10ms"]);
    submit.bind("numbers", "file:numbers.json?rate=1000").bind("counts", &format!("file:{name}")).run().expect(exit::OK, &[]);
    while !folder.join(name).is_dir() || folder.sorted_lines(name).is_empty() {
        assert!(begun.elapsed() < SLOWEST, "{name} has shown nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed();
    server.command("cancel").arg(name).run().expect(exit::OK, &[]);
    took
}

#[test]
fn the_first_output_comes_soon() {
    let folder = Folder::new();
    folder.write("numbers.json", "{\"k\":1}\n".repeat(100_000));
    let server = Server::start(&folder, &[]);
    let cold = first_output(&folder, &server, "cold");
    let mut cached: Vec<Duration> = (0..CACHED).map(|n| first_output(&folder, &server, &format!("cached-{n}"))).collect();
    cached.sort_unstable();
    #[expect(clippy::print_stdout, reason = "the figures are what the test is run for by hand")]
    {
        println!("submit to first committed output: cold {cold:?}, cached p50 {:?}, at most {:?}", cached[CACHED / 2], cached[CACHED - 1]);
    }
}
