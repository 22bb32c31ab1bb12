"""Calls of callers in windows that fire by triggers: early, some time after the first record, at late ones, by number."""

from collections.abc import Iterator

from tidemill import I32, Job, Window, global_window, minutes, monotonic, record, seconds, triggers, tumbling

LATE = "ivy"
"""Who calls late, and is not seen where late records are left out."""


@record
class Call:
    caller: str
    cents: int
    at: int


@record
class Sums:
    calls: int
    cents: int


@record
class Figure:
    what: str
    caller: str
    until: int
    firing: I32
    calls: int
    cents: int


@record
class Listed:
    caller: str
    firing: I32
    cents: str


def add(sums: Sums, call: Call) -> Sums:
    return Sums(sums.calls + 1, sums.cents + call.cents)


def merge(sums: Sums, other: Sums) -> Sums:
    return Sums(sums.calls + other.calls, sums.cents + other.cents)


def early(window: Window[str], sums: Sums) -> Figure:
    return Figure("early", window.key, window.end, window.firing, sums.calls, sums.cents)


def delayed(window: Window[str], sums: Sums) -> Figure:
    return Figure("after", window.key, window.end, window.firing, sums.calls, sums.cents)


def listed(window: Window[str], calls: list[Call]) -> Iterator[Listed]:
    yield Listed(window.key, window.firing, "+".join(str(call.cents) for call in calls))


def case(job: Job) -> None:
    calls = job.source("calls", Call).event_time(Call.at, monotonic())
    punctual = calls.filter("punctual", lambda call: call.caller != LATE).key_by(Call.caller)
    tens = punctual.window(tumbling(seconds(10)))

    often = triggers.any(triggers.at_end(), triggers.early_every(seconds(4)).event_time(), triggers.late_each())
    all_calls = calls.key_by(Call.caller).window(tumbling(seconds(10))).trigger(often).allowed_lateness(minutes(1))
    first = all_calls.fold("early", Sums(0, 0), add, merge, early)
    later = triggers.any(triggers.at_end(), triggers.after(seconds(4)).event_time())
    second = tens.trigger(later).fold("after", Sums(0, 0), add, merge, delayed)
    first.union("figures", second).sink("figures-out")

    twos = triggers.any(triggers.at_end(), triggers.every_records(2)).purging()
    tens.trigger(twos).process("purged", listed).sink("purged-out")
    tens.trigger(triggers.all(triggers.at_end(), triggers.every_records(2))).count("both").sink("both-out")
    punctual.window(global_window()).trigger(triggers.every_records(3)).process("global", listed).sink("global-out")
