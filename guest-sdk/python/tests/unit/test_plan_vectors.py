"""Plans of the contract's vectors, built by the SDK. Those that no job of this SDK can say are named at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from support import Heard

from tidemill import (
    I32,
    Job,
    MapState,
    Process,
    Ttl,
    Value,
    Window,
    calendar_days,
    evictors,
    global_window,
    millis,
    minutes,
    monotonic,
    out_of_order,
    periodic,
    punctuated,
    record,
    records,
    records_sliding,
    seconds,
    session,
    session_by,
    sliding,
    triggers,
    tumbling,
)
from tidemill.runtime import Instance

VECTORS: dict[str, Any] = {
    vector["name"]: vector["plan"]
    for vector in json.loads((Path(__file__).parents[2] / "wit" / "vectors" / "plans.json").read_text())["good"]
}


@record
class Reading:
    sensor: str
    celsius: float
    at: int


@record
class Average:
    sensor: str
    celsius: float
    until: int


@record
class Acc:
    sum: float
    n: int


@record
class Line:
    line: str


@record
class Counted:
    k: str
    n: I32
    f: float
    at: int


@record
class Bid:
    auction: int
    price: int
    at: int


@record
class Person:
    id: int
    name: str | None
    at: int


LATE = out_of_order(seconds(2))


def readings(job: Job, name: str = "readings") -> Any:
    return job.source(name, Reading).event_time(Reading.at, LATE)


def averaged(windows: Any, name: str) -> Any:
    def average(window: Window[Any], acc: Acc) -> Average:
        return Average("", 0.0, 0)

    return windows.fold(name, Acc(0.0, 0), lambda acc, r: acc, lambda a, b: a, average)


def tens(stream: Any) -> Any:
    return stream.key_by(Reading.sensor).window(tumbling(seconds(10)))


def sensor_average(job: Job) -> None:
    job.name("sensor-average")
    plausible = readings(job).filter("plausible", bool)
    averaged(tens(plausible.map("calibrated", lambda r: r, out=Reading).on_error("skip")), "average").sink("out")


def tagged(job: Job) -> None:
    events = job.tagged_source("events", tag="type").event_time_field("at", LATE)
    bids, people = events.variant("bid", Bid), events.variant("person", Person)
    bids.sink("bids")
    people.sink("people")


def wired(job: Job) -> None:
    source = readings(job)
    dead = source.dead_letters()
    results = averaged(tens(source).allowed_lateness(seconds(5)), "average")
    results.sink("out")
    results.late().sink("late")
    dead.sink("bad")


def late_of_late(job: Job) -> None:
    first = averaged(tens(readings(job)), "average")
    second = averaged(tens(first.late()).allowed_lateness(seconds(60)), "second")
    first.sink("out")
    second.sink("o2")
    second.late().sink("o3")


def timestamps(job: Job) -> None:
    parsed = job.source("lines", Line, format="text").flat_map("parsed", lambda line: [], out=Reading)
    averaged(tens(parsed.assign_event_time("timed", lambda r: r.at, monotonic())), "average").sink("out")


def host_windows(job: Job) -> None:
    source = job.source("readings", Counted).event_time(Counted.at, LATE)
    windows = source.key_by(Counted.k).window(tumbling(seconds(10)))
    hot, total = windows.count("hot"), windows.sum("sum", Counted.n)
    least = source.window_all(tumbling(seconds(10))).min("min", Counted.f)
    top = source.key_by(Counted.n).window(tumbling(seconds(10))).max_by("top", Counted.k)
    for stream, name in zip((hot, total, least, top), ("out", "o2", "o3", "o4")):
        stream.sink(name)


def rolling(job: Job) -> None:
    keyed = readings(job).key_by(Reading.sensor)
    best, first = keyed.max("best", Reading.celsius), keyed.min_by("first", Reading.at)
    best.sink("out")
    first.sink("o2")


def assigners(job: Job) -> None:
    keyed = readings(job).key_by(Reading.sensor)
    gaps = averaged(keyed.window(sliding(seconds(1), seconds(5)).offset(millis(-1))), "gaps")
    sessions = averaged(keyed.window(session(millis(1))), "session")
    clock = averaged(keyed.window(tumbling(seconds(10)).processing_time()), "clock")
    for stream, name in zip((gaps, sessions, clock), ("out", "o2", "o3")):
        stream.sink(name)


def union(job: Job) -> None:
    first, *others = (readings(job, name) for name in "abc")
    first.union("all", *others).sink("out")


def text(job: Job) -> None:
    lines = job.source("lines", Line, format="text")
    lines.map("loud", lambda line: line, out=Line).sink("out", format="text")


def diamond(job: Job) -> None:
    source = readings(job)
    cold, warm = source.filter("cold", bool), source.filter("warm", bool)
    cold.union("both", warm).sink("out")


@record
class Order:
    id: int
    item: str
    at: int


@record
class Payment:
    order: int
    cents: int
    at: int


def sides(job: Job) -> Any:
    orders = job.source("orders", Order).event_time(Order.at, monotonic())
    payments = job.source("payments", Payment).event_time(Payment.at, monotonic())
    return orders.key_by(Order.id).side("o"), payments.key_by(Payment.order).side("p")


def window_join(job: Job) -> None:
    orders, payments = sides(job)
    joined = orders.join(payments).window(session(seconds(1))).allowed_lateness(millis(500)).join("j")
    joined.sink("out")
    joined.unmatched("o", Order).sink("un")
    joined.late("p", Payment).sink("late")


def interval_join(job: Job) -> None:
    orders, payments = sides(job)
    orders.join(payments).within("j", millis(-5), millis(10), upper_exclusive=True).sink("out")


def keyed_join(job: Job) -> None:
    orders, payments = sides(job)
    orders.join(payments.optional()).latest("j").sink("out")


def temporal_join(job: Job) -> None:
    orders, payments = sides(job)
    orders.join(payments).as_of("j").sink("out")


@record
class Gapped:
    sensor: str
    n: int
    gap: int
    at: int


@record
class Number:
    n: int


class Never(triggers.TriggerFunction[Gapped, int]):
    """Only what the plan says of it is looked at."""


def windows(job: Job) -> None:
    keyed = job.source("readings", Gapped).event_time(Gapped.at, monotonic()).key_by(Gapped.sensor)
    early = triggers.any(
        triggers.at_end(),
        triggers.late_each(),
        triggers.early_every(seconds(1)),
        triggers.all(triggers.every_records(5), triggers.after(millis(100)).event_time()),
    )
    counted = {
        "count": keyed.window(records(3)),
        "count-sliding": keyed.window(records_sliding(3, 2)),
        "count-or-after": keyed.window(records(3).or_after(seconds(5))),
        "global": keyed.window(global_window()).trigger(triggers.every_records(10).purging()),
        "early": keyed.window(tumbling(minutes(1))).trigger(early).allowed_lateness(seconds(1)),
        "by": keyed.window(session_by(Gapped.gap)),
        "days": keyed.window(calendar_days("Asia/Shanghai").every(7)),
    }
    for name, windows in counted.items():
        windows.count(name).sink(f"out-{name}")

    def number(window: Window[str], n: int) -> Number:
        return Number(n)

    own = keyed.window(global_window()).trigger_function(Never())
    own.fold("own", 0, lambda n, r: n, lambda a, b: a, number).sink("out-own")
    evicted: dict[str, Any] = {
        "last": evictors.all_but_last(2),
        "recent": evictors.older_than(seconds(1)),
        "near": evictors.differing_by(Gapped.n, 5.5),
        "chosen": evictors.by(lambda times, records: []),
    }
    for name, evictor in evicted.items():
        seconds_of = keyed.window(tumbling(seconds(1))).evictor(evictor.after())
        seconds_of.process(name, lambda window, records: [], out=Number).sink(f"out-{name}")


class Living(Process[str, Reading, Reading]):
    s: Annotated[Value[int], Ttl.event_time(seconds(1))]
    m: Annotated[MapState[str, int], Ttl.processing_time(millis(1)).renewed_by_reads()]


def living(job: Job) -> None:
    readings(job).key_by(Reading.sensor).process("watch", Living()).sink("out")


def marked(job: Job) -> None:
    timed = job.source("readings", Reading).assign_event_time("timed", lambda r: r.at, punctuated(lambda r, at: None))
    averaged(tens(timed), "average").sink("out")


def clocked(job: Job) -> None:
    watermarks = periodic(millis(200), int, lambda n, r, at: n, lambda n, now: n)
    job.source("readings", Reading).assign_event_time("timed", lambda r: r.at, watermarks).sink("out")


JOBS: dict[str, Callable[[Job], None]] = {
    "sensor average": sensor_average,
    "a source straight into a sink, nothing in event time": lambda job: job.source("readings", Reading).sink("out"),
    "tagged source, one output a variant": tagged,
    "late and dead letters are wired": wired,
    "late of a window of late records": late_of_late,
    "timestamps behind a stateless chain": timestamps,
    "host windows: count, sum of i32, min, max-by": host_windows,
    "rolling aggregates": rolling,
    "sliding with gaps, session, processing time": assigners,
    "union of three": union,
    "text in, text out": text,
    "a diamond": diamond,
    "a window join with a port for who found nobody": window_join,
    "an interval join": interval_join,
    "a keyed join with an optional side": keyed_join,
    "a temporal join": temporal_join,
    "windows of 0.2.0": windows,
    "state that lives for a time": living,
    "watermarks of the component's": marked,
    "watermarks of the component's by the clock": clocked,
}

UNLIKE = {"windows of 0.2.0": "state", "state that lives for a time": "schema"}
"""What is not compared: the SDK has names of its own for the columns of a window's state and of maps."""

NOT_SAID = {
    "every stateless kind and partition": "the SDK calls the columns of a computed key $key0",
    "process with keys, state and timers over two inputs": "the SDK calls the column of a list or map block",
    "keys of f64 and of options": "a float is no key here, as in Rust",
    "a later patch of the contract, keys named like columns of windows and timers": "the SDK states its own patch",
    "a co-group": "the SDK calls the sides first and second",
    "broadcast state beside that of a key": "the SDK calls the column of a value value",
    "broadcast state without a key": "a process function emits n:i64 as value:i64",
    "sources that are aligned": "a source reads as fast as it can",
    "the splits of a source whose times the component gives, aligned": "a source reads as fast as it can",
    "a time field that nobody reads": "only a tagged source takes its time from a field that is no column",
}

DEFAULTS = {
    "fuse": True,
    "port": "out",
    "partition": "forward",
    "domain": "event",
    "lateness-ms": 0,
    "offset_ms": 0,
    "purge": False,
    "on-error": "fail",
}


def without_defaults(value: Any, unlike: str | None = None, inside: str = "") -> Any:
    if isinstance(value, dict):
        defaults = {**DEFAULTS, "domain": "processing"} if inside in ("after", "early-every", "or-after") else DEFAULTS
        said = {key: part for key, part in value.items() if key != unlike and (key not in defaults or defaults[key] != part)}
        return {key: without_defaults(part, unlike, key) for key, part in said.items()}
    return [without_defaults(part, unlike) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", JOBS)
def test_a_job_says_the_plan_of_the_vector(name: str) -> None:
    _, document = Instance.plan(JOBS[name], [], Heard())
    unlike = UNLIKE.get(name)
    assert without_defaults(json.loads(document), unlike) == without_defaults(VECTORS[name], unlike)


def test_every_vector_is_said_or_told_why_not() -> None:
    assert set(VECTORS) == set(JOBS) | set(NOT_SAID)
