//! `tidemill serve`: runs the jobs that people upload.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use tidemill_server::{Capacity, Options, StartError};

use crate::fault::{Fault, Outcome};
use crate::{console, process, value};

/// Run the jobs that people upload, each in a process of its own
#[derive(Clone, Debug, Args)]
#[command(after_help = "Jobs outlive their server: one that is started again with the same --data-dir takes them over.
Nothing is allowed unless it is said: `file:` bindings below --allow-file, `socket:` bindings to --allow-connect.

Examples:
  tidemill serve --data-dir data --allow-file $PWD
  tidemill serve --listen 0.0.0.0:8081 --token-file token --host tidemill.example.org")]
pub(crate) struct ServeCommand {
    /// Where to listen; beyond this machine only with --token-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Where components, jobs and their checkpoints are kept
    #[arg(long, value_name = "DIR", default_value = "tidemill-data")]
    data_dir: PathBuf,
    /// Let jobs read and write files below this folder; may be given again
    #[arg(long = "allow-file", value_name = "DIR")]
    allow_files: Vec<PathBuf>,
    /// Let jobs connect to this address; may be given again
    #[arg(long = "allow-connect", value_name = "HOST:PORT")]
    allow_sockets: Vec<String>,
    /// The token that requests must bring; a new one is made where there is no such file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Another name by which clients call this server; may be given again
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Workers of all jobs together [default: 8 for each core]
    #[arg(long, value_name = "N", value_parser = value::count)]
    slots: Option<usize>,
    /// Memory of all jobs together [default: four fifths of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = value::bytes)]
    memory: Option<u64>,
    /// The most memory that a job may ask for, for each worker
    #[arg(long, value_name = "SIZE", value_parser = value::bytes, default_value = "2GiB")]
    job_memory_max: u64,
    /// Hand this variable of the environment on to jobs, e.g. for an object store; may be given again
    #[arg(long = "pass-env", value_name = "NAME")]
    pass_env: Vec<String>,
    /// Stop every job in order when the server ends
    #[arg(long)]
    stop_jobs: bool,
}

/// Runs the command.
pub(crate) fn run(command: &ServeCommand) -> Outcome<()> {
    let options = options(command)?;
    let data_dir = options.data_dir.display().to_string();
    let ready = |address: SocketAddr| {
        console::note(&format!("tidemill {} serves {data_dir}", env!("CARGO_PKG_VERSION")));
        // Who started it may have left; the server is there all the same.
        let _ = console::result(&format!("http://{address}\n"));
    };
    tidemill_server::serve(options, ready).map_err(|error| fault(&error))
}

fn options(command: &ServeCommand) -> Outcome<Options> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| Fault::usage(format!("{} is no path", path.display())).because(&e));
    let program = std::env::current_exe().map_err(|e| Fault::failed("cannot find this program").because(&e))?;
    if let Some(folder) = command.allow_files.iter().find(|folder| !folder.is_dir()) {
        return Err(Fault::refused(format!("--allow-file {} is no folder", folder.display())).hint("make it first"));
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let machine = Capacity::of_machine(cores, process::machine_bytes());
    let capacity = Capacity { slots: command.slots.map_or(machine.slots, |n| n as u64), bytes: command.memory.unwrap_or(machine.bytes) };
    Ok(Options {
        listen: command.listen,
        data_dir: absolute(&command.data_dir)?,
        program,
        environment: environment(&command.pass_env)?,
        token_file: command.token_file.clone(),
        hosts: command.hosts.clone(),
        allow_files: command.allow_files.iter().map(|path| absolute(path)).collect::<Outcome<_>>()?,
        allow_sockets: command.allow_sockets.clone(),
        capacity,
        instance_bytes_max: command.job_memory_max,
        stop_jobs: command.stop_jobs,
    })
}

/// The variables that are handed on, with their values.
fn environment(names: &[String]) -> Outcome<Vec<(String, String)>> {
    let value = |name: &String| {
        let value = std::env::var(name).map_err(|e| Fault::usage(format!("--pass-env {name}: it cannot be handed on")).because(&e))?;
        Ok((name.clone(), value))
    };
    names.iter().map(value).collect()
}

fn fault(error: &StartError) -> Fault {
    let fault = Fault::refused(error.to_string());
    match error {
        StartError::Data(_) => fault.hint("--data-dir names another"),
        StartError::Taken(_) => fault.hint("end that server first, or name another --data-dir"),
        StartError::NoToken(_) => fault.hint("add --token-file FILE: a token is made where there is none"),
        StartError::Token(_) => fault,
        StartError::Listen(_, _) => fault.hint("--listen names another address; port 0 takes one that is free"),
        StartError::System(_) => Fault::failed(error.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_there_is_not_passed_over() {
        assert!(environment(&["TIDEMILL_NO_SUCH_VARIABLE".to_owned()]).unwrap_err().message.contains("NO_SUCH_VARIABLE"));
        assert_eq!(environment(&["PATH".to_owned()]).unwrap()[0].0, "PATH");
    }

    #[test]
    fn components_are_as_large_as_the_server_takes_them() {
        assert_eq!(tidemill_guest::COMPONENT_BYTES_MAX, tidemill_server::limits::UPLOAD_BYTES_MAX);
        assert_eq!(tidemill_core::guest::Limits::default().memory_bytes as u64, tidemill_server::limits::INSTANCE_BYTES);
    }
}
