//! `tidemill swap`: a job of a server goes on with other code, arguments or bindings, and with its state.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidemill_server::view::{Changed, Swap};

use super::parts::{self, Sent};
use super::{changed, json, operation_path, submit};
use crate::client::{Client, ServerArgs, table};
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::settings::{self, JobArgs, RunArgs};
use crate::value;

/// Change the code of a job of a server, and keep its state
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The plans are compared first: operators by name, state by its columns. What does not fit is refused with the difference.
Where operators and state are the same, the code is exchanged while the job runs: what was read before a checkpoint's boundary meets the
old version, what is read after it the new one, and sources never stop. Anything else, such as other state or bindings, stops the job in
order and starts the new version from where it stood; which of the two it was is said. When the new version fails while it is on
probation, the old one comes back by itself.

Examples:
  tidemill swap counts counts-2.wasm --dry-run
  tidemill swap counts counts-2.wasm --shadow 100000       # only if it writes the same over the next 100,000 records
  tidemill swap counts counts-2.wasm --probation 5min --max-errors 100
  tidemill swap counts --arg size=20s --bind counts=file:/data/new
  tidemill swap alerts --component average average-2.wasm   # one component of several
  tidemill swap alerts job.toml                             # all components and wires of a job file, and what it says of arguments and bindings"
)]
pub(crate) struct SwapCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// The new component, the digest of one that is uploaded, or a job file; what runs now when only arguments or bindings change
    #[arg(value_name = "NEW.wasm|DIGEST|job.toml")]
    new: Option<PathBuf>,
    /// Which component it is for, where the job has several
    #[arg(long, value_name = "NAME", requires = "new")]
    component: Option<String>,
    /// An argument that changes, e.g. --arg size=20s; may be given again for another
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = value::pair)]
    args: Vec<(String, String)>,
    /// A binding that changes
    #[arg(long = "bind", value_name = "NAME=URL", value_parser = value::binding)]
    binds: Vec<(String, String)>,
    /// How long the new version is watched
    #[arg(long, value_name = "DURATION", value_parser = value::duration, default_value = "60s")]
    probation: Duration,
    /// Records skipped or dead-lettered in that time, beyond which the old version comes back
    #[arg(long, value_name = "N")]
    max_errors: Option<u64>,
    /// Leave behind state that the new version does not have
    #[arg(long)]
    allow_dropped_state: bool,
    /// Run both versions over N records of each source first, from the present state and writing nothing; refuse one that writes something else
    #[arg(long, value_name = "N")]
    shadow: Option<u64>,
    /// Swap also when the shadow wrote something else
    #[arg(long, requires = "shadow")]
    allow_difference: bool,
    /// Only compare
    #[arg(long)]
    dry_run: bool,
    /// Print what changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &SwapCommand) -> Outcome<()> {
    if command.new.is_none() && command.args.is_empty() && command.binds.is_empty() {
        return Err(Fault::usage("nothing would change").hint("name a component, or add --arg or --bind"));
    }
    let client = Client::new(&command.server)?;
    let (sent, bindings) = sent(&client, command)?;
    let swap = Swap {
        component: sent.component,
        components: sent.components,
        wires: sent.wires,
        args: sent.args,
        bindings: bindings.iter().map(|(name, url)| (name.clone(), submit::absolute(url))).collect(),
        allow_dropped_state: command.allow_dropped_state,
        probation_ms: Some(u64::try_from(command.probation.as_millis()).unwrap_or(u64::MAX)),
        errors_max: command.max_errors,
        shadow: command.shadow,
        allow_difference: command.allow_difference,
        dry_run: command.dry_run,
    };
    let answer: Changed = client.post(&operation_path(&command.job, "swap"), &swap)?;
    match (command.dry_run, command.json) {
        (true, true) => json(&answer),
        (true, false) => console::result(&table::comparison(&answer)),
        (false, _) => changed(&client, answer, command.json),
    }
}

/// What changes: the components, with what flags and a job file say of arguments, and the bindings.
fn sent(client: &Client, command: &SwapCommand) -> Outcome<(Sent, BTreeMap<String, String>)> {
    let flags = (command.args.iter().cloned().collect(), command.binds.iter().cloned().collect());
    let Some(new) = &command.new else { return Ok((Sent { args: flags.0, ..Sent::default() }, flags.1)) };
    if new.extension().is_some_and(|extension| extension == "toml") {
        if command.component.is_some() {
            let fault = Fault::usage("--component names one component, and a job file says all of them");
            return Err(fault.hint("give the one component's file, or leave out --component"));
        }
        let job = JobArgs { job: new.clone(), args: command.args.clone(), ..JobArgs::default() };
        let settings = settings::gather(&job, &RunArgs { binds: command.binds.clone(), ..RunArgs::default() })?;
        return Ok((parts::sent(client, &settings)?, settings.bindings));
    }
    let digest = submit::component(client, new)?;
    let sent = match &command.component {
        None => Sent { component: Some(digest), args: flags.0, ..Sent::default() },
        Some(name) => Sent { components: BTreeMap::from([(name.clone(), digest)]), args: flags.0, ..Sent::default() },
    };
    Ok((sent, flags.1))
}
