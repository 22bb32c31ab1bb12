"""What type checkers infer. Never run: `assert_type` is checked by mypy and pyright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, assert_type

from tidemill import (
    I32,
    AggregatingState,
    BroadcastCtx,
    BroadcastMap,
    BroadcastProcess,
    BroadcastValue,
    CoGroupResults,
    Connected,
    Ctx,
    DeadLetter,
    Emit,
    EventTimer,
    Generated,
    Job,
    JoinResults,
    Json,
    KeyCount,
    KeyedStream,
    KeyValue,
    ListState,
    MapState,
    Process,
    Process2,
    Processed,
    ReducingState,
    Side,
    SideOutput,
    Source,
    Stream,
    Ttl,
    Value,
    WatermarkGenerator,
    Window,
    WindowCount,
    WindowedStream,
    WindowRecord,
    WindowResults,
    WithBroadcast,
    aggregates,
    calendar_days,
    evictors,
    generator,
    global_window,
    job,
    out_of_order,
    periodic,
    punctuated,
    record,
    records,
    records_sliding,
    replace,
    seconds,
    session_by,
    triggers,
    tumbling,
)
from tidemill.testing import JobTest, OperatorTest, ProcessTest, WatermarkTest


@record
class Reading:
    sensor: str
    celsius: float
    at: int
    place: str | None = None
    floor: I32 = 0
    tags: Json[list[str]] | None = None


@record(rename="camelCase")
class Average:
    sensor: str
    mean_celsius: float


reading = Reading("a", 20.0, 5)
assert_type(reading.floor, int)
assert_type(reading.tags, "list[str] | None")
assert_type(replace(reading, at=6), Reading)


def words(reading: Reading) -> Iterator[str]:
    yield reading.sensor


def average(window: Window[str], celsius: float) -> Average:
    return Average(window.key, celsius)


def both(reading: Reading, out: Emit[str], side: Emit[Average]) -> None:
    out.emit(reading.sensor)
    side.emit(Average(reading.sensor, reading.celsius))


class Watch(Process[str, Reading, Average]):
    count: Value[int]
    seen: Annotated[Value[bool], Ttl.event_time(seconds(1)).renewed_by_reads()]
    recent: ListState[float]
    by_place: Annotated[MapState[str, Reading], Ttl.processing_time(seconds(1))]
    warmest: ReducingState[Reading] = ReducingState(lambda a, b: a if a.celsius > b.celsius else b)
    mean: AggregatingState[Reading, float] = AggregatingState(aggregates.mean(Reading.celsius))
    wake: EventTimer
    hot: SideOutput[Reading]

    def on_record(self, ctx: Ctx[str, Average], reading: Reading) -> None:
        assert_type(ctx.key, str)
        assert_type(self.count.get(), "int | None")
        assert_type(self.count.get(0), int)
        assert_type(self.seen.get(), "bool | None")
        self.warmest.add(reading)
        assert_type(self.warmest.get(), "Reading | None")
        self.mean.add(reading)
        assert_type(self.mean.get(), "float | None")
        assert_type(self.recent[0], float)
        assert_type(self.recent[1:], "list[float]")
        assert_type(self.by_place["x"], Reading)
        assert_type(self.by_place.take(), "dict[str, Reading]")
        self.hot.emit(reading)
        ctx.emit(Average(ctx.key, sum(self.recent)))


class Pair(Process2[str, Reading, Average, int]):
    def on_first(self, ctx: Ctx[str, int], reading: Reading) -> None:
        ctx.emit(1)

    def on_second(self, ctx: Ctx[str, int], average: Average) -> None:
        ctx.emit(2)


class Limited(BroadcastProcess[str, Reading, Average, int]):
    limits: BroadcastMap[str, float]
    last: BroadcastValue[int]

    def on_record(self, ctx: Ctx[str, int], reading: Reading) -> None:
        assert_type(self.limits["x"], float)
        assert_type(self.limits.get("x", None), "float | None")
        assert_type(self.last.get(), "int | None")
        assert_type(self.last.get(0), int)

    def on_broadcast(self, ctx: BroadcastCtx[int], average: Average) -> None:
        assert_type(ctx.change(self.limits), MapState[str, float])
        assert_type(ctx.change(self.last), Value[int])
        ctx.emit(1)

    def on_key(self, ctx: Ctx[str, int], average: Average) -> None:
        ctx.emit(len(ctx.key))


class Enough(triggers.TriggerFunction[Reading, float]):
    def start(self) -> float:
        return 0.0

    def on_record(self, window: triggers.TriggerWindow[float], reading: Reading) -> triggers.Action:
        assert_type(window.state, float)
        window.state += reading.celsius
        window.at_event_time(window.end)
        return triggers.Action.FIRE

    def merge(self, state: float, other: float) -> float:
        return state + other


def all_of(window: Window[str], readings: list[Reading]) -> Iterator[int]:
    yield len(readings)


def both_of(window: Window[str], readings: list[Reading], averages: list[Average]) -> Iterator[int]:
    yield len(readings) + len(averages)


def apart(row: tuple[Reading, Average | None, Reading]) -> str:
    reading, average, other = row
    assert_type(average, "Average | None")
    return reading.sensor + other.sensor


class Marks(WatermarkGenerator[Reading]):
    def on_event(self, reading: Reading, time: int) -> int | None:
        return None


def mark(reading: Reading, time: int) -> int | None:
    return time if reading.celsius > 0 else None


def latest(noted: int, reading: Reading, time: int) -> int:
    return max(noted, time)


@job
def everything(job: Job) -> None:
    source = job.source("readings", Reading, default="stdin:").event_time(Reading.at, out_of_order(seconds(2)))
    assert_type(source, Source[Reading])
    assert_type(source.map("a", lambda reading: reading.at, out=int), Stream[int])
    assert_type(source.flat_map("b", words), Stream[str])
    assert_type(source.split("c", "side", both), tuple[Stream[str], Stream[Average]])
    assert_type(source.filter("d", lambda reading: reading.at > 0).dead_letters(), Stream[DeadLetter])
    keyed = source.key_by(Reading.sensor)
    assert_type(keyed, KeyedStream[str, Reading])
    assert_type(source.key_by(Reading.sensor, Reading.floor), KeyedStream[tuple[str, int], Reading])
    assert_type(source.key_by_fn("e", lambda reading: reading.at // 10, out=int), KeyedStream[int, Reading])
    assert_type(keyed.count("f"), Stream[KeyCount[str]])
    assert_type(keyed.sum("g", Reading.at), Stream[KeyValue[str, int]])
    assert_type(keyed.max_by("h", Reading.celsius), Stream[Reading])
    windows = keyed.window(tumbling(seconds(10)))
    assert_type(windows, WindowedStream[str, Reading])
    results = windows.aggregate("i", aggregates.mean(Reading.celsius), average)
    assert_type(results, WindowResults[Average, Reading])
    assert_type(results.late(), Stream[Reading])
    early = triggers.any(triggers.at_end(), triggers.early_every(seconds(1)).event_time()).purging()
    assert_type(early, triggers.Trigger)
    assert_type(windows.trigger(early), WindowedStream[str, Reading])
    assert_type(windows.trigger_function(Enough()), WindowedStream[str, Reading])
    assert_type(windows.evictor(evictors.by(lambda times, readings: [0])), WindowedStream[str, Reading])
    assert_type(windows.evictor(evictors.differing_by(Reading.celsius, 1.5)), WindowedStream[str, Reading])
    cut = keyed.window(records(3).or_after(seconds(1)))
    assert_type(cut.process("all", all_of), WindowResults[int, Reading])
    for other in (records_sliding(3, 2), global_window(), calendar_days("Europe/Berlin").every(7), session_by(Reading.at)):
        assert_type(keyed.window(other), WindowedStream[str, Reading])
    assert_type(windows.count("j"), WindowResults[WindowCount[str], Reading])
    assert_type(windows.min_by("k", Reading.celsius), WindowResults[WindowRecord[Reading], Reading])
    processed = keyed.process("l", Watch())
    assert_type(processed, Processed[Average])
    assert_type(processed.side_output("hot", Reading), Stream[Reading])
    connected = keyed.connect(results.key_by(Average.sensor))
    assert_type(connected, Connected[str, Reading, Average])
    assert_type(connected.process("m", Pair()), Processed[int])
    assert_type(job.arg_or("n", 3), int)
    averages = results.key_by(Average.sensor)
    limited = keyed.connect_broadcast(results)
    assert_type(limited, WithBroadcast[str, Reading, Average])
    assert_type(limited.process("o", Limited()), Processed[int])
    assert_type(source.connect_broadcast(results), WithBroadcast[tuple[()], Reading, Average])
    marked = punctuated(mark)
    assert_type(marked, Generated[Reading])
    assert_type(source.assign_event_time("v", lambda reading: reading.at, marked), Stream[Reading])
    source.assign_event_time("w", lambda reading: reading.at, punctuated(lambda reading, time: reading.at))
    source.assign_event_time("x", lambda reading: reading.at, periodic(seconds(1), int, latest, lambda noted, now: noted - 1))
    source.assign_event_time("y", lambda reading: reading.at, generator(Marks, every=seconds(1)))
    left, right = keyed.side("l"), averages.side("r")
    assert_type(left, Side[str, Reading])
    assert_type(right.optional(), "Side[str, Average | None]")
    near = left.join(right.optional()).within("p", seconds(-1), seconds(1))
    assert_type(near, "JoinResults[tuple[Reading, Average | None]]")
    assert_type(near.unmatched("r", Average), Stream[Average])
    assert_type(left.join(right).as_of("q"), JoinResults[tuple[Reading, Average]])
    table = left.join(right.optional()).join(keyed.side("m")).latest("r")
    assert_type(table, "JoinResults[tuple[Reading, Average | None, Reading]]")
    assert_type(table.map("s", apart), Stream[str])
    together = left.join(right).join(keyed.side("m")).window(tumbling(seconds(1))).join("t")
    assert_type(together, JoinResults[WindowRecord[tuple[Reading, Average, Reading]]])
    group = keyed.co_group(averages, tumbling(seconds(1))).process("u", both_of)
    assert_type(group, CoGroupResults[int, Reading, Average])
    assert_type(group.late_second(), Stream[Average])


def kit() -> None:
    assert_type(JobTest(everything).sink("a", Reading), "list[Reading]")
    assert_type(OperatorTest(everything, "l").output(Average), "list[tuple[Average, int]]")
    assert_type(WatermarkTest(punctuated(mark)).watermark, "int | None")
    assert_type(ProcessTest(Watch()).output(), "list[tuple[Average, int]]")
