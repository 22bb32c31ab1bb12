"""State with a time-to-live, against a model of writes and times: what has expired is never seen, and is removed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Heard

from tidemill import (
    Ctx,
    Job,
    JobError,
    ListState,
    MapState,
    Process,
    Refusal,
    SideOutput,
    Ttl,
    Value,
    hours,
    millis,
    monotonic,
    record,
    seconds,
)
from tidemill.record.spec import spec_of
from tidemill.runtime import Instance
from tidemill.testing import JobTest, ProcessTest

LIFE = 10
SET, APPEND, INSERT, READ, CLEAR, REFUSE = range(6)

Command = tuple[int, int]
Seen = tuple[int | None, str, str]


class Commands(Process[int, Command, Seen]):
    """Does what it is told; it has its state from the classes below."""

    value: Any
    several: Any
    entries: Any

    def on_record(self, ctx: Ctx[int, Seen], command: Command) -> None:
        what, n = command
        if what in (SET, REFUSE):
            self.value.set(n)
        if what in (APPEND, REFUSE):
            self.several.append(n)
        if what in (INSERT, REFUSE):
            self.entries[n % 3] = n
        if what == CLEAR:
            self.value.clear()
            self.several.clear()
            self.entries.clear()
        if what == REFUSE:
            raise Refusal("refused")
        if what == READ:
            ctx.emit((self.value.get(), str(list(self.several)), str(dict(self.entries.items()))))


EVENT, BY_READS = Ttl.event_time(millis(LIFE)), Ttl.event_time(millis(LIFE)).renewed_by_reads()
CLOCK = Ttl.processing_time(millis(LIFE))


class InEventTime(Commands):
    value: Annotated[Value[int], EVENT]
    several: Annotated[ListState[int], EVENT]
    entries: Annotated[MapState[int, int], EVENT]


class ByReads(Commands):
    value: Annotated[Value[int], BY_READS]
    several: Annotated[ListState[int], BY_READS]
    entries: Annotated[MapState[int, int], BY_READS]


class ByTheClock(Commands):
    value: Annotated[Value[int], CLOCK]
    several: Annotated[ListState[int], CLOCK]
    entries: Annotated[MapState[int, int], CLOCK]


class Model:
    """What a key has, each with the time it was written."""

    def __init__(self) -> None:
        self.value: tuple[int, int] | None = None
        self.several: list[tuple[int, int]] = []
        self.entries: dict[int, tuple[int, int]] = {}

    def expire(self, clock: int) -> None:
        if self.value is not None and self.value[1] + LIFE <= clock:
            self.value = None
        self.several = [entry for entry in self.several if entry[1] + LIFE > clock]
        self.entries = {key: entry for key, entry in self.entries.items() if entry[1] + LIFE > clock}

    def do(self, what: int, n: int, at: int, by_reads: bool) -> Seen | None:
        if what == SET:
            self.value = (n, at if self.value is None else max(at, self.value[1]))
        elif what == APPEND:
            self.several.append((n, at))
        elif what == INSERT:
            self.entries[n % 3] = (n, max(at, self.entries.get(n % 3, (0, at))[1]))
        elif what == CLEAR:
            self.__init__()  # type: ignore[misc]
        elif what == READ:
            value = None if self.value is None else self.value[0]
            seen = value, str([n for n, _ in self.several]), str({key: self.entries[key][0] for key in sorted(self.entries)})
            if by_reads:
                self.value = self.value and (self.value[0], max(at, self.value[1]))
                self.several = [(n, max(at, before)) for n, before in self.several]
                self.entries = {key: (n, max(at, before)) for key, (n, before) in self.entries.items()}
            return seen
        return None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), st.integers(-8, 7), st.integers(0, 4), st.integers(0, 99)),
        st.integers(0, 6),
        st.none(),
    ),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, max_examples=150)
@given(STEPS, st.sampled_from([InEventTime, ByReads, ByTheClock]))
def test_what_expired_is_never_seen_and_is_removed(steps: list[Any], kind: type[Commands]) -> None:
    test, models, clock = ProcessTest[int, Command, Seen](kind()), {key: Model() for key in range(3)}, 100

    def advance(to: int) -> None:
        test.watermark(to)
        test.set_processing_time(to)

    advance(clock)
    for step in steps:
        if step is None:
            test.restart()
        elif isinstance(step, int):
            clock += step
            advance(clock)
        else:
            key, time, what, n = step
            test.push(key, (what, n), clock + time)
            models[key].expire(clock)
            seen = models[key].do(what, n, clock if kind is ByTheClock else clock + max(time, 0), kind is ByReads)
            assert [out for out, _ in test.output()] == ([] if seen is None else [seen]), f"{step} at {clock}"
    # Twice the time is enough for everything to be removed, whatever the timers were set for.
    for _ in range(2):
        clock += LIFE + 8
        advance(clock)
    assert test.timers == [], "nothing is left that would expire"
    exported = test._engine.instance.export_state(test._id, test._engine.keeping[test._id].slots.all() or [0])
    columns = spec_of(tuple[int | None, int | None, int | None, bytes | None, bytes | None]).decode(exported)
    assert all(row == (None,) * 5 for row in columns), "something is left"


def test_what_a_refused_record_wrote_is_not_there() -> None:
    for kind in (InEventTime, ByReads, ByTheClock):

        def job(job: Job, kind: type[Commands] = kind) -> None:
            keyed = job.source("commands", Command).key_by_fn("all", lambda command: 0, out=int)
            keyed.process("p", kind()).on_error("skip").sink("out")

        test = JobTest(job)
        for what, n in ((SET, 1), (APPEND, 1), (REFUSE, 2), (READ, 0)):
            test.push("commands", (what, n))
        assert test.sink("out", Seen) == [(1, "[1]", "{}")]


def test_a_key_that_nobody_comes_back_to_is_let_go() -> None:
    test = ProcessTest(InEventTime())
    for key in range(300):
        test.push(key, (SET, key), 0)
    assert test.timers == [("$expire-event", LIFE)] * 300
    test.watermark(LIFE - 1)
    assert len(test.timers) == 300, "they live for the whole of their time"
    test.watermark(LIFE)
    assert test.timers == []


class Lists(Process[int, str, str]):
    """Everything that can be done to a list and a map."""

    items: Annotated[ListState[int], Ttl.event_time(millis(LIFE))]
    by_name: Annotated[MapState[str, int], Ttl.event_time(millis(LIFE))]

    def on_record(self, ctx: Ctx[int, str], script: str) -> None:
        ctx.emit(str(eval(script, {"items": self.items, "by_name": self.by_name, "list": list})))


def test_lists_and_maps_that_expire_are_lists_and_maps() -> None:
    test = ProcessTest(Lists())

    def run(script: str, time: int = 0) -> str:
        test.push(1, script, time)
        ((said, _),) = test.output()
        return said

    run("items.extend([1, 2, 3])")
    assert run("(items[0], items[-1], items[1:], len(items), 2 in items)") == "(1, 3, [2, 3], 3, True)"
    assert run("items.__setitem__(0, 9) or items.insert(1, 8) or list(items)") == "[9, 8, 2, 3]"
    assert run("items.__delitem__(slice(2, 4)) or items.pop() or list(items)") == "8"
    assert run("items.__setitem__(slice(0, 0), [5, 6]) or items.take()") == "[5, 6, 9]"
    assert run("items.set([4]) or list(items)") == "[4]"
    run("by_name.update(b=2, a=1)")
    assert run("(list(by_name), by_name['a'], by_name.get('c'), 'b' in by_name, len(by_name))") == "(['a', 'b'], 1, None, True, 2)"
    assert run("(by_name.pop('a'), by_name.pop('a', 7), by_name.setdefault('d', 4))") == "(1, 7, 4)"
    assert run("by_name.take()") == "{'b': 2, 'd': 4}"
    run("by_name.update(x=1)")
    run("items.append(5)", 8)
    test.watermark(LIFE)
    assert run("(list(items), len(items), list(by_name), 'x' in by_name, by_name.pop('x', 0))", LIFE) == "([5], 1, [], False, 0)"
    with pytest.raises(IndexError):
        run("items[1]", LIFE)


@record
class Tags:
    names: list[tuple[str, int]]


class Tagged(Process[int, int, int]):
    """Changes what a value holds without setting it."""

    tags: Annotated[Value[Tags], Ttl.event_time(millis(LIFE))]

    def on_record(self, ctx: Ctx[int, int], n: int) -> None:
        if n == 0:
            self.tags.set(Tags([]))
        tags = self.tags.get()
        if tags is not None:
            tags.names.append(("n", n))
            ctx.emit(len(tags.names))


def test_what_a_value_holds_may_change_and_is_as_old_as_it_was() -> None:
    test = ProcessTest(Tagged())
    for n, at in ((0, 0), (1, 5), (2, 9)):
        test.push(1, n, at)
        test.restart()
    assert [n for n, _ in test.output()] == [1, 2, 3]
    test.watermark(LIFE)
    test.push(1, 3, 11)
    assert test.output() == []


def test_state_of_a_time_before_the_time_to_live_lives_from_its_first_use_on() -> None:
    class Before(Commands):
        several: ListState[int]
        value: Annotated[Value[int], CLOCK]
        entries: MapState[int, int]

    class After(Commands):
        several: Annotated[ListState[int], CLOCK]
        value: Annotated[Value[int], CLOCK]
        entries: Annotated[MapState[int, int], CLOCK]

    before, after = ProcessTest[int, Command, Seen](Before()), ProcessTest[int, Command, Seen](After())
    before.push(7, (APPEND, 1), 0)
    before.push(7, (INSERT, 2), 0)
    exported = before._engine.instance.export_state(before._id, [0])
    after.set_processing_time(1_000)
    after._engine.slot(after._id, (7,))
    after._engine.instance.import_state(after._id, [0], exported)
    for now, seen in ((1_000, (None, "[1]", "{2: 2}")), (1_000 + LIFE, (None, "[]", "{}"))):
        after.set_processing_time(now)
        after.push(7, (READ, 0), 0)
        assert after.output() == [(seen, 0)]


def test_the_plan_says_how_long_state_lives() -> None:
    class Stateful(Process[int, int, int]):
        value: Annotated[Value[int], Ttl.event_time(seconds(1))]
        entries: Annotated[MapState[int, int], Ttl.processing_time(millis(1)).renewed_by_reads()]

    def job(job: Job) -> None:
        job.source("n", int).key_by_fn("key", lambda n: n, out=int).process("p", Stateful()).sink("out")

    _, document = Instance.plan(job, [], Heard())
    said = json.loads(document)["operators"][2]["kind"]["process"]
    event, clock = {"ms": 1000, "domain": "event"}, {"ms": 1, "domain": "processing", "on-read": True}
    assert said["state"] == [
        {"name": "value", "kind": "value", "schema": "value:i64,$event:i64,$processing:i64", "ttl": event},
        {"name": "entries", "kind": "map", "schema": "block:bytes", "ttl": clock},
    ]
    timers = [("$expire-event", "event"), ("$expire-processing", "processing")]
    assert said["timers"] == [{"name": name, "domain": domain} for name, domain in timers]


class WithSide(Process[int, int, int]):
    side: Annotated[SideOutput[int], EVENT]


def test_what_is_wrong_with_a_time_to_live_is_said() -> None:
    with pytest.raises(JobError, match="state lives for a positive time"):
        Ttl.event_time(hours(0))
    with pytest.raises(JobError, match="only a Value, a ListState or a MapState of a key lives for a time"):
        ProcessTest(WithSide())


def test_timers_of_the_function_are_not_those_that_sweep() -> None:
    from tidemill import EventTimer, TimerEvent

    class Both(Process[int, int, str]):
        value: Annotated[Value[int], EVENT]
        wake: EventTimer

        def on_record(self, ctx: Ctx[int, str], n: int) -> None:
            self.value.set(n)
            self.wake.add(n)

        def on_timer(self, ctx: Ctx[int, str], event: TimerEvent) -> None:
            assert event.timer is self.wake
            ctx.emit(f"{event.time} {self.value.get()}")

    def job(job: Job) -> None:
        numbers = job.source("n", tuple[int, int]).assign_event_time("at", lambda n: n[0], monotonic())
        keyed = numbers.map("second", lambda n: n[1], out=int).key_by_fn("key", lambda n: 0, out=int)
        keyed.process("p", Both()).sink("out", format="text")

    test = JobTest(job)
    for n in ((1, 5), (20, 9)):
        test.push("n", n)
    assert test.sink_lines("out") == ["5 9", "9 9"], "a sweep at 11 wakes nobody"
