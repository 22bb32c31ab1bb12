//! `tidemill checkpoint`: what is in a checkpoint directory. Only reads, also while a job writes there.

mod ls;
mod read;
mod show;
mod value;
mod verify;

use clap::{Args, Subcommand};
use tidemill_core::checkpoint::CheckpointId;
use tidemill_state::{Access, Catalog, Error, Listed, Settings, Store, Which};

use crate::fault::{Fault, Outcome};

/// Look at the checkpoints and savepoints of a job
#[derive(Clone, Debug, Args)]
#[command(after_help = "URL is the --checkpoint-dir of the job: a directory, file:DIR, or s3://BUCKET/PREFIX.

Examples:
  tidemill checkpoint ls checkpoints
  tidemill checkpoint show checkpoints 42
  tidemill checkpoint verify s3://bucket/jobs/wordcount
  tidemill checkpoint read checkpoints --operator counts --key blue")]
pub(crate) struct CheckpointCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    Ls(ls::LsCommand),
    Show(show::ShowCommand),
    Verify(verify::VerifyCommand),
    Read(read::ReadCommand),
}

/// Runs the command.
pub(crate) fn run(command: &CheckpointCommand) -> Outcome<()> {
    match &command.verb {
        Verb::Ls(command) => ls::run(command),
        Verb::Show(command) => show::run(command),
        Verb::Verify(command) => verify::run(command),
        Verb::Read(command) => read::run(command),
    }
}

/// Credentials and options of object stores, from the environment.
const OPTIONS: [&str; 2] = ["AWS_", "dfs."];

/// How stores are opened.
pub(crate) fn settings() -> Settings {
    let options = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings { options: options.filter(|(name, _)| OPTIONS.iter().any(|prefix| name.starts_with(prefix))).collect(), ..Settings::default() }
}

fn open(url: &str) -> Outcome<Store> {
    Store::open(url, Access::Read, &settings()).map_err(|error| fault(&error))
}

fn catalog(store: &Store) -> Outcome<Catalog> {
    let catalog = Catalog::read(store).map_err(|error| fault(&error))?;
    if catalog.checkpoints().next().is_none() && catalog.unreadable().next().is_none() {
        return Err(Fault::refused(format!("there is no checkpoint in {}", store.url())));
    }
    Ok(catalog)
}

/// What went wrong with a directory: it is no request that can be understood, or its content is not what it was.
fn fault(error: &Error) -> Fault {
    match error {
        Error::Directory(_) => Fault::refused(error.to_string()),
        Error::Damaged { .. } | Error::Missing { .. } => Fault::failed(error.to_string())
            .hint("`tidemill checkpoint verify` names everything that is damaged; an older checkpoint may be whole"),
        Error::Newer { .. } => Fault::refused(error.to_string()).hint("read it with the release that wrote it, or a later one"),
        _ => Fault::failed(error.to_string()),
    }
}

/// A checkpoint's number or a savepoint's name; the newest when there is none.
fn which(id: Option<&str>) -> Outcome<Which> {
    let Some(id) = id else { return Ok(Which::Newest) };
    if let Ok(number) = id.parse() {
        return Ok(Which::Checkpoint(CheckpointId(number)));
    }
    let savepoint =
        id.parse().map_err(|_| Fault::usage(format!("{id:?} is neither the number of a checkpoint nor the name of a savepoint")))?;
    Ok(Which::Savepoint(savepoint))
}

/// Finds what [`which`] means.
fn find<'a>(catalog: &'a Catalog, id: Option<&str>) -> Outcome<Listed<'a>> {
    let which = which(id)?;
    catalog.find(&which).ok_or_else(|| {
        let there: Vec<String> = catalog.checkpoints().map(|listed| name(&listed)).collect();
        let unreadable = catalog.unreadable().map(|(_, error)| error.to_string());
        let fault = match id {
            Some(id) => Fault::refused(format!("there is no checkpoint {id:?}")).hint(format!("there are {}", there.join(", "))),
            None => Fault::failed("none of the checkpoints can be read"),
        };
        unreadable.fold(fault, Fault::cause)
    })
}

/// How a checkpoint is called on the command line.
fn name(listed: &Listed<'_>) -> String {
    match listed.object {
        tidemill_core::checkpoint::protocol::Object::Savepoint(name) => name.to_string(),
        _ => listed.manifest.stamp.checkpoint.to_string(),
    }
}

/// `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if bytes < 1024 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Rows of a table, padded; the first is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1536 << 10), "1.5 MiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_checkpoint_has_a_number_and_a_savepoint_a_name() {
        assert_eq!(which(None).unwrap(), Which::Newest);
        assert_eq!(which(Some("42")).unwrap(), Which::Checkpoint(CheckpointId(42)));
        assert_eq!(which(Some("before-2")).unwrap(), Which::Savepoint("before-2".parse().unwrap()));
        assert!(which(Some("../x")).unwrap_err().message.contains("neither"));
    }

    #[test]
    fn a_table_has_columns() {
        let rows = [vec!["id".to_owned(), "size".to_owned()], vec!["1234".to_owned(), "1 B".to_owned()]];
        assert_eq!(table(&rows), "id    size\n1234  1 B\n");
    }
}
