//! Ctrl-C and SIGTERM: the first ends the job in order, the second leaves at once.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use tidemill_e2e::{Folder, Tidemill, exit, guest};

#[test]
fn a_stopped_job_finishes_its_outputs_and_says_what_it_does() {
    let folder = Folder::new();
    let counting = Tidemill::new(folder.path(), "run").arg(guest("rust", "wordcount")).bind("counts", "file:out?flush=true");
    let (mut running, mut stdin) = counting.start_open();
    stdin.write_all(b"one two\n").unwrap();
    // Not a sleep: the part appears when the words have gone through.
    while folder_text(&folder).lines().count() < 2 {
        std::thread::yield_now();
    }
    running.terminate();
    running.message("stopping: finishing what is in flight");
    running.end().expect(exit::OK, &[]);
    assert_eq!(folder.sorted_lines("out"), ["one,1", "two,1"]);
}

fn folder_text(folder: &Folder) -> String {
    std::fs::read_to_string(folder.join("out/.part-0")).unwrap_or_default()
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_component_that_never_returns() {
    let folder = Folder::new();
    let looping = Tidemill::new(folder.path(), "run").arg(guest("test", "loop"));
    let (mut running, mut stdin) = looping.start_open();
    stdin.write_all(b"{\"n\":13}\n").unwrap();
    running.message("spinning");
    running.interrupt();
    running.message("press Ctrl-C again");
    let pressed = std::time::Instant::now();
    running.interrupt();
    running.end().expect(exit::INTERRUPTED, &[]);
    assert!(pressed.elapsed().as_secs() < 3, "leaving took {:?}", pressed.elapsed());
}
