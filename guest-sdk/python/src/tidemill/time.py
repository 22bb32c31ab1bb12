"""Spans of time and how watermarks follow event time. All time is in whole milliseconds.

Spans are ``datetime.timedelta``; ``seconds(10)`` and ``minutes(5)`` are short for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_MILLISECOND = timedelta(milliseconds=1)


def millis(n: int) -> timedelta:
    """A span of milliseconds."""
    return timedelta(milliseconds=n)


def seconds(n: float) -> timedelta:
    """A span of seconds."""
    return timedelta(seconds=n)


def minutes(n: float) -> timedelta:
    """A span of minutes."""
    return timedelta(minutes=n)


def hours(n: float) -> timedelta:
    """A span of hours."""
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    """A span of days of 24 hours."""
    return timedelta(days=n)


def to_ms(span: timedelta) -> int:
    """A span in milliseconds.

    Raises:
        TypeError: it is no ``timedelta``.
        ValueError: it has a fraction of a millisecond.
    """
    if not isinstance(span, timedelta):
        raise TypeError(f"a span is a timedelta such as seconds(10), not {span!r}")
    if span % _MILLISECOND:
        raise ValueError(f"{span} has a fraction of a millisecond: event time is in whole ones")
    return span // _MILLISECOND


@dataclass(frozen=True)
class Watermarks:
    """How watermarks follow event time; see :func:`monotonic` and :func:`out_of_order`."""

    bound_ms: int | None

    @property
    def in_plan(self) -> object:
        """As the plan writes it."""
        return "monotonic" if self.bound_ms is None else {"bounded": {"ms": self.bound_ms}}

    def after(self, time: int) -> int:
        """The watermark that follows from an event time."""
        return max(time - (self.bound_ms or 0) - 1, -(1 << 63))


def monotonic() -> Watermarks:
    """Event times never fall: the watermark is the greatest time so far minus one millisecond."""
    return Watermarks(None)


def out_of_order(bound: timedelta) -> Watermarks:
    """Records come at most ``bound`` late: the watermark is the greatest time so far minus the bound minus one millisecond."""
    return Watermarks(to_ms(bound))
