//! `tidemill`: the one binary. Wiring, signals, exit codes; everything else lives in the crates it wires.
//!
//! It is the only place that reads the environment, and the only one that ends the process.

mod bindings;
mod client;
mod commands;
mod confine;
mod console;
mod exchange;
mod fault;
mod hosted;
mod interrupt;
mod job_file;
mod keep;
mod loaded;
mod meter;
mod moment;
mod monitor;
mod pack;
mod prepare;
mod process;
mod progress;
mod remember;
mod report;
mod rotate;
mod settings;
mod shadow;
mod show;
mod socket;
mod staged;
mod status;
mod suggest;
mod supervise;
mod tell;
mod toolchain;
mod value;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::remote::{
    cancel, components, context, events, forget, list, logs, rescale, rollback, status as job_status, submit, swap,
};
use crate::commands::{build, checkpoint, completions, datagen, examine, explain, inspect, new, plan, run, savepoint, serve, stop, test};
use crate::console::LogFormat;
use crate::fault::{Exit, Fault, Outcome};

/// Blocks of records are allocated on one worker and freed on another, hundreds of thousands a second: the
/// system's allocator spends a fifth of a run on that, this one next to nothing, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs streaming jobs whose user code is a WebAssembly component
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, max_term_width = 110, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 ok, 1 the job failed, 2 usage, 3 refused (component, plan, binding), \
70 internal error, 130 interrupted twice.")]
struct Cli {
    /// How messages are written to standard error
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = false)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunCommand),
    #[command(hide = true)]
    Runner(run::RunnerCommand),
    #[command(hide = true)]
    Examine(examine::ExamineCommand),
    Test(test::TestCommand),
    Plan(plan::PlanCommand),
    Inspect(inspect::InspectCommand),
    New(new::NewCommand),
    Build(build::BuildCommand),
    Datagen(datagen::DatagenCommand),
    Serve(Box<serve::ServeCommand>),
    Savepoint(savepoint::SavepointCommand),
    Stop(stop::StopCommand),
    Submit(Box<submit::SubmitCommand>),
    List(list::ListCommand),
    Status(job_status::StatusCommand),
    Logs(logs::LogsCommand),
    Cancel(cancel::CancelCommand),
    Rescale(rescale::RescaleCommand),
    Swap(Box<swap::SwapCommand>),
    Rollback(rollback::RollbackCommand),
    Explain(explain::ExplainCommand),
    Forget(forget::ForgetCommand),
    Components(components::ComponentsCommand),
    Events(events::EventsCommand),
    Context(context::ContextCommand),
    Completions(completions::CompletionsCommand),
    Checkpoint(checkpoint::CheckpointCommand),
}

fn main() -> ExitCode {
    let start = Instant::now();
    end_on_panic();
    let cli = Cli::parse();
    console::set_format(cli.log_format);
    match dispatch(&cli.command, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if fault.quiet => ExitCode::SUCCESS,
        Err(Fault { told: Some(code), .. }) => ExitCode::from(code),
        Err(fault) => {
            console::fault(&fault);
            ExitCode::from(fault.exit as u8)
        }
    }
}

fn dispatch(command: &Command, start: Instant) -> Outcome<()> {
    match command {
        Command::Run(command) => run::run(command, start),
        Command::Runner(command) => run::runner(command, start),
        Command::Examine(command) => examine::run(command),
        Command::Test(command) => test::run(command),
        Command::Plan(command) => plan::run(command),
        Command::Inspect(command) => inspect::run(command),
        Command::New(command) => new::run(command),
        Command::Build(command) => build::run(command),
        Command::Datagen(command) => datagen::run(command),
        Command::Serve(command) => serve::run(command),
        Command::Savepoint(command) => savepoint::run(command),
        Command::Stop(command) => stop::run(command),
        Command::Submit(command) => submit::run(command),
        Command::List(command) => list::run(command),
        Command::Status(command) => job_status::run(command),
        Command::Logs(command) => logs::run(command),
        Command::Cancel(command) => cancel::run(command),
        Command::Rescale(command) => rescale::run(command),
        Command::Swap(command) => swap::run(command),
        Command::Rollback(command) => rollback::run(command),
        Command::Explain(command) => explain::run(command),
        Command::Forget(command) => forget::run(command),
        Command::Components(command) => components::run(command),
        Command::Events(command) => events::run(command),
        Command::Context(command) => context::run(command),
        Command::Completions(command) => completions::run(command, Cli::command()),
        Command::Checkpoint(command) => checkpoint::run(command),
    }
}

/// A panic in any thread ends the process: a worker that is gone would leave the others waiting for ever.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let trace = std::backtrace::Backtrace::capture();
        let mut text = format!("internal error: {message}\n  at {place} in thread {thread}\n  tidemill {}", env!("CARGO_PKG_VERSION"));
        match trace.status() {
            std::backtrace::BacktraceStatus::Captured => text.push_str(&format!("\n{trace}")),
            _ => text.push_str("\nhint: this is a bug of tidemill; run again with RUST_BACKTRACE=1 and report what it prints"),
        }
        let line = match console::format() {
            LogFormat::Text => text,
            LogFormat::Json => serde_json::json!({"level": "error", "message": text, "exit": Exit::Internal as i32}).to_string(),
        };
        // Standard error may be gone; the exit code still tells.
        let _ = writeln!(std::io::stderr(), "{line}");
        std::process::exit(Exit::Internal as i32);
    }));
}
