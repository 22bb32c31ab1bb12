//! Jobs and components as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_server::control::Operator;
use tidemill_server::shadow::Shadow;
use tidemill_server::view::{Changed, JobView, StateVerdict, StoredComponent, Taken, Verdict, Version};

use crate::commands::checkpoint::{size, table};
use crate::{console, moment, report};

/// Milliseconds since the epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// `5s`, `2m 3s`: the two greatest units.
fn age(then_ms: u64) -> String {
    let seconds = now_ms().saturating_sub(then_ms) / 1000;
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn per_second(rate: f64) -> String {
    format!("{}/s", report::grouped(rate as u64))
}

/// A line for each job.
pub(crate) fn jobs(jobs: &[JobView]) -> String {
    let mut rows = vec![["NAME", "ID", "STATE", "WORKERS", "READ", "RATE", "LAG", "RESTARTS", "AGE"].map(str::to_owned).to_vec()];
    for job in jobs {
        let status = job.status.as_ref();
        rows.push(vec![
            job.name.to_string(),
            job.id.to_string(),
            job.state.as_str().to_owned(),
            job.version.workers.to_string(),
            status.map_or_else(|| "-".to_owned(), |status| report::grouped(status.records_in)),
            if job.state.is_over() { "-".to_owned() } else { per_second(job.records_in_per_s) },
            lag(job),
            job.restarts.to_string(),
            age(job.created_ms),
        ]);
    }
    console::printable(&table(&rows))
}

fn lag(job: &JobView) -> String {
    let lag = job.status.as_ref().and_then(|status| status.lag_ms).filter(|_| !job.state.is_over());
    lag.map_or_else(|| "-".to_owned(), |ms| moment::span(ms / 1000 * 1000))
}

/// A line for each component.
pub(crate) fn components(components: &[StoredComponent]) -> String {
    let mut rows = vec![["DIGEST", "SIZE", "CODE", "CONTRACT", "JOBS"].map(str::to_owned).to_vec()];
    for stored in components {
        let jobs: Vec<&str> = stored.jobs.iter().map(tidemill_server::Name::as_str).collect();
        rows.push(vec![
            stored.digest.as_str()[..12].to_owned(),
            size(stored.component.bytes),
            size(stored.component.compiled_bytes),
            stored.component.contract.clone(),
            if jobs.is_empty() { "-".to_owned() } else { jobs.join(", ") },
        ]);
    }
    console::printable(&table(&rows))
}

/// Everything about a component.
pub(crate) fn component(stored: &StoredComponent) -> String {
    let about = &stored.component;
    let lines = [
        ("component", stored.digest.to_string()),
        ("contract", about.contract.clone()),
        ("size", format!("{}, {} of machine code", size(about.bytes), size(about.compiled_bytes))),
        ("imports", about.imports.join(", ")),
        ("exports", about.exports.join(", ")),
    ];
    let text: String = lines.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect();
    let mut rows = vec![["CAPABILITY", "ASKS", "GETS"].map(str::to_owned).to_vec()];
    rows.extend(about.capabilities.iter().map(|row| {
        let gets = match row.verdict {
            Verdict::None => "-",
            Verdict::Granted => "granted",
            Verdict::Refused => "REFUSED",
        };
        vec![row.capability.clone(), if row.asks { "yes" } else { "no" }.to_owned(), gets.to_owned()]
    }));
    console::printable(&format!("{text}\n{}", table(&rows)))
}

/// Everything about a job.
pub(crate) fn job(job: &JobView) -> String {
    let mut lines: Vec<(&str, String)> = vec![
        ("job", format!("{} ({})", job.name, job.id)),
        ("state", state(job)),
        ("version", format!("{}, {}, since {}", job.version.number, job.version.why, age(job.version.since_ms))),
        ("component", component_of(&job.version)),
        ("workers", job.version.workers.to_string()),
    ];
    if let Some(pid) = job.pid {
        lines.push(("process", pid.to_string()));
    }
    if let Some(status) = &job.status {
        let rate = |rate: f64| if job.state.is_over() { String::new() } else { format!(", {}", per_second(rate)) };
        lines.push(("read", format!("{}{}", report::grouped(status.records_in), rate(job.records_in_per_s))));
        lines.push(("written", format!("{}{}", report::grouped(status.records_out), rate(job.records_out_per_s))));
        let losses = [(status.late, "late"), (status.skipped, "skipped"), (status.dead_lettered, "dead-lettered")];
        let losses: Vec<String> = losses.iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{} {why}", report::grouped(*n))).collect();
        if !losses.is_empty() {
            lines.push(("lost", losses.join(", ")));
        }
        if let Some(watermark) = status.watermark_ms {
            lines.push(("watermark", moment::event_time(watermark)));
        }
        if let Some(checkpoints) = &status.checkpoints {
            let last = checkpoints.last.map_or_else(
                || "none yet".to_owned(),
                |last| format!("{last}, {} in {} ms", size(checkpoints.last_bytes.unwrap_or(0)), checkpoints.last_ms.unwrap_or(0)),
            );
            let failed = if checkpoints.failed > 0 { format!(", {} failed", checkpoints.failed) } else { String::new() };
            lines.push(("checkpoint", format!("{last}; {} made{failed}", checkpoints.completed)));
        }
        lines.push((
            "memory",
            format!("{} of {}, {} at most so far", size(status.rss_bytes), size(job.memory_bytes_max), size(status.peak_rss_bytes)),
        ));
        lines.push(("cpu", moment::span(i64::try_from(status.cpu_ms).unwrap_or(i64::MAX))));
    }
    if job.restarts > 0 {
        lines.push(("restarts", job.restarts.to_string()));
    }
    if let Some(failure) = &job.last_failure {
        lines.push(("last failure", failure.clone()));
    }
    let text: String = lines.iter().map(|(name, value)| format!("{name:<14}{}\n", value.replace('\n', "\n              "))).collect();
    console::printable(&(text + &operators(job) + &history(job)))
}

/// The digest of its component, or of each by its name.
fn component_of(version: &Version) -> String {
    let width = version.components.keys().map(String::len).max().unwrap_or(0);
    let each: Vec<String> = version.components.iter().map(|(name, digest)| format!("{name:<width$}  {digest}")).collect();
    if each.is_empty() { version.component.to_string() } else { each.join("\n") }
}

fn state(job: &JobView) -> String {
    let mut text = job.state.as_str().to_owned();
    if let Some(at) = job.restart_at_ms {
        text.push_str(&format!(", again in {} ms", at.saturating_sub(now_ms())));
    }
    if let Some(until) = job.probation_until_ms.filter(|_| !job.state.is_over()) {
        text.push_str(&format!(", on probation for {} s more", until.saturating_sub(now_ms()) / 1000));
    }
    if let Some(end) = &job.end {
        text.push_str(&format!(" {} ago", age(end.at_ms)));
        for line in end.message.iter().chain(&end.causes) {
            text.push_str(&format!("\n{line}"));
        }
        if let Some(savepoint) = &end.savepoint {
            text.push_str(&format!("\nsavepoint {}", savepoint.url));
        }
    }
    text
}

fn operators(job: &JobView) -> String {
    let Some(status) = job.status.as_ref().filter(|status| !status.operators.is_empty()) else { return String::new() };
    let metered = status.operators.iter().any(|operator| operator.fuel.is_some());
    let mut rows = vec![["OPERATOR", "KIND", "IN", "OUT", "BUSY", "IN COMPONENT", "HELD BACK", "IDLE"].map(str::to_owned).to_vec()];
    rows[0].extend(metered.then(|| "FUEL".to_owned()));
    rows.extend(status.operators.iter().map(|operator| {
        let ms = |ns: u64| format!("{} ms", report::grouped(ns / 1_000_000));
        let mut row = vec![
            operator.name.clone(),
            operator.kind.clone(),
            report::grouped(operator.records_in),
            report::grouped(operator.records_out),
            ms(operator.busy_ns),
            ms(operator.guest_ns),
            ms(operator.held_ns),
            operator.idle_ns.map(ms).unwrap_or_default(),
        ];
        row.extend(metered.then(|| fuel(operator)));
        row
    }));
    format!("\n{}", table(&rows))
}

/// What an operator's code has cost, with the operators of its chain whose cost is in it.
fn fuel(operator: &Operator) -> String {
    let used = operator.fuel.map(report::grouped).unwrap_or_default();
    let with: String = operator.fuel_with.iter().map(|name| format!(" + {name}")).collect();
    if with.is_empty() { used } else { format!("{used} ({}{with})", operator.name) }
}

fn history(job: &JobView) -> String {
    if job.history.is_empty() {
        return String::new();
    }
    let mut rows = vec![["VERSION", "COMPONENT", "WORKERS", "WHY", "UNTIL", "OUTCOME"].map(str::to_owned).to_vec()];
    rows.extend(job.history.iter().map(|past| {
        vec![
            past.version.number.to_string(),
            past.version.component.as_str()[..12].to_owned(),
            past.version.workers.to_string(),
            past.version.why.clone(),
            format!("{} ago", age(past.until_ms)),
            // What follows in an error is where it happened; the log has that.
            past.outcome.lines().next().unwrap_or_default().to_owned(),
        ]
    }));
    format!("\n{}", table(&rows))
}

/// How two versions differ.
pub(crate) fn comparison(changed: &Changed) -> String {
    let comparison = &changed.comparison;
    let mut text = String::new();
    for (word, names) in [("kept", &comparison.kept), ("added", &comparison.added), ("removed", &comparison.removed)] {
        if !names.is_empty() {
            text.push_str(&format!("{word:<9}{}\n", names.join(", ")));
        }
    }
    for change in &comparison.state {
        let word = match change.verdict {
            StateVerdict::Same => "same",
            StateVerdict::Compatible => "compatible: what is new begins empty",
            StateVerdict::Migrated => "migrated by the new version",
            StateVerdict::Dropped => "dropped",
            StateVerdict::Refused => "refused",
        };
        text.push_str(&format!("{:<9}{}: {word}\n", "state", change.operator));
        if change.verdict != StateVerdict::Same {
            for (sign, side) in [("-", &change.before), ("+", &change.after)] {
                text.extend(side.iter().map(|side| format!("         {sign} {side}\n")));
            }
        }
    }
    if let Some(shadow) = &changed.shadow {
        text.push_str(&shadowed(shadow));
    }
    console::printable(&text)
}

/// How a version took the place of the one before, where that is known.
pub(crate) fn taken(version: &Version) -> String {
    let ms = |us: &u64| *us as f64 / 1e3;
    let text = match &version.taken {
        None => return String::new(),
        Some(Taken::InPlace { pause_us, lasted_us }) => {
            format!("in place, within {:.1} ms; no worker was kept from records for more than {:.1} ms", ms(lasted_us), ms(pause_us))
        }
        Some(Taken::Restart { why }) => format!("through a checkpoint and a new process: {why}"),
    };
    format!("{:<9}{}\n", "taken", console::printable(&text))
}

/// What a shadow has shown.
fn shadowed(shadow: &Shadow) -> String {
    let read = report::grouped(shadow.records);
    let mut text = format!("{:<9}{read} records read{}\n", "shadow", if shadow.cut { "" } else { ", which is all there is" });
    for sink in &shadow.sinks {
        let (name, before, after) = (&sink.operator, report::grouped(sink.before), report::grouped(sink.after));
        let Some(found) = &sink.difference else {
            text.push_str(&format!("         {name}: the same {before} records\n"));
            continue;
        };
        let (missing, surplus) = (report::grouped(found.missing), report::grouped(found.surplus));
        text.push_str(&format!("         {name}: {before} and {after} records, {missing} written no more and {surplus} new\n"));
        for (sign, record) in [("-", &found.first_missing), ("+", &found.first_surplus)] {
            text.extend(record.iter().map(|record| format!("         {sign} {record}\n")));
        }
    }
    text
}
