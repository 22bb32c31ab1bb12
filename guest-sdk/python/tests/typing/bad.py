"""What type checkers refuse: each ignored error has to be one, or the ignoring of it is an error. Never run."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill import (
    BroadcastCtx,
    BroadcastMap,
    BroadcastProcess,
    BroadcastValue,
    Ctx,
    EventTimer,
    Job,
    ListState,
    Process,
    ReducingState,
    Ttl,
    Value,
    WatermarkGenerator,
    Window,
    aggregates,
    evictors,
    generator,
    monotonic,
    record,
    seconds,
    session_by,
    triggers,
    tumbling,
)
from tidemill.testing import JobTest


@record
class Reading:
    sensor: str
    celsius: float
    at: int


@record
class Other:
    n: int


reading = Reading("a", 1.0)  # type: ignore[call-arg]
reading = Reading("a", "warm", 1)  # type: ignore[arg-type]
reading.at = 5  # type: ignore[misc]
reading.missing  # type: ignore[attr-defined]


def words(reading: Reading) -> Iterator[str]:
    yield reading.sensor


def label(window: Window[str], celsius: float) -> str:
    return window.key


class Watch(Process[str, Reading, str]):
    count: Value[int]
    recent: ListState[float]
    wake: EventTimer
    warmest: ReducingState[Reading] = ReducingState(lambda a, b: "x")  # type: ignore[arg-type, return-value]

    def on_record(self, ctx: Ctx[str, str], reading: Reading) -> None:
        self.warmest.add("x")  # type: ignore[arg-type]
        ctx.emit(5)  # type: ignore[arg-type]
        self.count.set("x")  # type: ignore[arg-type]
        self.count.get() + 1  # type: ignore[operator]
        self.recent.append("x")  # type: ignore[arg-type]
        self.wake.add("noon")  # type: ignore[arg-type]
        self.count = 5  # type: ignore[assignment]


class OfAnother(Process[str, Other, str]):
    def on_record(self, ctx: Ctx[str, str], other: Reading) -> None:  # type: ignore[override]
        pass


class Limited(BroadcastProcess[str, Reading, Other, str]):
    limits: BroadcastMap[str, float]
    last: BroadcastValue[int]

    def on_record(self, ctx: Ctx[str, str], reading: Reading) -> None:
        self.limits["x"] = 1.0  # type: ignore[index]
        self.last.set(1)  # type: ignore[attr-defined]
        ctx.change(self.last)  # type: ignore[attr-defined]

    def on_broadcast(self, ctx: BroadcastCtx[str], other: Other) -> None:
        ctx.change(self.last).set("x")  # type: ignore[arg-type]


class EnoughOthers(triggers.TriggerFunction[Other, int]):
    def on_record(self, window: triggers.TriggerWindow[int], other: Other) -> triggers.Action:
        window.state = "x"  # type: ignore[assignment]
        return 5  # type: ignore[return-value]


class MarksOfOthers(WatermarkGenerator[Other]):
    def on_event(self, other: Other, time: int) -> int | None:
        return "noon"  # type: ignore[return-value]


def apart(row: tuple[Reading, Other]) -> str:
    return row[0].sensor


def refused(job: Job) -> None:
    source = job.source("readings", Reading)
    source.event_time(Reading.sensor, monotonic())  # type: ignore[arg-type]
    source.map(words)  # type: ignore[call-arg, arg-type]
    source.filter("a", lambda reading: reading.missing)  # type: ignore[attr-defined]
    source.flat_map("b", lambda reading: 5)  # type: ignore[arg-type, return-value]
    source.union("c", job.source("others", Other))  # type: ignore[arg-type]
    source.event_time(Reading.at, generator(MarksOfOthers))  # type: ignore[arg-type]
    source.assign_event_time("q", lambda reading: reading.at, generator(MarksOfOthers))  # type: ignore[arg-type]
    source.window(tumbling(seconds(1)))  # type: ignore[attr-defined]
    source.process("d", Watch())  # type: ignore[attr-defined]
    source.on_error("ignore")  # type: ignore[arg-type]
    source.sink("e", format="xml")  # type: ignore[arg-type]
    by_time = source.key_by(Reading.at)
    by_time.process("f", Watch())  # type: ignore[arg-type]
    by_time.sum("g", Reading.sensor)  # type: ignore[type-var]
    by_time.window(tumbling(seconds(1))).aggregate("h", aggregates.mean(Reading.celsius), label)  # type: ignore[arg-type]
    source.key_by(Reading.sensor).window(tumbling(10))  # type: ignore[arg-type]
    windows = by_time.window(tumbling(seconds(1)))
    windows.trigger("at-watermark")  # type: ignore[arg-type]
    windows.trigger_function(EnoughOthers())  # type: ignore[arg-type]
    windows.evictor(evictors.differing_by(Reading.sensor, 1.0))  # type: ignore[type-var]
    by_time.window(session_by(Reading.sensor))  # type: ignore[arg-type]
    by_time.connect_broadcast(job.source("o", Other)).process("i", Limited())  # type: ignore[arg-type]
    source.key_by(Reading.sensor).connect_broadcast(source).process("j", Limited())  # type: ignore[arg-type]
    left, right = source.key_by(Reading.sensor).side("l"), job.source("p", Other).key_by(Other.n).side("r")
    left.join(right)  # type: ignore[arg-type]
    by_time.side("l").join(right.optional()).as_of("k").map("m", apart)  # type: ignore[arg-type]
    by_time.side("l").join(right).join(right).as_of("n")  # type: ignore[attr-defined]
    Ttl.event_time(10)  # type: ignore[arg-type]
    aggregates.mean(Reading.sensor)  # type: ignore[arg-type]
    JobTest(refused).sink("a")  # type: ignore[call-arg]
