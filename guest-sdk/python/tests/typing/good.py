"""What type checkers infer. Never run: `assert_type` is checked by mypy and pyright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_type

from tidemill import (
    I32,
    Connected,
    Ctx,
    DeadLetter,
    Emit,
    EventTimer,
    Job,
    Json,
    KeyCount,
    KeyedStream,
    KeyValue,
    ListState,
    MapState,
    Process,
    Process2,
    Processed,
    SideOutput,
    Source,
    Stream,
    Value,
    Window,
    WindowCount,
    WindowedStream,
    WindowRecord,
    WindowResults,
    aggregates,
    job,
    out_of_order,
    record,
    replace,
    seconds,
    tumbling,
)
from tidemill.testing import JobTest, OperatorTest, ProcessTest


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
    recent: ListState[float]
    by_place: MapState[str, Reading]
    wake: EventTimer
    hot: SideOutput[Reading]

    def on_record(self, ctx: Ctx[str, Average], reading: Reading) -> None:
        assert_type(ctx.key, str)
        assert_type(self.count.get(), "int | None")
        assert_type(self.count.get(0), int)
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
    assert_type(windows.count("j"), WindowResults[WindowCount[str], Reading])
    assert_type(windows.min_by("k", Reading.celsius), WindowResults[WindowRecord[Reading], Reading])
    processed = keyed.process("l", Watch())
    assert_type(processed, Processed[Average])
    assert_type(processed.side_output("hot", Reading), Stream[Reading])
    connected = keyed.connect(results.key_by(Average.sensor))
    assert_type(connected, Connected[str, Reading, Average])
    assert_type(connected.process("m", Pair()), Processed[int])
    assert_type(job.arg_or("n", 3), int)


def kit() -> None:
    assert_type(JobTest(everything).sink("a", Reading), "list[Reading]")
    assert_type(OperatorTest(everything, "l").output(Average), "list[tuple[Average, int]]")
    assert_type(ProcessTest(Watch()).output(), "list[tuple[Average, int]]")
