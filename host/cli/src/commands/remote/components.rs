//! `tidemill components`: the components that a server stores.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidemill_server::view::StoredComponent;

use super::{json, submit};
use crate::client::{Client, ServerArgs, part, table};
use crate::console;
use crate::fault::Outcome;

/// List, add and delete the components of a server
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = false)]
#[command(after_help = "DIGEST is the SHA-256 of a component, or six digits and more of it.

Examples:
  tidemill components
  tidemill components add counts.wasm
  tidemill components rm 3f9a0c51d2e4")]
pub(crate) struct ComponentsCommand {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List them
    Ls,
    /// Upload one; its digest is the result
    Add {
        /// The component
        #[arg(value_name = "JOB.wasm")]
        file: PathBuf,
    },
    /// Show one: what it imports, what it asks for and gets
    Show {
        /// Its digest
        digest: String,
    },
    /// Delete one that no job needs
    Rm {
        /// Its digest
        digest: String,
    },
}

/// Runs the command.
pub(crate) fn run(command: &ComponentsCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    match command.verb.as_ref().unwrap_or(&Verb::Ls) {
        Verb::Ls => {
            let components: Vec<StoredComponent> = client.get("/v1/components")?;
            if command.json { json(&components) } else { console::result(&table::components(&components)) }
        }
        Verb::Add { file } => {
            let digest = submit::component(&client, file)?;
            console::result(&format!("{digest}\n"))
        }
        Verb::Show { digest } => {
            let stored: StoredComponent = client.get(&format!("/v1/components/{}", part(digest)))?;
            if command.json { json(&stored) } else { console::result(&table::component(&stored)) }
        }
        Verb::Rm { digest } => client.delete(&format!("/v1/components/{}", part(digest))),
    }
}
