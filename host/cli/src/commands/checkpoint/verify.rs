//! `tidemill checkpoint verify`: reads every byte and names what is wrong.

use clap::Args;
use serde_json::json;
use tidemill_state::Error;

use super::{catalog, open, size};
use crate::console;
use crate::fault::{Fault, Outcome};

/// Read every byte of a checkpoint directory and name what is damaged, by file and offset
#[derive(Clone, Debug, Args)]
#[command(after_help = "Ends with 1 when anything is damaged or missing.")]
pub(super) struct VerifyCommand {
    /// The checkpoint directory
    #[arg(value_name = "URL")]
    url: String,
    /// Print one JSON object for each damage and one at the end
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &VerifyCommand) -> Outcome<()> {
    let catalog = catalog(&open(&command.url)?)?;
    let mut told = Ok(());
    let each = &mut |error: &Error| {
        let line = if command.json { document(error) } else { console::printable(&error.to_string()) };
        if told.is_ok() {
            told = console::result(&format!("{line}\n"));
        }
    };
    let verified = catalog.verify(each).map_err(|error| super::fault(&error))?;
    told?;
    let checkpoints = catalog.checkpoints().count();
    let end = match command.json {
        true => json!({"checkpoints": checkpoints, "files": verified.files, "bytes": verified.bytes, "wrong": verified.wrong}).to_string(),
        false => format!("{checkpoints} checkpoints, {} files, {} of parts", verified.files, size(verified.bytes)),
    };
    console::result(&format!("{end}\n"))?;
    match verified.wrong {
        0 => Ok(()),
        1 => Err(Fault::failed("1 file is damaged")),
        wrong => Err(Fault::failed(format!("{wrong} files are damaged"))),
    }
}

fn document(error: &Error) -> String {
    let at = match error {
        Error::Damaged { at, .. } => Some(at),
        _ => None,
    };
    json!({"file": error.file(), "offset": at, "trouble": error.to_string()}).to_string()
}
