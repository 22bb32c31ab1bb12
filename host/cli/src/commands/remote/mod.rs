//! The commands that ask a server: `submit`, `list`, `status` and the rest. JOB is a name or an id there.

pub(crate) mod cancel;
pub(crate) mod components;
pub(crate) mod context;
pub(crate) mod events;
pub(crate) mod forget;
pub(crate) mod list;
pub(crate) mod logs;
mod parts;
pub(crate) mod rescale;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod swap;

use serde::Serialize;
use tidemill_server::view::{Changed, JobView, State};

use crate::client::{Client, OPERATION_WAIT, part, table};
use crate::console;
use crate::fault::{Fault, Outcome};

/// The path of a job, or of what belongs to it.
fn job_path(job: &str, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", part(job))
}

/// The path of an operation, with how long the server may wait for it.
fn operation_path(job: &str, operation: &str) -> String {
    job_path(job, &format!("/{operation}?wait_ms={}", OPERATION_WAIT.as_millis()))
}

/// A value for programs.
fn json(value: &impl Serialize) -> Outcome<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Fault::failed("the answer cannot be written").because(&e))?;
    console::result(&format!("{text}\n"))
}

/// Waits for a change to be done, and shows it. A version that has come and gone is a failure.
fn changed(client: &Client, changed: Changed, as_json: bool) -> Outcome<()> {
    let job = client.wait(changed.job, |job| job.state != State::Changing && job.state != State::Starting)?;
    let changed = Changed { job, ..changed };
    if as_json {
        return json(&changed);
    }
    console::result(&table::comparison(&changed))?;
    console::result(&table::taken(&changed.job.version))?;
    let JobView { name, state, version, .. } = &changed.job;
    console::result(&format!("{name} is {}: version {}, {}\n", state.as_str(), version.number, version.why))
}
