//! `tidemill context`: servers by name.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::json;
use crate::client::contexts::{Context, Contexts};
use crate::commands::checkpoint::table;
use crate::console;
use crate::fault::{Fault, Outcome};

/// Give servers names, and choose the one that commands mean
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill context add prod http://10.1.2.3:8081 --token-file ~/.tidemill-token
  tidemill context use prod
  tidemill list --server prod")]
pub(crate) struct ContextCommand {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List them
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add or replace one; the first is in use from then on
    Add {
        /// Its name
        name: String,
        /// URL of the server
        url: String,
        /// A file that holds the token
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
    /// Choose the one that commands mean
    Use {
        /// Its name
        name: String,
    },
    /// Delete one
    Rm {
        /// Its name
        name: String,
    },
}

/// Runs the command.
pub(crate) fn run(command: &ContextCommand) -> Outcome<()> {
    let mut contexts = Contexts::read()?;
    match command.verb.as_ref().unwrap_or(&Verb::Ls { json: false }) {
        Verb::Ls { json: true } => return json(&contexts),
        Verb::Ls { json: false } => return console::result(&listed(&contexts)),
        Verb::Add { name, url, token_file } => {
            if name.contains("://") || name.trim().is_empty() {
                return Err(
                    Fault::usage(format!("{name:?} is no name of a context")).hint("write NAME URL, e.g. prod http://10.1.2.3:8081")
                );
            }
            let url = crate::client::checked(url)?;
            let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
            contexts.contexts.insert(name.clone(), Context { url, token_file: token_file.as_ref().map(absolute) });
            contexts.current.get_or_insert_with(|| name.clone());
        }
        Verb::Use { name } => {
            contexts.find(name)?;
            contexts.current = Some(name.clone());
        }
        Verb::Rm { name } => {
            contexts.find(name)?;
            contexts.contexts.remove(name);
            contexts.current = contexts.current.filter(|current| current != name);
        }
    }
    contexts.write()
}

fn listed(contexts: &Contexts) -> String {
    let mut rows = vec![["IN USE", "NAME", "URL", "TOKEN"].map(str::to_owned).to_vec()];
    for (name, context) in &contexts.contexts {
        let mark = if contexts.current.as_ref() == Some(name) { "*" } else { "" };
        let token = context.token_file.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        rows.push(vec![mark.to_owned(), name.clone(), context.url.clone(), token]);
    }
    console::printable(&table(&rows))
}
