//! The cases of the language matrix that are not examples; `--arg case=NAME` chooses one. README.md of the folder above says what each
//! computes.

mod broadcast;
mod errors;
mod failures;
mod figures;
mod joins;
mod sessions;
mod side_outputs;
mod state;
mod state_ttl;
mod watermarks;
mod windows_count;
mod windows_day;
mod windows_triggers;

use tidemill::prelude::*;

/// The cases, by name.
const CASES: [(&str, fn(&mut Job) -> Result); 14] = [
    ("sessions", sessions::case),
    ("side-outputs", side_outputs::case),
    ("errors", errors::case),
    ("state", state::case),
    ("joins", joins::case),
    ("broadcast", broadcast::case),
    ("failures", failures::case),
    ("windows-count", windows_count::case),
    ("windows-triggers", windows_triggers::case),
    ("state-ttl", state_ttl::case),
    ("windows-day", windows_day::case),
    ("watermarks", watermarks::case),
    ("map", figures::map),
    ("keyed-count", figures::keyed_count),
];

#[tidemill::job]
fn matrix(job: &mut Job) -> Result {
    let name = job.arg("case")?;
    match CASES.iter().find(|(case, _)| *case == name) {
        Some((_, build)) => build(job),
        None => bail!("unknown case {name:?}"),
    }
}
