//! `tidemill completions`: what a shell needs to complete command lines.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::console;
use crate::fault::Outcome;

/// Print completions for a shell
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill completions bash > /etc/bash_completion.d/tidemill
  tidemill completions zsh > ~/.zfunc/_tidemill
  tidemill completions fish > ~/.config/fish/completions/tidemill.fish")]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

/// Runs the command; `cli` is the whole command line.
pub(crate) fn run(command: &CompletionsCommand, mut cli: Command) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut cli, "tidemill", &mut script);
    console::result(&String::from_utf8_lossy(&script))
}
