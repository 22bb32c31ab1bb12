//! The figures of the server and its jobs in the text format of Prometheus (OpenMetrics).

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::operate::Server;
use crate::view::{JobView, State};

/// What the text is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Figures = Family<Labels, Gauge<f64, AtomicU64>>;

/// The families that exist, made anew for each reader: a job that is forgotten leaves nothing behind.
struct Families(Registry);

impl Families {
    fn add(&mut self, name: &str, help: &str, unit: Option<Unit>) -> Figures {
        let figures = Figures::default();
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, figures.clone()),
            None => self.0.register(name, help, figures.clone()),
        }
        figures
    }
}

/// All figures.
pub(crate) fn text(server: &Server) -> Result<String, fmt::Error> {
    let mut families = Families(Registry::with_prefix("tidemill"));
    about_server(&mut families, server);
    let jobs: Vec<JobView> = server.jobs.list().iter().map(|job| JobView::of(job)).collect();
    about_states(&mut families, &jobs);
    about_jobs(&mut families, &jobs);
    about_operators(&mut families, &jobs);
    let mut text = String::new();
    encode(&mut text, &families.0)?;
    Ok(text)
}

fn about_server(families: &mut Families, server: &Server) {
    let view = server.view();
    let mut one = |name, help, unit, value: u64| _ = families.add(name, help, unit).get_or_create(&Labels::new()).set(value as f64);
    one("slots", "Workers of all jobs at most", None, view.slots);
    one("slots_used", "Workers that jobs have taken", None, view.slots_used);
    one("memory", "Memory of all jobs at most", Some(Unit::Bytes), view.memory_bytes);
    one("memory_used", "Memory that jobs have taken", Some(Unit::Bytes), view.memory_bytes_used);
    one("components", "Stored components", None, view.components as u64);
}

fn about_states(families: &mut Families, jobs: &[JobView]) {
    let states = families.add("jobs", "Jobs by what they are doing", None);
    for state in [State::Starting, State::Running, State::Stopping, State::Changing, State::Restarting, State::Failed] {
        let count = jobs.iter().filter(|job| job.state == state).count();
        states.get_or_create(&vec![("state", state.as_str().to_owned())]).set(count as f64);
    }
}

fn about_jobs(families: &mut Families, jobs: &[JobView]) {
    let restarts = families.add("job_restarts", "Starts after failures", None);
    let records_in = families.add("job_records_in", "Records read since the start of the runner", None);
    let records_out = families.add("job_records_out", "Records written", None);
    let lag = families.add("job_lag", "How far event time is behind the clock", Some(Unit::Seconds));
    let cpu = families.add("job_cpu", "Processor time of the runner", Some(Unit::Seconds));
    let resident = families.add("job_resident", "Memory of the runner", Some(Unit::Bytes));
    let lost = families.add("job_records_lost", "Records that were late, skipped or dead-lettered", None);
    let checkpoints = families.add("job_checkpoints", "Checkpoints by outcome", None);
    for job in jobs.iter().filter(|job| !job.state.is_over()) {
        let labels: Labels = vec![("job", job.name.to_string()), ("id", job.id.to_string())];
        let with = |name: &'static str, value: &str| [labels.as_slice(), &[(name, value.to_owned())]].concat();
        restarts.get_or_create(&labels).set(f64::from(job.restarts));
        let Some(status) = &job.status else { continue };
        records_in.get_or_create(&labels).set(status.records_in as f64);
        records_out.get_or_create(&labels).set(status.records_out as f64);
        cpu.get_or_create(&labels).set(status.cpu_ms as f64 / 1e3);
        resident.get_or_create(&labels).set(status.rss_bytes as f64);
        if let Some(lag_ms) = status.lag_ms {
            lag.get_or_create(&labels).set(lag_ms as f64 / 1e3);
        }
        for (why, count) in [("late", status.late), ("skipped", status.skipped), ("dead-lettered", status.dead_lettered)] {
            lost.get_or_create(&with("why", why)).set(count as f64);
        }
        if let Some(made) = &status.checkpoints {
            checkpoints.get_or_create(&with("outcome", "completed")).set(made.completed as f64);
            checkpoints.get_or_create(&with("outcome", "failed")).set(made.failed as f64);
        }
    }
}

fn about_operators(families: &mut Families, jobs: &[JobView]) {
    let records_in = families.add("operator_records_in", "Records received, or read", None);
    let records_out = families.add("operator_records_out", "Records emitted, or written", None);
    let busy = families.add("operator_busy", "Time spent in the operator, all workers", Some(Unit::Seconds));
    let guest = families.add("operator_guest", "The part of it spent in the component", Some(Unit::Seconds));
    let held = families.add("operator_held", "Time in which a source waited for the sinks, all workers", Some(Unit::Seconds));
    let idle = families.add("operator_idle", "Time with nothing to do, all workers; of a chain, at its head", Some(Unit::Seconds));
    let fuel = families.add("operator_fuel", "What its code has cost, where the job is metered; of a chain, at its head", None);
    for job in jobs.iter().filter(|job| !job.state.is_over()) {
        for operator in job.status.iter().flat_map(|status| &status.operators) {
            let labels: Labels = vec![("job", job.name.to_string()), ("operator", operator.name.clone())];
            records_in.get_or_create(&labels).set(operator.records_in as f64);
            records_out.get_or_create(&labels).set(operator.records_out as f64);
            busy.get_or_create(&labels).set(operator.busy_ns as f64 / 1e9);
            guest.get_or_create(&labels).set(operator.guest_ns as f64 / 1e9);
            held.get_or_create(&labels).set(operator.held_ns as f64 / 1e9);
            if let Some(ns) = operator.idle_ns {
                idle.get_or_create(&labels).set(ns as f64 / 1e9);
            }
            if let Some(used) = operator.fuel {
                fuel.get_or_create(&labels).set(used as f64);
            }
        }
    }
}
