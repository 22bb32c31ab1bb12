"""An alert when a device has sent nothing for thirty seconds, and the number of signals until then.

Signals may arrive out of order, and a file is read faster than its time passes. So that alerts depend on the signals
alone, each waits in state until the watermark says that nothing earlier will come.
"""

from tidemill import Ctx, EventTimer, Job, ListState, Process, TimerEvent, Value, job, out_of_order, record, seconds

SILENCE_MS = 30_000
"""How long a device may be silent."""


@record
class Signal:
    device: str
    at: int


@record
class Alert:
    device: str
    silent_since: int
    signals: int


@record
class Seen:
    """What is known of a device that is not silent."""

    last: int
    signals: int


class Watch(Process[str, Signal, Alert]):
    waiting: ListState[int]
    seen: Value[Seen]
    wake: EventTimer

    def on_record(self, ctx: Ctx[str, Alert], signal: Signal) -> None:
        self.waiting.append(signal.at)
        self.wake.add(signal.at)

    def on_timer(self, ctx: Ctx[str, Alert], event: TimerEvent) -> None:
        now = ctx.watermark
        signals = sorted(self.waiting.take())
        seen = self.seen.take()
        for at in (at for at in signals if at <= now):
            seen = self.unless_silent(ctx, seen, at)
            seen = Seen(at, seen.signals + 1 if seen else 1)
        seen = self.unless_silent(ctx, seen, now)
        if seen:
            self.wake.add(seen.last + SILENCE_MS + 1)
            self.seen.set(seen)
        self.waiting.extend(at for at in signals if at > now)

    def unless_silent(self, ctx: Ctx[str, Alert], seen: Seen | None, now: int) -> Seen | None:
        if seen and now > seen.last + SILENCE_MS:
            ctx.emit(Alert(ctx.key, seen.last, seen.signals))
            return None
        return seen


@job
def inactivity_alerts(job: Job) -> None:
    (
        job.source("signals", Signal, default="stdin:")
        .event_time(Signal.at, out_of_order(seconds(2)))
        .key_by(Signal.device)
        .process("watch", Watch())
        .sink("alerts", default="stdout:")
    )
