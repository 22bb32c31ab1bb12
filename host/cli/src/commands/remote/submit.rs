//! `tidemill submit`: uploads a component, where the server does not have it, and runs it there.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use sha2::{Digest as _, Sha256};
use tidemill_server::view::{JobView, StoredComponent, Submit};
use tidemill_server::{Digest, Name};

use super::{json, parts};
use crate::client::{Client, ServerArgs};
use crate::fault::{Fault, Outcome};
use crate::settings::{self, JobArgs, Mode, RunArgs, Settings};
use crate::value::{self, Timeout};
use crate::{console, prepare, socket};

/// Run a job on a server
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Takes the flags of `tidemill run`. Relative paths in `file:` bindings are those of this directory; the server must allow them.
Instead of a component's file, the digest of an uploaded one may be given. Of a job file with several components each is uploaded.

Examples:
  tidemill submit counts.wasm --bind lines=file:book.txt --bind counts=file:out
  tidemill submit job.toml --name counts -p 4
  tidemill submit sha256:3f9a0c51 --bind lines=file:/data/book.txt --bind counts=discard:"
)]
pub(crate) struct SubmitCommand {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    run: RunArgs,
    /// How often a checkpoint is taken [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    checkpoint_interval: Option<Duration>,
    /// Begin with a savepoint: the URL that `tidemill savepoint` printed
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Leave behind state of the savepoint that the job does not have
    #[arg(long, requires = "from")]
    allow_dropped_state: bool,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &SubmitCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    let settings = settings::gather(&command.job, &command.run)?;
    let file_interval = settings::gather_keep(&command.job, &settings::KeepArgs::default())?.map(|keep| keep.interval);
    let sent = parts::sent(&client, &settings)?;
    let submit = request(&settings, sent, command, file_interval)?;
    let job: JobView = client.post("/v1/jobs", &submit)?;
    if command.json {
        return json(&job);
    }
    console::note(&format!("{} is {}; `tidemill status {0}` shows how it goes", job.name, job.state.as_str()));
    console::result(&format!("{}\n", job.id))
}

/// The digest of what the server has, or has now.
pub(crate) fn component(client: &Client, path: &Path) -> Outcome<String> {
    let text = path.to_string_lossy();
    if !path.exists() && is_digest(&text) {
        return Ok(text.into_owned());
    }
    let bytes = prepare::read(path)?;
    let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let route = format!("/v1/components/{digest}");
    if client.find::<StoredComponent>(&route)?.is_none() {
        let stored: StoredComponent = client.upload("/v1/components", path, &digest)?;
        let size = super::super::checkpoint::size(stored.component.bytes);
        console::note(&format!("{} is uploaded: {size}, sha256:{}", path.display(), &digest[..12]));
    }
    Ok(digest)
}

/// Digits of a digest, as `components` shows them.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.parse::<Digest>().is_ok() || digits.len() >= 6 && digits.len() < 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn request(settings: &Settings, sent: parts::Sent, command: &SubmitCommand, file_interval: Option<Duration>) -> Outcome<Submit> {
    if settings.state_bytes.is_some() {
        let fault = Fault::refused("a server keeps the state of its jobs in memory, and this one asks for --state-memory");
        return Err(fault.hint("leave it out and give it --memory; `tidemill run` puts state on disk"));
    }
    let name = settings.name.as_ref().map(|name| name.parse::<Name>()).transpose();
    let name = name.map_err(|e| Fault::usage(e.to_string()).hint("e.g. --name sensor-averages"))?;
    let default_name = settings.component().file_stem().and_then(|stem| Name::from_text(&stem.to_string_lossy()));
    let interval = command.checkpoint_interval.or(file_interval);
    Ok(Submit {
        component: sent.component,
        components: sent.components,
        wires: sent.wires.unwrap_or_default(),
        name,
        default_name,
        args: sent.args,
        bindings: settings.bindings.iter().map(|(name, url)| (name.clone(), absolute(url))).collect(),
        parallelism: settings.parallelism.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        memory_bytes: settings.memory_bytes.map(|bytes| bytes as u64),
        meter: settings.meter,
        batch: settings.mode == Mode::Batch,
        idle_timeout_ms: settings.idle_timeout.map(|timeout| match timeout {
            Timeout::Off => 0,
            Timeout::After(ms) => ms,
        }),
        checkpoint_interval_ms: interval.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)),
        from: command.from.as_deref().map(socket::absolute),
        allow_dropped_state: command.allow_dropped_state,
    })
}

/// A `file:` URL whatever the directory of its reader; others stay as they are.
pub(crate) fn absolute(url: &str) -> String {
    if url.starts_with("file:") { socket::absolute(url) } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_told_from_a_file() {
        for text in ["sha256:3f9a0c51", "3f9a0c", &"a".repeat(64)] {
            assert!(is_digest(text), "{text}");
        }
        for text in ["counts.wasm", "abc", "", &"a".repeat(65), "sha256:xyzxyz"] {
            assert!(!is_digest(text), "{text}");
        }
    }

    #[test]
    fn paths_do_not_depend_on_the_directory_of_the_server() {
        assert!(absolute("file:in.json?rate=5").starts_with("file:/"));
        assert_eq!(absolute("datagen:rows"), "datagen:rows");
    }
}
