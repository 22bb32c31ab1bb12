"""Evictors: what a window leaves out when it fires.

Only windows that are processed whole have one, since an aggregate does not keep its records. What is evicted is gone for good:
a later firing of the window does not see it either. Records stand in the order of their arrival::

    from tidemill import days, evictors, global_window, triggers

    (
        prices.key_by(Price.symbol)
        .window(global_window())
        .trigger(triggers.every_records(1))
        .evictor(evictors.all_but_last(20))
        .process("spread of the last 20", spread)
    )
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

from .error import JobError
from .record.declare import Field, field_of
from .time import to_ms

T = TypeVar("T")
N = TypeVar("N", int, float)

__all__ = ["Evictor", "all_but_last", "by", "differing_by", "older_than"]

Entry = tuple[Any, int]
"""A record and its event time."""


@dataclass(frozen=True)
class Evictor(Generic[T]):
    """What a window of records ``T`` leaves out."""

    evict: Any
    """As the plan writes it."""
    choose: Callable[[list[int], list[T]], Iterable[int]]
    """Says which places go."""
    field: Field | None = None
    """The field that the plan names, whose column is the stream's to name."""
    is_after: bool = False

    def after(self) -> Evictor[T]:
        """Leaves records out behind the function rather than in front of it: the next firing does not see them."""
        return replace(self, is_after=True)

    def kept(self, entries: list[Entry]) -> list[Entry]:
        """What is left of the records of a window, which are in the order of their arrival."""
        gone = set(self.choose([time for _, time in entries], [record for record, _ in entries]))
        return [entry for place, entry in enumerate(entries) if place not in gone]


def all_but_last(count: int) -> Evictor[Any]:
    """Keeps the last ``count`` records."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise JobError(f"an evictor keeps a number of records, not {count!r}")
    return Evictor({"count": {"records": count}}, lambda times, records: range(len(records) - count))


def older_than(span: timedelta) -> Evictor[Any]:
    """Keeps the records that are at most ``span`` older than the latest one, by their event times."""
    ms = to_ms(span)

    def choose(times: list[int], records: list[Any]) -> Iterable[int]:
        latest = max(times, default=0)
        return (place for place, time in enumerate(times) if time < latest - ms)

    return Evictor({"time": {"ms": ms}}, choose)


def differing_by(field: N, threshold: float) -> Evictor[Any]:
    """Keeps the records whose field, such as ``Reading.celsius``, differs from that of the last one by less than ``threshold``."""
    found = field_of(field)
    if found is None:
        raise JobError(f"evictors.differing_by takes a field such as Reading.celsius, not {field!r}")
    name = found.name

    def choose(times: list[int], records: list[Any]) -> Iterable[int]:
        values = [getattr(record, name) for record in records]
        return (place for place, value in enumerate(values) if abs(value - values[-1]) >= threshold)

    return Evictor({"delta": {"threshold": float(threshold)}}, choose, found)


def by(goes: Callable[[list[int], list[T]], Iterable[int]]) -> Evictor[T]:
    """Leaves out what a function says: it is given the event times and the records, and answers with their places."""
    if not callable(goes):
        raise JobError(f"evictors.by takes a function, not {goes!r}")
    return Evictor("guest", goes)
