"""What a job says of itself: the plan document, and what is wrong with a job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from support import Heard

from tidemill import (
    I32,
    Ctx,
    Emit,
    EventTimer,
    Job,
    JobError,
    ListState,
    MapState,
    Name,
    Process,
    Process2,
    ProcessingTimer,
    SideOutput,
    Value,
    Window,
    WindowCount,
    aggregates,
    hours,
    millis,
    minutes,
    monotonic,
    out_of_order,
    record,
    seconds,
    session,
    sliding,
    tumbling,
)
from tidemill.aggregates import Aggregate
from tidemill.runtime import Instance
from tidemill.testing import JobTest

VECTORS = json.loads((Path(__file__).parents[2] / "wit" / "vectors" / "plans.json").read_text())


def plan(job: Callable[[Job], None], *arguments: tuple[str, str]) -> Any:
    documents = [Instance.plan(job, arguments, Heard())[1] for _ in range(2)]
    assert documents[0] == documents[1], "the same job gives the same bytes"
    return json.loads(documents[0])


def operator(plan: Any, name: str) -> Any:
    (found,) = [operator for operator in plan["operators"] if operator["name"] == name]
    return found


@record(rename="camelCase")
class Trade:
    symbol: str
    exchange: str | None
    price: Annotated[float, Name("px")]
    trade_time: int
    shares: I32


TRADE = "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32"


def with_symbol(window: Window[tuple[str, str | None]], price: float) -> tuple[str, float]:
    return window.key[0], price


def average(job: Job) -> None:
    job.name("averages")
    (
        job.source("trades", Trade, default="stdin:")
        .event_time(Trade.trade_time, out_of_order(seconds(2)))
        .key_by(Trade.symbol, Trade.exchange)
        .window(sliding(minutes(1), seconds(10)).offset(-seconds(5)))
        .allowed_lateness(seconds(30))
        .aggregate("average", aggregates.mean(Trade.price), with_symbol)
        .sink("averages", format="csv")
    )


def test_a_windowed_job_says_what_it_is() -> None:
    source = {
        "binding": "trades",
        "default": "stdin:",
        "format": "json",
        "time": "tradeTime",
        "watermarks": {"bounded": {"ms": 2000}},
    }
    window = {
        "key": ["symbol", "exchange"],
        "assigner": {"sliding": {"size_ms": 60000, "slide_ms": 10000, "offset_ms": -5000}},
        "domain": "event",
        "lateness-ms": 30000,
        "compute": "guest",
        "state": [{"name": "acc", "kind": "accumulator", "schema": "f0:f64,f1:i64"}],
    }
    sink = {"binding": "averages", "format": "csv"}
    assert plan(average) == {
        "contract": "0.2.0",
        "name": "averages",
        "operators": [
            {"name": "trades", "kind": {"source": source}, "outputs": [{"schema": TRADE}]},
            {
                "name": "average",
                "kind": {"window": window},
                "inputs": [{"from": "trades"}],
                "outputs": [{"schema": "f0:string,f1:f64"}],
            },
            {"name": "averages", "kind": {"sink": sink}, "inputs": [{"from": "average"}]},
        ],
    }


def of_host(job: Job) -> None:
    trades = job.source("trades", Trade)
    by_symbol = trades.key_by(Trade.symbol)
    by_symbol.count("n").sink("a", format="csv")
    by_symbol.sum("volume", Trade.shares).sink("b", format="csv")
    by_symbol.max_by("greatest", Trade.price).sink("c", format="csv")
    windows = by_symbol.window(tumbling(seconds(1)).processing_time())
    windows.sum("volume-per-second", Trade.shares).sink("d", format="csv")
    windows.min("least", Trade.price).sink("e", format="csv")
    windows.max_by("last", Trade.trade_time).sink("f", format="csv")
    lots = trades.key_by_fn("lots", lambda trade: (trade.shares // 100, trade.price > 1.0), out=tuple[int, bool])
    lots.count("by-lots").sink("g", format="csv")


def test_aggregates_of_the_host_carry_the_names_of_the_job() -> None:
    said = plan(of_host)

    def schema(name: str) -> Any:
        return operator(said, name)["outputs"][0]["schema"]

    assert schema("n") == "symbol:string,count:i64"
    assert schema("volume") == "symbol:string,shares:i64"
    assert schema("greatest") == TRADE
    assert schema("volume-per-second") == "symbol:string,start:i64,end:i64,shares:i64"
    assert schema("least") == "symbol:string,start:i64,end:i64,px:f64"
    assert schema("last") == f"start:i64,end:i64,{TRADE}"
    assert schema("lots") == f"{TRADE},$key0:i64,$key1:bool"
    assert schema("by-lots") == "$key0:i64,$key1:bool,count:i64"
    assert operator(said, "by-lots")["kind"] == {"rolling": {"key": ["$key0", "$key1"], "aggregate": "count"}}
    assert operator(said, "volume")["kind"]["rolling"]["aggregate"] == {"sum": "shares"}
    assert operator(said, "last")["kind"]["window"]["compute"] == {"host": {"max-by": "tradeTime"}}


def test_fields_of_what_the_host_computes_are_found_by_their_place() -> None:
    def job(job: Job) -> None:
        counts = job.source("trades", Trade).key_by(Trade.symbol, Trade.exchange).window(tumbling(seconds(1))).count("n")
        counts.key_by(WindowCount.end).max("most", WindowCount.count).sink("out")

    assert operator(plan(job), "most")["kind"] == {"rolling": {"key": ["end"], "aggregate": {"max": "count"}}}


def by_price(trade: Trade, dear: Emit[Trade], cheap: Emit[Trade]) -> None:
    (dear if trade.price > 9.0 else cheap).emit(trade)


def streams(job: Job) -> None:
    events = job.tagged_source("events", tag="type").event_time_field("at", monotonic())
    trades = events.variant("trade", Trade).parallelism(3).on_error("skip")
    quotes = events.variant("quote", tuple[str, float])
    trades.rebalance().map("a", lambda trade: trade, out=Trade).broadcast().sink("all")
    partitioned = trades.partition_by("b", lambda trade: trade.shares)
    partitioned.map("c", lambda trade: trade.shares, out=int).dead_letters().sink("bad")
    dear, cheap = trades.split("d", "cheap", by_price)
    dear.union("e", cheap, trades).sink("all-again")
    timed = quotes.assign_event_time("f", lambda quote: int(quote[1]), monotonic())
    timed.window_all(session(millis(7))).count("g").late().sink("late")
    trades.shuffle().rescale().global_().sink("last")
    trades.shuffle().key_by(Trade.symbol).count("h").sink("counts")


def test_ports_partitions_and_policies_are_said() -> None:
    said = plan(streams)
    source = {"binding": "events", "format": "json", "tag": "type", "time": "at", "watermarks": "monotonic"}
    assert operator(said, "events") == {
        "name": "events",
        "kind": {"source": source},
        "outputs": [
            {"name": "trade", "variant": "trade", "schema": TRADE},
            {"name": "quote", "variant": "quote", "schema": "f0:string,f1:f64"},
        ],
        "parallelism": 3,
        "on-error": "skip",
    }
    assert operator(said, "a")["inputs"] == [{"from": "events", "port": "trade", "partition": "rebalance"}]
    assert operator(said, "all")["inputs"] == [{"from": "a", "partition": "broadcast"}]
    assert operator(said, "b")["kind"] == "key-by"
    assert operator(said, "c")["inputs"] == [{"from": "b", "partition": {"custom": "$partition"}}]
    assert operator(said, "c")["on-error"] == "dead-letter"
    assert operator(said, "bad")["inputs"] == [{"from": "c", "port": "dead-letter"}]
    assert operator(said, "d")["outputs"][1] == {"name": "cheap", "schema": TRADE}
    assert operator(said, "e")["inputs"] == [{"from": "d"}, {"from": "d", "port": "cheap"}, {"from": "events", "port": "trade"}]
    assert operator(said, "f")["kind"] == {"timestamps": "monotonic"}
    assert operator(said, "g")["kind"]["window"]["key"] == []
    assert operator(said, "late")["inputs"] == [{"from": "g", "port": "late"}]
    assert operator(said, "h")["inputs"] == [{"from": "events", "port": "trade"}], "a key partitions the stream"
    assert operator(said, "last")["inputs"] == [{"from": "events", "port": "trade", "partition": "global"}]


class Everything(Process[str, Trade, int]):
    v: Value[Trade]
    listed: Annotated[ListState[tuple[int, float]], Name("l")]
    m: MapState[tuple[str, int], bool]
    s: SideOutput[int]
    e: EventTimer
    q: ProcessingTimer
    other: int = 3

    def on_record(self, ctx: Ctx[str, int], record: Trade) -> None:
        pass


def declared(job: Job) -> None:
    results = job.source("trades", Trade).key_by(Trade.symbol).process("p", Everything())
    results.sink("out")
    results.side_output("s", int).sink("side")


def test_state_timers_and_side_outputs_are_declared() -> None:
    said = operator(plan(declared), "p")
    assert said["kind"]["process"] == {
        "keys": [["symbol"]],
        "state": [
            {"name": "v", "kind": "value", "schema": TRADE},
            {"name": "l", "kind": "list", "schema": "block:bytes"},
            {"name": "m", "kind": "map", "schema": "block:bytes"},
        ],
        "timers": [{"name": "e", "domain": "event"}, {"name": "q", "domain": "processing"}],
    }
    assert said["outputs"] == [{"schema": "value:i64"}, {"name": "s", "schema": "value:i64"}]


@record
class Reading:
    sensor: str
    celsius: float
    at: int


@record
class Other:
    n: int


class Watch(Process[str, Reading, str]):
    def on_record(self, ctx: Ctx[str, str], record: Reading) -> None:
        pass


class Untyped(Process):  # type: ignore[type-arg]
    pass


class OddState(Process[str, Reading, str]):
    odd: Value[dict[str, int]]


class BareState(Process[str, Reading, str]):
    bare: Value  # type: ignore[type-arg]


class TwoNames(Process[str, Reading, str]):
    a: Annotated[Value[int], Name("x")]
    b: Annotated[Value[int], Name("x")]


class Joined(Process2[str, Reading, Other, str]):
    pass


class BareAggregate(Aggregate):  # type: ignore[type-arg]
    pass


def readings(job: Job) -> Any:
    return job.source("readings", Reading)


def keyed(job: Job) -> Any:
    return readings(job).key_by(Reading.sensor)


WRONG: list[tuple[Callable[[Job], Any], str]] = [
    (lambda job: readings(job).sink("readings"), "two operators are called 'readings'"),
    (lambda job: readings(job).map(len), "missing 1 required positional argument"),
    (lambda job: readings(job).filter(len, len), "an operator's name comes first and is a text"),
    (lambda job: readings(job).map("m", lambda r: r), "annotate what the lambda returns, or say it by out="),
    (lambda job: readings(job).map("m", "f", out=int), "'f' is no function"),
    (lambda job: readings(job).map("m", lambda r: r, out=dict), "`dict` is not a record"),
    (lambda job: readings(job).flat_map("m", with_symbol), "annotate what `with_symbol` yields, as in `-> Iterator[Word]`"),
    (lambda job: readings(job).split("m", "s", lambda r, a, b: None), "annotate what the function emits"),
    (lambda job: readings(job).split("m", "late", lambda r, a, b: None, out=int, side=int), "two outputs called 'late'"),
    (lambda job: readings(job).union("u", job.source("o", Other)), "`Other` are other records than `Reading`"),
    (lambda job: readings(job).key_by("sensor"), "key_by takes one of Reading.sensor, Reading.celsius, Reading.at, not 'sensor'"),
    (lambda job: readings(job).key_by(Other.n), "Other.n is no field of `Reading`"),
    (lambda job: readings(job).key_by(Reading.celsius), "'celsius' cannot be a key: it is a float"),
    (lambda job: readings(job).key_by(), "key_by takes one to four fields, not 0"),
    (lambda job: job.source("n", int).key_by(Other.n), "Other.n is no field of `int`"),
    (lambda job: readings(job).key_by_fn("k", lambda r: 1.5, out=float), "`float` cannot be a key"),
    (lambda job: readings(job).event_time(Reading.sensor, monotonic()), "event time is an int field of milliseconds"),
    (lambda job: readings(job).event_time(Reading.at, 5), "watermarks are monotonic() or out_of_order(seconds(2)), not 5"),
    (lambda job: readings(job).on_error("ignore"), "on_error is fail, skip or dead-letter, not 'ignore'"),
    (lambda job: readings(job).start_new_chain(), "operator 'readings' is run by the host and stands in no chain"),
    (lambda job: readings(job).sink("s", format="xml"), "a format is json, csv or text, not 'xml'"),
    (lambda job: job.source("s", Reading, format="xml"), "a format is json, csv or text, not 'xml'"),
    (lambda job: job.source("s", dict), "`dict` is not a record: put @record on the class"),
    (lambda job: keyed(job).process("p", Watch), "not the class Watch: give an instance of it"),
    (lambda job: keyed(job).process("p", len), "a process function is an instance of a class derived from Process"),
    (lambda job: keyed(job).process("p", Untyped()), "does not say its types: class Untyped(Process[key, record, result])"),
    (lambda job: keyed(job).process("p", OddState()), "'odd': `dict[str, int]` is not a record"),
    (lambda job: keyed(job).process("p", BareState()), "'bare': say of what it is, as in Value[int]"),
    (lambda job: keyed(job).process("p", TwoNames()), "two pieces of state called 'x'"),
    (
        lambda job: job.source("o", Other).key_by(Other.n).process("p", Watch()),
        "the function takes `Reading`, the stream has `Other`",
    ),
    (lambda job: readings(job).key_by(Reading.at).process("p", Watch()), "the function's key is `str`, the stream's is value:i64"),
    (
        lambda job: keyed(job).connect(job.source("o", Other).key_by(Other.n)),
        "have keys of the same types, not value:string and value:i64",
    ),
    (lambda job: keyed(job).sum("s", Reading.sensor), "only numbers that are always there have a sum"),
    (lambda job: keyed(job).window(5), "windows are tumbling(...), sliding(...), session(...), records(...) or the like, not 5"),
    (lambda job: keyed(job).window(tumbling(10)), "a span is a timedelta such as seconds(10), not 10"),
    (lambda job: keyed(job).window(session(seconds(1)).offset(hours(1))), "a session has no offset"),
    (lambda job: keyed(job).window(tumbling(seconds(1))).aggregate("a", len, with_symbol), "is no aggregate"),
    (lambda job: keyed(job).window(tumbling(seconds(1))).aggregate("a", BareAggregate(), with_symbol), "does not say its types"),
    (
        lambda job: keyed(job).window(tumbling(seconds(1))).aggregate("a", aggregates.mean(Reading.sensor), with_symbol),
        "only numbers",
    ),
    (lambda job: keyed(job).window(tumbling(seconds(1))).fold("f", None, len, len, with_symbol), "say it by acc="),
    (lambda job: keyed(job).window(tumbling(seconds(1)).processing_time()).count("n").late(), "nothing is late"),
    (lambda job: keyed(job).process("p", Watch()).side_output("x", int), "declares no side output 'x'; it has none"),
    (
        lambda job: job.source("t", Trade).key_by(Trade.symbol).process("p", Everything()).side_output("s", str),
        "side output 's' of 'p' has other records than `str`",
    ),
]


def test_chains_begin_and_end_where_the_job_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def job(job: Job) -> None:
        numbers = job.source("n", int).map("a", lambda n: n, out=int).map("b", lambda n: n, out=int).start_new_chain()
        numbers.map("c", lambda n: n, out=int).map("d", lambda n: n, out=int).disable_chaining().map(
            "e", lambda n: n, out=int
        ).sink("o")

    said = plan(job)
    assert {name: operator(said, name).get("chaining") for name in "abcde"} == {
        "a": None, "b": "start", "c": None, "d": "never", "e": None,
    }  # fmt: skip
    chains: list[list[int]] = []
    link = Instance.link
    monkeypatch.setattr(Instance, "link", lambda self, chain, members: (chains.append(members), link(self, chain, members)))
    test = JobTest(job)
    test.push("n", 7)
    assert test.sink("o", int) == [7]
    assert chains == [[1], [2, 3], [4], [5]]


@pytest.mark.parametrize(("job", "said"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_with_a_job_is_said_in_its_words_and_with_its_line(job: Callable[[Job], Any], said: str) -> None:
    with pytest.raises(JobError) as refusal:
        plan(lambda builder: job(builder) and None)
    assert said in str(refusal.value)
    assert "test_plan.py:" in str(refusal.value)


def test_a_variant_is_asked_for_once() -> None:
    def job(job: Job) -> None:
        source = job.tagged_source("a", tag="t")
        source.variant("v", int).union("u", source.variant("v", int)).sink("b")

    with pytest.raises(JobError, match="variant 'v' is asked for twice"):
        plan(job)


def with_arguments(job: Job) -> None:
    n, path = job.arg("n", int), job.arg_or("path", "x")
    loud = job.arg_or("loud", False)
    job.source("lines", str, format="text", default=path).map("m", lambda _: n if loud else -n, out=int).sink("out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "missing argument 'n': give it as --arg n=VALUE"),
        ({"n": "x"}, "argument n='x': invalid literal for int()"),
        ({"n": "3", "loud": "yes"}, "argument loud='yes': give true or false"),
        ({"n": "3", "pth": "y"}, "unknown argument 'pth': this job takes loud, n, path; did you mean 'path'?"),
    ],
)
def test_arguments_are_asked_for_read_and_otherwise_refused(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(JobError) as refusal:
        JobTest(with_arguments, arguments)
    assert said in str(refusal.value)


def test_arguments_that_fit_are_used() -> None:
    test = JobTest(with_arguments, {"n": "3", "loud": "true"})
    test.push("lines", "x")
    assert test.sink("out", int) == [3]


def test_annotations_may_be_text_and_name_local_classes() -> None:
    @record
    class Local:
        n: int

    class Counts(Process[int, Local, Local]):
        last: Value[Local]

        def on_record(self, ctx: Ctx[int, Local], local: Local) -> None:
            self.last.set(local)

    def same(local: Local) -> Local:
        return local

    def many(local: Local) -> Iterator[Local]:
        yield local

    def job(job: Job) -> None:
        source = job.source("n", Local).map("same", same).flat_map("many", many)
        source.key_by(Local.n).process("counts", Counts()).sink("out")

    assert operator(plan(job), "counts")["kind"]["process"]["state"][0]["schema"] == "n:i64"
