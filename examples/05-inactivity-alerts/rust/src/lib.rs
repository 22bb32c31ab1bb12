//! An alert when a device has sent nothing for thirty seconds, and the number of signals until then.
//!
//! Signals may arrive out of order, and a file is read faster than its time passes. So that alerts depend on the signals
//! alone, each waits in state until the watermark says that nothing earlier will come.

use tidemill::prelude::*;

/// How long a device may be silent, in milliseconds.
const SILENCE_MS: i64 = 30_000;

#[derive(Record)]
struct Signal {
    device: String,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Alert {
    device: String,
    silent_since: i64,
    signals: i64,
}

/// What is known of a device that is not silent.
#[derive(Clone, Record)]
struct Seen {
    last: i64,
    signals: i64,
}

struct Watch {
    waiting: ListState<i64>,
    seen: Value<Seen>,
    wake: Timer,
}

impl Process for Watch {
    type Key = String;
    type In = Signal;
    type Out = Alert;

    fn on_record(&self, ctx: &mut Ctx<String, Alert>, signal: Signal) -> Result {
        ctx.state(&self.waiting).push(signal.at);
        ctx.timer(&self.wake).add(signal.at);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<String, Alert>, _: TimerEvent) -> Result {
        let now = ctx.watermark();
        let mut due = ctx.state(&self.waiting).take();
        due.sort_unstable();
        let later = due.split_off(due.partition_point(|at| *at <= now));
        let mut seen = ctx.state(&self.seen).take();
        for at in due {
            let silent = seen.take_if(|seen| at > seen.last + SILENCE_MS);
            self.alert(ctx, silent);
            seen = Some(Seen { last: at, signals: seen.map_or(0, |seen| seen.signals) + 1 });
        }
        let silent = seen.take_if(|seen| now > seen.last + SILENCE_MS);
        self.alert(ctx, silent);
        if let Some(seen) = seen {
            ctx.timer(&self.wake).add(seen.last + SILENCE_MS + 1);
            ctx.state(&self.seen).set(seen);
        }
        if !later.is_empty() {
            ctx.state(&self.waiting).set(later);
        }
        Ok(())
    }
}

impl Watch {
    fn alert(&self, ctx: &mut Ctx<String, Alert>, silent: Option<Seen>) {
        if let Some(seen) = silent {
            ctx.emit(Alert { device: ctx.key(), silent_since: seen.last, signals: seen.signals });
        }
    }
}

#[tidemill::job]
fn inactivity_alerts(job: &mut Job) -> Result {
    job.source::<Signal>("signals", json().default("stdin:"))
        .event_time(Signal::AT, out_of_order(seconds(2)))
        .key_by(Signal::DEVICE)
        .process("watch", |declare| Watch {
            waiting: declare.list("waiting"),
            seen: declare.value("seen"),
            wake: declare.event_timer("wake"),
        })
        .sink("alerts", json().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    #[test]
    fn a_device_is_silent_thirty_seconds_after_its_last_signal() {
        let mut test = testing::job(inactivity_alerts).start();
        for (device, at) in [("pump", 0), ("fan", 1_000), ("pump", 20_000), ("fan", 60_000)] {
            test.push("signals", Signal { device: device.to_owned(), at });
        }
        let mut alerts = test.sink::<Alert>("alerts");
        alerts.sort_by_key(|alert| alert.silent_since);
        assert_eq!(
            alerts,
            [
                Alert { device: "fan".into(), silent_since: 1_000, signals: 1 },
                Alert { device: "pump".into(), silent_since: 20_000, signals: 2 }
            ]
        );
        test.finish();
        assert_eq!(test.sink::<Alert>("alerts").len(), 1, "at the end of input the last one is silent too");
    }
}
