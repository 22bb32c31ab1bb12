"""Triggers: when a window fires, where that is not at its end and at each late record.

A declared trigger is put together of a few words and run by the host. The names are those of built-in functions, so import the
module::

    from tidemill import hours, seconds, triggers, tumbling

    (
        clicks.key_by(Click.user)
        .window(tumbling(hours(1)))
        .trigger(triggers.any(triggers.at_end(), triggers.early_every(seconds(10)), triggers.late_each()))
        .count("clicks an hour, every ten seconds")
    )

A :class:`TriggerFunction` decides by itself, with state of its own for every window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_origin

from .error import JobError
from .time import to_ms

T = TypeVar("T")
S = TypeVar("S")

__all__ = [
    "Action",
    "Trigger",
    "TriggerFunction",
    "TriggerWindow",
    "after",
    "all",
    "any",
    "at_end",
    "early_every",
    "every_records",
    "late_each",
]

_SPANNED = ("early-every", "after")


@dataclass(frozen=True)
class Trigger:
    """When a window fires. It replaces the usual trigger, which is :func:`any` of :func:`at_end` and :func:`late_each`."""

    when: Any
    """As the plan writes it."""
    purge: bool = False

    def event_time(self) -> Trigger:
        """Lets event time drive an :func:`early_every` or :func:`after`."""
        when: Any = {} if isinstance(self.when, str) else self.when
        for word in _SPANNED:
            if word in when:
                return replace(self, when={word: {**when[word], "domain": "event"}})
        raise JobError("only early_every and after have a span of time that event time can drive")

    def purging(self) -> Trigger:
        """Empties a window when it has fired; it goes on all the same."""
        return replace(self, purge=True)

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it."""
        return {"when": self.when, "purge": self.purge}


def checked_trigger(trigger: object) -> Trigger:
    """A trigger as it is.

    Raises:
        JobError: it is something else.
    """
    if isinstance(trigger, Trigger):
        return trigger
    raise JobError(f"a trigger is triggers.at_end(), triggers.any(...) or the like, not {trigger!r}")


def at_end() -> Trigger:
    """When time has come to the window's end."""
    return Trigger("at-watermark")


def late_each() -> Trigger:
    """At each record that comes behind the window's end."""
    return Trigger("late-each")


def early_every(span: timedelta) -> Trigger:
    """Until the window's end every so long of processing time, at multiples of it, when a record has come since the last firing."""
    return Trigger({"early-every": {"ms": to_ms(span), "domain": "processing"}})


def after(span: timedelta) -> Trigger:
    """So long of processing time after the first record since the last firing."""
    return Trigger({"after": {"ms": to_ms(span), "domain": "processing"}})


def every_records(count: int) -> Trigger:
    """At every so many records."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise JobError(f"a trigger fires at every so many records, which is a positive int, not {count!r}")
    return Trigger({"count": {"records": count}})


def any(*triggers: Trigger) -> Trigger:
    """When one of these fires."""
    return _combined("any", triggers)


def all(*triggers: Trigger) -> Trigger:
    """When each of these has fired since all had."""
    return _combined("all", triggers)


def _combined(word: str, triggers: Sequence[Trigger]) -> Trigger:
    for trigger in triggers:
        if checked_trigger(trigger).purge:
            raise JobError(f"a window is purged by the whole of its trigger: triggers.{word}(...).purging()")
    return Trigger({word: [trigger.when for trigger in triggers]})


class Action(Enum):
    """What becomes of a window."""

    CONTINUE = 0
    """Nothing."""
    FIRE = 1
    """It fires and keeps what it has."""
    PURGE = 2
    """It is emptied and does not fire."""
    FIRE_AND_PURGE = 3
    """It fires and is emptied."""


class TriggerWindow(Generic[S]):
    """What a :class:`TriggerFunction` sees of a window."""

    __slots__ = ("asked", "end", "firing", "now", "start", "state", "time", "watermark")

    state: S
    """What is remembered of the window, to be assigned to. It stays when the window fires or is purged."""
    start: int
    """The window's first millisecond."""
    end: int
    """The first millisecond behind it."""
    firing: int
    """How often it has fired."""
    time: int
    """The record's event time, or the time that was asked for."""
    watermark: int
    """The watermark."""
    now: int
    """Processing time."""

    def __init__(self, state: S, bounds: tuple[int, int, int], time: int, watermark: int, now: int) -> None:
        self.state = state
        self.start, self.end, self.firing = bounds
        self.time, self.watermark, self.now = time, watermark, now
        self.asked: tuple[int | None, int | None] = (None, None)

    def at_event_time(self, time: int) -> None:
        """Asks to be called when event time has come to ``time``, instead of at what was asked for before."""
        self.asked = (_time(time), self.asked[1])

    def at_processing_time(self, time: int) -> None:
        """Asks to be called when processing time has come to ``time``, instead of at what was asked for before."""
        self.asked = (self.asked[0], _time(time))


def _time(time: object) -> int:
    if not isinstance(time, int) or not -(1 << 63) <= time < 1 << 63:
        raise TypeError(f"a time is an int of milliseconds since 1970, not {time!r}")
    return time


class TriggerFunction(Generic[T, S]):
    """A trigger that decides by itself: the types are those of the records and of what it remembers of a window.

    Other attributes are shared by all windows of an instance, as with process functions::

        class Enough(triggers.TriggerFunction[Order, int]):
            \"\"\"Fires when orders of 100 cents have come since the last time.\"\"\"

            def start(self) -> int:
                return 0

            def on_record(self, window: triggers.TriggerWindow[int], order: Order) -> triggers.Action:
                window.state += order.cents
                if window.state < 100:
                    return triggers.Action.CONTINUE
                window.state = 0
                return triggers.Action.FIRE

            def merge(self, state: int, other: int) -> int:
                return state + other
    """

    def start(self) -> S:
        """What it remembers of a new window."""
        raise NotImplementedError

    def on_record(self, window: TriggerWindow[S], record: T, /) -> Action:
        """A record is being added."""
        raise NotImplementedError

    def on_event_time(self, window: TriggerWindow[S], /) -> Action:
        """Event time has come to what was asked for."""
        return Action.CONTINUE

    def on_processing_time(self, window: TriggerWindow[S], /) -> Action:
        """Processing time has come to what was asked for."""
        return Action.CONTINUE

    def merge(self, state: S, other: S, /) -> S:
        """What is remembered of a session that takes in another one."""
        raise NotImplementedError


def types_of_trigger(function: object) -> tuple[Any, Any]:
    """The types that a class gives :class:`TriggerFunction`.

    Raises:
        JobError: it is none, or gives none.
    """
    for ancestor in type(function).__mro__:
        for parametrised in getattr(ancestor, "__orig_bases__", ()):
            types = get_args(parametrised)
            if get_origin(parametrised) is TriggerFunction and not [part for part in types if isinstance(part, TypeVar)]:
                return types[0], types[1]
    if isinstance(function, TriggerFunction):
        cls = type(function).__name__
        raise JobError(f"trigger function {cls} does not say its types: class {cls}(TriggerFunction[record, state])")
    raise JobError(f"a trigger function is an instance of a class derived from triggers.TriggerFunction, not {function!r}")
