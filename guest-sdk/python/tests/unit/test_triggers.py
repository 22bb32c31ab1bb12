"""Windows that count, that last for ever or for calendar days; triggers, trigger functions and evictors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support import Heard

from tidemill import (
    Job,
    JobError,
    KeyedStream,
    Window,
    WindowCount,
    WindowedStream,
    calendar_days,
    evictors,
    global_window,
    hours,
    millis,
    minutes,
    monotonic,
    out_of_order,
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
from tidemill.testing import JobTest
from tidemill.triggers import Action, TriggerFunction, TriggerWindow
from tidemill.window import Windows


@record
class Click:
    user: str
    n: int
    at: int
    gap: int = 5


Cut = Callable[[KeyedStream[str, Click]], WindowedStream[str, Click]]


def gathered(cut: Cut) -> Callable[[Job], None]:
    """A job that shows the numbers of each window."""

    def gather(window: Window[str], clicks: list[Click]) -> Iterator[str]:
        yield f"{window.key}{window.firing}: {' '.join(str(click.n) for click in clicks)}"

    def job(job: Job) -> None:
        clicks = job.source("clicks", Click).event_time(Click.at, monotonic()).key_by(Click.user)
        cut(clicks).process("w", gather).sink("seen", format="text")

    return job


def gives(cut: Cut, clicks: list[Click]) -> list[str]:
    """What windows give for clicks, over a restart before the end."""
    test = JobTest(gathered(cut))
    for click in clicks:
        test.push("clicks", click)
    test.restart()
    test.finish()
    return test.sink_lines("seen")


FOUR = [Click("a", 1, 1), Click("a", 2, 2), Click("a", 3, 3), Click("a", 4, 15)]
TEN = tumbling(millis(10))


def test_windows_of_a_number_of_records() -> None:
    five = [Click("a", n, n) for n in range(1, 6)]
    assert gives(lambda s: s.window(records(2)), five) == ["a0: 1 2", "a0: 3 4"], "the last one is not full"
    assert gives(lambda s: s.window(records_sliding(3, 2)), five) == ["a0: 1 2", "a0: 2 3 4"]
    cut_short = records(3).or_after_event_time(millis(10))
    early = [Click("a", 1, 1), Click("a", 2, 2), Click("b", 3, 20)]
    assert gives(lambda s: s.window(cut_short), early) == ["a0: 1 2", "b0: 3"]


def test_windows_that_are_not_full_are_cut_short_by_the_clock() -> None:
    test = JobTest(gathered(lambda s: s.window(records(3).or_after(millis(10)))))
    test.set_processing_time(100)
    test.push("clicks", Click("a", 1, 1))
    test.set_processing_time(109)
    test.push("clicks", Click("a", 2, 2))
    assert test.sink_lines("seen") == []
    test.set_processing_time(110)
    assert test.sink_lines("seen") == ["a0: 1 2"]


def test_the_host_aggregates_windows_that_count() -> None:
    def job(job: Job) -> None:
        clicks = job.source("clicks", Click).event_time(Click.at, monotonic()).key_by(Click.user)
        clicks.window(records(2)).sum("sum", Click.n).sink("out", format="csv")

    test = JobTest(job)
    for click in FOUR:
        test.push("clicks", click)
    assert test.sink_lines("out") == ["a,1,3,3", "a,3,16,7"]


EARLY: list[tuple[str, Cut, list[Click], list[str]]] = [
    (
        "at the end and by number",
        lambda s: s.window(TEN).trigger(triggers.any(triggers.at_end(), triggers.every_records(2))),
        FOUR,
        ["a0: 1 2", "a1: 1 2 3", "a0: 4"],
    ),
    (
        "purged when it has fired",
        lambda s: s.window(global_window()).trigger(triggers.every_records(2).purging()),
        FOUR,
        ["a0: 1 2", "a1: 3 4"],
    ),
    (
        "when each has fired",
        lambda s: s.window(TEN).allowed_lateness(millis(100)).trigger(triggers.all(triggers.at_end(), triggers.every_records(3))),
        [Click("a", 1, 1), Click("a", 2, 2), Click("a", 3, 15), Click("a", 4, 4)],
        ["a0: 1 2 4"],
    ),
    (
        "early at multiples of event time",
        lambda s: s.window(TEN).trigger(triggers.any(triggers.at_end(), triggers.early_every(millis(4)).event_time())),
        FOUR,
        ["a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4"],
    ),
    (
        "some time after the first",
        lambda s: s.window(TEN).trigger(triggers.any(triggers.at_end(), triggers.after(millis(1)).event_time())),
        FOUR,
        ["a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4"],
    ),
    (
        "at each that is late, and else not at all",
        lambda s: s.window(TEN).allowed_lateness(millis(100)).trigger(triggers.late_each()),
        [*FOUR, Click("a", 5, 5)],
        ["a0: 1 2 3 5"],
    ),
]


@pytest.mark.parametrize(("cut", "clicks", "lines"), [case[1:] for case in EARLY], ids=[case[0] for case in EARLY])
def test_declared_triggers(cut: Cut, clicks: list[Click], lines: list[str]) -> None:
    assert gives(cut, clicks) == lines


def test_a_trigger_that_is_driven_by_the_clock() -> None:
    test = JobTest(gathered(lambda s: s.window(tumbling(seconds(1))).trigger(triggers.early_every(millis(10)))))
    test.set_processing_time(101)
    test.push("clicks", Click("a", 1, 1))
    test.push("clicks", Click("a", 2, 2))
    test.set_processing_time(110)
    assert test.sink_lines("seen") == ["a0: 1 2"]
    test.set_processing_time(200)
    assert test.sink_lines("seen") == [], "nothing has come since"
    test.push("clicks", Click("a", 3, 3))
    test.set_processing_time(210)
    assert test.sink_lines("seen") == ["a1: 1 2 3"]


def test_a_window_of_the_host_that_was_purged_is_empty_until_it_has_a_record_again() -> None:
    def job(job: Job) -> None:
        clicks = job.source("clicks", Click).event_time(Click.at, monotonic()).key_by(Click.user)
        trigger = triggers.any(triggers.at_end(), triggers.every_records(2)).purging()
        clicks.window(TEN).trigger(trigger).count("n").sink("out", format="csv")

    test = JobTest(job)
    for n, at in enumerate((0, 1, 2, 3, 4, 11, 12)):
        test.push("clicks", Click("a", n, at))
    test.finish()
    assert test.sink_lines("out") == ["a,0,10,2", "a,0,10,2", "a,0,10,1", "a,10,20,2"]


def test_sessions_with_a_gap_of_each_record() -> None:
    clicks = [Click("a", 1, 0), Click("a", 2, 5, 50), Click("a", 3, 55), Click("a", 4, 100)]
    assert gives(lambda s: s.window(session_by(Click.gap)), clicks) == ["a0: 1 2 3", "a0: 4"]


def test_sessions_that_grow_together_have_one_trigger() -> None:
    clicks = [Click("a", 1, 0), Click("a", 2, 8), Click("a", 3, 4), Click("a", 4, 5)]
    cut: Cut = lambda s: s.window(session(millis(5))).allowed_lateness(hours(1)).trigger(triggers.every_records(3))  # noqa: E731
    assert gives(cut, clicks) == ["a0: 1 2 3"]


def test_calendar_days_begin_where_the_day_does() -> None:
    def at(*when: int) -> int:
        return int(datetime(*when, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1000  # type: ignore[arg-type, misc]

    def job(job: Job) -> None:
        clicks = job.source("clicks", Click).event_time(Click.at, out_of_order(hours(1)))
        clicks.window_all(calendar_days("Europe/Berlin")).count("days").sink("out")
        clicks.window_all(calendar_days("Europe/Berlin").every(7)).count("weeks").sink("weeks-out")

    test = JobTest(job)
    # The day of 25 hours, and that behind it.
    for when in ((2024, 10, 27), (2024, 10, 27, 23, 59, 59), (2024, 10, 28)):
        test.push("clicks", Click("a", 1, at(*when)))
    test.finish()
    first, second, third = at(2024, 10, 27), at(2024, 10, 28), at(2024, 10, 29)
    assert second - first == 25 * 3_600_000
    assert test.sink("out", WindowCount[tuple[()]]) == [WindowCount((), first, second, 2), WindowCount((), second, third, 1)]
    week = at(2024, 10, 24), at(2024, 10, 31)
    assert test.sink("weeks-out", WindowCount[tuple[()]]) == [WindowCount((), *week, 3)], "weeks begin on Thursdays, as 1970 did"


class Ten(TriggerFunction[Click, int]):
    """Fires when the numbers of a window come to ten, and in the first ten milliseconds at time 8."""

    def start(self) -> int:
        return 0

    def on_record(self, window: TriggerWindow[int], click: Click) -> Action:
        window.state += click.n
        if window.end == 10:
            window.at_event_time(8)
        if window.state < 10:
            return Action.CONTINUE
        window.state = 0
        return Action.FIRE_AND_PURGE

    def on_event_time(self, window: TriggerWindow[int]) -> Action:
        return Action.FIRE if window.state else Action.CONTINUE

    def merge(self, state: int, other: int) -> int:
        return state + other


def test_a_trigger_function_has_state_of_each_window() -> None:
    clicks = [Click("a", 4, 1), Click("b", 9, 1), Click("a", 6, 2), Click("a", 3, 3), Click("b", 0, 30)]
    assert gives(lambda s: s.window(TEN).trigger_function(Ten()), clicks) == ["a0: 4 6", "a1: 3", "b0: 9"]
    sessions = [Click("a", 4, 100), Click("a", 5, 108), Click("a", 1, 104)]
    cut: Cut = lambda s: s.window(session(millis(5))).allowed_lateness(millis(100)).trigger_function(Ten())  # noqa: E731
    assert gives(cut, sessions) == ["a0: 4 5 1"], "4 and 5 are of two sessions until 1 comes"


def test_a_trigger_function_may_ask_for_processing_time_and_purge() -> None:
    class Forgets(TriggerFunction[Click, int]):
        def start(self) -> int:
            return 0

        def on_record(self, window: TriggerWindow[int], click: Click) -> Action:
            window.at_processing_time(window.now + 10)
            return Action.PURGE if click.n == 3 else Action.CONTINUE

        def on_processing_time(self, window: TriggerWindow[int]) -> Action:
            assert window.time == window.now
            return Action.FIRE

    test = JobTest(gathered(lambda s: s.window(global_window()).trigger_function(Forgets())))
    for n in (1, 2, 3, 4):
        test.push("clicks", Click("a", n, n))
        test.restart()
    test.set_processing_time(9)
    assert test.sink_lines("seen") == []
    test.set_processing_time(10)
    assert test.sink_lines("seen") == ["a0: 4"]


EVICTED: list[tuple[str, Any, list[str]]] = [
    ("all but the last", evictors.all_but_last(2), ["a0: 20 3"]),
    ("all", evictors.all_but_last(0), ["a0: "]),
    ("more than there are", evictors.all_but_last(9), ["a0: 1 20 3"]),
    ("what is old", evictors.older_than(millis(7)), ["a0: 20 3"]),
    ("what differs", evictors.differing_by(Click.n, 5.0), ["a0: 1 3"]),
    ("by a function", evictors.by(lambda times, clicks: [at for at, click in enumerate(clicks) if click.n == 1]), ["a0: 20 3"]),
]


@pytest.mark.parametrize(("evictor", "lines"), [case[1:] for case in EVICTED], ids=[case[0] for case in EVICTED])
def test_evictors_take_records_out(evictor: Any, lines: list[str]) -> None:
    clicks = [Click("a", 1, 1), Click("a", 20, 2), Click("a", 3, 9)]
    assert gives(lambda s: s.window(TEN).evictor(evictor), clicks) == lines


def test_what_is_evicted_behind_the_function_is_gone_at_the_next_firing() -> None:
    def two(evictor: evictors.Evictor[Click]) -> Cut:
        return lambda s: s.window(TEN).trigger(triggers.every_records(2)).evictor(evictor)

    clicks = [Click("a", n, n) for n in range(1, 5)]
    assert gives(two(evictors.all_but_last(1).after()), clicks) == ["a0: 1 2", "a1: 2 3 4"]
    assert gives(two(evictors.all_but_last(1)), clicks) == ["a0: 2", "a1: 4"]


def test_a_co_group_has_a_trigger() -> None:
    def sizes(window: Window[str], first: list[Click], second: list[Click]) -> Iterator[tuple[int, int]]:
        yield len(first), len(second)

    def job(job: Job) -> None:
        one, two = (job.source(name, Click).event_time(Click.at, monotonic()).key_by(Click.user) for name in ("one", "two"))
        one.co_group(two, tumbling(minutes(1))).trigger(triggers.every_records(2)).process("both", sizes).sink("out")

    test = JobTest(job)
    test.push("one", Click("a", 1, 1))
    test.push("two", Click("a", 1, 1))
    assert test.sink("out", tuple[int, int]) == [(1, 1)]


WORDS: list[tuple[Windows, dict[str, Any]]] = [
    (records(3), {"assigner": {"count": {"records": 3}}}),
    (records_sliding(3, 2), {"assigner": {"count": {"records": 3, "slide": 2}}}),
    (records(3).or_after(seconds(5)), {"assigner": {"count": {"records": 3, "or-after": {"ms": 5000, "domain": "processing"}}}}),
    (records(3).or_after_event_time(millis(5)), {"assigner": {"count": {"records": 3, "or-after": {"ms": 5, "domain": "event"}}}}),
    (session_by(Click.gap), {"assigner": {"session-by": {"field": "gap"}}}),
    (calendar_days("Asia/Shanghai").every(7), {"assigner": {"days": {"timezone": "Asia/Shanghai", "days": 7}}}),
    (sliding(seconds(2), seconds(1)), {"assigner": {"sliding": {"size_ms": 2000, "slide_ms": 1000, "offset_ms": 0}}}),
]


def window_of(cut: Cut) -> dict[str, Any]:
    _, document = Instance.plan(gathered(cut), [], Heard())
    window: dict[str, Any] = json.loads(document)["operators"][1]["kind"]["window"]
    return window


@pytest.mark.parametrize(("windows", "said"), WORDS)
def test_windows_say_what_they_are(windows: Windows, said: dict[str, Any]) -> None:
    assert window_of(lambda s: s.window(windows)).items() >= {**said, "domain": "event", "key": ["user"]}.items()


def test_triggers_and_evictors_say_what_they_are() -> None:
    early = triggers.any(
        triggers.at_end(),
        triggers.late_each(),
        triggers.early_every(seconds(1)),
        triggers.all(triggers.every_records(5), triggers.after(millis(100)).event_time()),
    )
    said = window_of(
        lambda s: s.window(global_window()).trigger(early.purging()).evictor(evictors.differing_by(Click.n, 5).after())
    )
    each = {"early-every": {"ms": 1000, "domain": "processing"}}
    whole = {"all": [{"count": {"records": 5}}, {"after": {"ms": 100, "domain": "event"}}]}
    assert said["assigner"] == "global"
    assert said["trigger"] == {"when": {"any": ["at-watermark", "late-each", each, whole]}, "purge": True}
    assert said["evictor"] == {"evict": {"delta": {"field": "n", "threshold": 5.0}}, "after": True}
    own = window_of(lambda s: s.window(TEN).trigger_function(Ten()))
    assert own["trigger"] == {"when": "guest", "purge": False}
    assert own["state"][1] == {"name": "trigger", "kind": "value", "schema": "value:i64"}


class Untyped(TriggerFunction):  # type: ignore[type-arg]
    pass


@record
class Other:
    n: int


class OfOthers(TriggerFunction[Other, int]):
    pass


WRONG: list[tuple[Callable[[KeyedStream[str, Click]], Any], str]] = [
    (lambda s: s.window(records(0)), "the number of records is a positive int, not 0"),
    (lambda s: s.window(records_sliding(3, 0)), "the slide of records is a positive int, not 0"),
    (lambda s: s.window(records_sliding(3, 1).or_after(seconds(1))), "only windows of records, which do not slide"),
    (lambda s: s.window(tumbling(seconds(1)).or_after(seconds(1))), "only windows of records, which do not slide"),
    (lambda s: s.window(tumbling(seconds(1)).every(7)), "only windows of calendar_days are so many days long"),
    (lambda s: s.window(records(3).offset(hours(1))), "only tumbling and sliding windows have an offset"),
    (lambda s: s.window(session_by(5)), "session_by takes a field such as Click.gap, not 5"),
    (lambda s: s.window(session_by(Other.n)).count("n"), "Other.n is no field of `Click`"),
    (lambda s: s.window(TEN).trigger(TEN), "a trigger is triggers.at_end(), triggers.any(...) or the like"),  # type: ignore[arg-type]
    (lambda s: s.window(TEN).trigger(triggers.at_end().event_time()), "only early_every and after have a span"),
    (
        lambda s: triggers.any(triggers.at_end().purging()),
        "a window is purged by the whole of its trigger: triggers.any(...).purging()",
    ),
    (lambda s: triggers.every_records(0), "a positive int, not 0"),
    (lambda s: s.window(TEN).trigger_function(Untyped()), "class Untyped(TriggerFunction[record, state])"),
    (lambda s: s.window(TEN).trigger_function(len), "a trigger function is an instance of a class derived from"),  # type: ignore[arg-type]
    (
        lambda s: s.window(TEN).trigger_function(OfOthers()).reduce("r", lambda a, b: a),  # type: ignore[arg-type]
        "the function takes `Other`, the stream has `Click`",
    ),
    (lambda s: s.window(TEN).trigger_function(Ten()).count("n"), "only windows that the job computes are asked for their trigger"),
    (lambda s: s.window(TEN).evictor(evictors.all_but_last(1)).count("n"), "only windows that are processed whole have an evictor"),
    (
        lambda s: s.window(TEN).evictor(evictors.all_but_last(1)).reduce("r", lambda a, b: a),
        "only windows that are processed whole have an evictor",
    ),
    (lambda s: evictors.all_but_last(-1), "an evictor keeps a number of records, not -1"),
    (lambda s: evictors.differing_by(5, 1.0), "differing_by takes a field such as Reading.celsius, not 5"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_when_the_job_is_built(wrong: Callable[[KeyedStream[str, Click]], Any], said: str) -> None:
    def job(job: Job) -> None:
        wrong(job.source("clicks", Click).event_time(Click.at, monotonic()).key_by(Click.user))

    with pytest.raises(JobError) as refusal:
        Instance.plan(job, [], Heard())
    assert said in str(refusal.value)
