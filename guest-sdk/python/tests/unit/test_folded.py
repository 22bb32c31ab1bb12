"""State that folds what is added to it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from support import Heard

from tidemill import (
    AggregatingState,
    Ctx,
    Job,
    JobError,
    Process,
    ReducingState,
    Refusal,
    Ttl,
    aggregates,
    record,
    seconds,
)
from tidemill.runtime import Instance
from tidemill.testing import JobTest, ProcessTest


@record
class Reading:
    celsius: float
    at: int


class Span(aggregates.Aggregate[Reading, tuple[int, int], int]):
    def start(self) -> tuple[int, int]:
        return 1 << 62, -(1 << 62)

    def add(self, acc: tuple[int, int], record: Reading) -> tuple[int, int]:
        return min(acc[0], record.at), max(acc[1], record.at)

    def merge(self, acc: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        return min(acc[0], other[0]), max(acc[1], other[1])

    def finish(self, acc: tuple[int, int]) -> int:
        return acc[1] - acc[0]


class Watched(Process[str, Reading, str]):
    warmest: ReducingState[Reading] = ReducingState(lambda a, b: a if a.celsius >= b.celsius else b)
    mean: AggregatingState[Reading, float] = AggregatingState(aggregates.mean(Reading.celsius))
    span: AggregatingState[Reading, int] = AggregatingState(Span())

    def on_record(self, ctx: Ctx[str, str], reading: Reading) -> None:
        self.warmest.add(reading)
        self.mean.add(reading)
        self.span.add(reading)
        if reading.celsius > 90:
            raise Refusal("too warm")
        warmest = self.warmest.get()
        ctx.emit(f"{warmest and warmest.celsius} {self.mean.get()} {self.span.get()}")
        if reading.celsius < -90:
            for piece in (self.warmest, self.mean, self.span):
                piece.clear()
            ctx.emit(f"{self.warmest.get()} {self.mean.get()} {self.span.get()}")


def test_what_is_added_is_folded_for_each_key() -> None:
    def job(job: Job) -> None:
        keyed = job.source("r", Reading).key_by_fn("key", lambda reading: "b" if reading.at == 7 else "a", out=str)
        keyed.process("p", Watched()).on_error("skip").sink("out", format="text")

    test = JobTest(job)
    for celsius, at in ((10.0, 100), (1.0, 7), (30.0, 50), (99.0, 0), (20.0, 60), (-99.0, 60)):
        test.push("r", Reading(celsius, at))
        test.restart()
    assert test.sink_lines("out") == [
        "10.0 10.0 0",
        "1.0 1.0 0",
        "30.0 20.0 50",
        "30.0 20.0 50",
        "30.0 -9.75 50",
        "None None None",
    ]
    assert test.refused == ["too warm"], "what was added for it is not there"


def test_the_plan_says_what_is_kept() -> None:
    def job(job: Job) -> None:
        job.source("r", Reading).key_by_fn("key", lambda reading: "x", out=str).process("p", Watched()).sink("out")

    _, document = Instance.plan(job, [], Heard())
    assert json.loads(document)["operators"][2]["kind"]["process"]["state"] == [
        {"name": "warmest", "kind": "value", "schema": "celsius:f64,at:i64"},
        {"name": "mean", "kind": "value", "schema": "f0:f64,f1:i64"},
        {"name": "span", "kind": "value", "schema": "f0:i64,f1:i64"},
    ]


class Mute(Process[str, Reading, str]):
    piece: ReducingState[Reading]


class Living(Process[str, Reading, str]):
    piece: Annotated[ReducingState[Reading], Ttl.event_time(seconds(1))] = ReducingState(lambda a, b: a)


class OfOthers(Process[str, Reading, str]):
    piece: AggregatingState[int, float] = AggregatingState(aggregates.mean(Reading.celsius))  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (Mute(), "say how it folds, as in piece: ReducingState[...] = ReducingState(...)"),
        (Living(), "only a Value, a ListState or a MapState of a key lives for a time"),
        (OfOthers(), "Reading.celsius is no field of `int`"),
    ],
)
def test_what_is_wrong_is_said(function: Any, said: str) -> None:
    with pytest.raises(JobError) as refusal:
        ProcessTest(function)
    assert said in str(refusal.value)


def test_how_it_folds_is_a_function_or_an_aggregate() -> None:
    with pytest.raises(JobError, match="a function of two records, not 5"):
        ReducingState(5)  # type: ignore[arg-type]
    with pytest.raises(JobError, match=r"an aggregate such as aggregates.count\(\), not 5"):
        AggregatingState(5)  # type: ignore[arg-type]
