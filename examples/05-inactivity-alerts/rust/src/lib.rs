//! Alerts when a device has been silent for more than `--arg silence-s=30` seconds, and a second stream that tells when it is back.
//!
//! A process function with two timers. Heartbeats come out of order, so each waits in state until the watermark has passed it
//! and its timer applies it: the answer is then the same however the input is cut and spread. Every heartbeat applied
//! sets the other timer anew, which fires when none follows in time.

use tidemill::prelude::*;

#[derive(Record)]
struct Heartbeat {
    device: String,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Alert {
    device: String,
    silent_since: i64,
    beats: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Recovery {
    device: String,
    at: i64,
    silent_ms: i64,
}

/// What is remembered of a device.
#[derive(Clone, Default, Record)]
struct Pulse {
    last: i64,
    /// Heartbeats since it was last silent; 0 while it is silent.
    beats: i64,
}

struct Watch {
    silence_ms: i64,
    /// How many heartbeats wait at which time.
    waiting: MapState<i64, i64>,
    pulse: Value<Pulse>,
    apply: Timer,
    silence: Timer,
    recoveries: SideOutput<Recovery>,
}

impl Watch {
    fn new(declare: &mut Declare, silence_ms: i64) -> Watch {
        Watch {
            silence_ms,
            waiting: declare.map("waiting"),
            pulse: declare.value("pulse"),
            apply: declare.event_timer("apply"),
            silence: declare.event_timer("silence"),
            recoveries: declare.side_output("recoveries"),
        }
    }
}

impl Process for Watch {
    type Key = String;
    type In = Heartbeat;
    type Out = Alert;

    fn on_record(&self, ctx: &mut Ctx<String, Alert>, beat: Heartbeat) -> Result {
        *ctx.state(&self.waiting).or_insert(beat.at, 0) += 1;
        ctx.timer(&self.apply).add(beat.at);
        Ok(())
    }

    /// Either timer may come first where both are due at once, so each looks at the times itself.
    fn on_timer(&self, ctx: &mut Ctx<String, Alert>, event: TimerEvent) -> Result {
        let known = ctx.state(&self.pulse).cloned();
        let mut pulse = known.clone().unwrap_or_default();
        if pulse.beats > 0 && event.time() > pulse.last + self.silence_ms {
            ctx.emit(Alert { device: ctx.key(), silent_since: pulse.last, beats: pulse.beats });
            pulse.beats = 0;
        }
        if event.is(&self.apply) {
            if known.is_some() && pulse.beats == 0 {
                let back = Recovery { device: ctx.key(), at: event.time(), silent_ms: event.time() - pulse.last };
                ctx.emit_to(&self.recoveries, back);
            }
            let beats = ctx.state(&self.waiting).remove(&event.time()).unwrap_or_default();
            pulse = Pulse { last: event.time(), beats: pulse.beats + beats };
            ctx.timer(&self.silence).replace(pulse.last + self.silence_ms + 1);
        }
        ctx.state(&self.pulse).set(pulse);
        Ok(())
    }
}

/// The job.
#[tidemill::job]
pub fn inactivity_alerts(job: &mut Job) -> Result {
    let silence = seconds(job.arg_parse_or("silence-s", 30)?);
    let alerts = job
        .source::<Heartbeat>("heartbeats", json().default("stdin:"))
        .event_time(Heartbeat::AT, out_of_order(seconds(5)))
        .key_by(Heartbeat::DEVICE)
        .process("watch", |declare| Watch::new(declare, silence.ms()));
    alerts.sink("alerts", json().default("stdout:"));
    alerts.side_output::<Recovery>("recoveries").sink("recoveries", json().default("discard:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::{Alert, Heartbeat, Recovery, Watch, inactivity_alerts};

    fn beat(at: i64) -> Heartbeat {
        Heartbeat { device: "pump".to_owned(), at }
    }

    fn alert(silent_since: i64, beats: i64) -> Alert {
        Alert { device: "pump".to_owned(), silent_since, beats }
    }

    fn watch() -> testing::ProcessTest<Watch> {
        testing::process(|declare| Watch::new(declare, 10))
    }

    #[test]
    fn a_heartbeat_in_time_puts_the_alert_off() {
        let mut test = watch();
        test.push("pump".to_owned(), beat(100), 100);
        test.push("pump".to_owned(), beat(110), 110);
        test.watermark(120);
        assert!(test.output().is_empty(), "another heartbeat at 120 would still be in time");
        assert_eq!(test.timers(), [("silence".to_owned(), 121)]);
        test.watermark(121);
        assert_eq!(test.output(), [(alert(110, 2), 121)]);
        assert!(test.timers().is_empty());
    }

    #[test]
    fn heartbeats_count_in_the_order_of_their_times_whatever_the_watermark() {
        let mut test = watch();
        [130, 109, 100].into_iter().for_each(|at| test.push("pump".to_owned(), beat(at), at));
        test.watermark(i64::MAX);
        assert_eq!(test.output(), [(alert(109, 2), 120), (alert(130, 1), 141)]);
        let back = Recovery { device: "pump".to_owned(), at: 130, silent_ms: 21 };
        assert_eq!(test.side::<Recovery>("recoveries"), [(back, 130)]);
    }

    #[test]
    fn a_device_that_is_back_is_told_once_even_after_a_restart() {
        let mut test = watch();
        test.push("pump".to_owned(), beat(100), 100);
        test.watermark(150);
        test.restart();
        test.push("pump".to_owned(), beat(160), 160);
        test.push("pump".to_owned(), beat(165), 165);
        test.restart();
        test.watermark(170);
        let back = Recovery { device: "pump".to_owned(), at: 160, silent_ms: 60 };
        assert_eq!(test.side::<Recovery>("recoveries"), [(back, 160)]);
        assert_eq!(test.output(), [(alert(100, 1), 111)]);
    }

    #[test]
    fn the_sample_gives_its_alerts() {
        let mut test = testing::job(inactivity_alerts).start();
        test.push_lines("heartbeats", include_str!("../../input.json"));
        test.finish();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(test.sink_lines("alerts")), include_str!("../../expected.json").lines().collect::<Vec<_>>());
        assert_eq!(sorted(test.sink_lines("recoveries")), include_str!("../../expected-recoveries.json").lines().collect::<Vec<_>>());
    }
}
