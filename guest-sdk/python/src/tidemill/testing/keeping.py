"""Slots, timers, windows and aggregates of one operator, as a host keeps them in their simplest form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..aggregates import wrapped
from ..runtime import TimerAction, TimerOp
from .rows import Row, order

Key = tuple[Any, ...]
Bounds = tuple[int, int]
Place = tuple[Key, "Bounds | None"]
"""A key and, for windows, the window."""


class Slots:
    """Which slot belongs to which key and window."""

    def __init__(self) -> None:
        self._numbers: dict[Place, int] = {}
        self._places: list[Place | None] = []
        self._free: list[int] = []

    def slot(self, place: Place) -> int:
        """The slot of a place, a new one if need be."""
        if place not in self._numbers:
            if not self._free:
                self._free.append(len(self._places))
                self._places.append(None)
            slot = self._free.pop()
            self._numbers[place] = slot
            self._places[slot] = place
        return self._numbers[place]

    def forget(self, slot: int) -> None:
        """Forgets a slot, whose number may come back."""
        place, self._places[slot] = self._places[slot], None
        if place is not None:
            del self._numbers[place]
            self._free.append(slot)

    def key(self, slot: int) -> Key:
        """The key of a slot that a call named."""
        place = self._places[slot]
        assert place is not None
        return place[0]

    def keys(self) -> list[Key]:
        """The keys that have a slot, whatever their windows."""
        return [key for key, bounds in self._numbers if bounds is None]

    def all(self) -> list[int]:
        """All slots in use."""
        return list(self._numbers.values())


class Timers:
    """The timers of one operator: when, which, and of which key."""

    def __init__(self) -> None:
        self._set: set[tuple[int, int, Key]] = set()

    def apply(self, op: TimerOp, key: Key) -> None:
        """Applies a change."""
        if op.action in (TimerAction.REPLACE, TimerAction.CLEAR):
            self._set = {timer for timer in self._set if timer[1:] != (op.timer, key)}
        if op.action in (TimerAction.ADD, TimerAction.REPLACE):
            self._set.add((op.time, op.timer, key))
        if op.action is TimerAction.DELETE:
            self._set.discard((op.time, op.timer, key))

    def due(self, limit: Callable[[int], int]) -> tuple[int, int, Key] | None:
        """Takes the earliest timer that is due: ``limit`` gives for each timer up to when it is."""
        next_one = next((timer for timer in self.all() if timer[0] <= limit(timer[1])), None)
        if next_one is not None:
            self._set.remove(next_one)
        return next_one

    def all(self) -> list[tuple[int, int, Key]]:
        """All timers, the earliest first."""
        return sorted(self._set, key=lambda timer: (timer[0], timer[1], order(timer[2])))


@dataclass
class Acc:
    """A running aggregate of the host."""

    count: int = 0
    value: Any = None
    row: Row | None = None

    def add(self, aggregate: Any, column: int | None, row: Row) -> None:
        """Adds a row; ``column`` is the index of the aggregate's field."""
        self.merge(aggregate, Acc(1, None if column is None else row.values[column], row))

    def merge(self, aggregate: Any, other: Acc) -> None:
        """Adds what another holds, which comes later."""
        self.count += other.count
        if self.value is None:
            self.value, self.row = other.value, other.row
        elif other.value is not None:
            kind = kind_of(aggregate)
            if kind == "sum":
                total = self.value + other.value
                self.value = wrapped(total) if isinstance(total, int) else total
            elif (other.value < self.value) if kind.startswith("min") else (other.value > self.value):
                self.value, self.row = other.value, other.row

    def result(self, aggregate: Any) -> tuple[Any, ...]:
        """The columns of the result."""
        if aggregate == "count":
            return (self.count,)
        if not is_record(aggregate):
            return (self.value,)
        assert self.row is not None
        return self.row.values


def kind_of(aggregate: Any) -> str:
    """The word for an aggregate of the plan."""
    return aggregate if isinstance(aggregate, str) else next(iter(aggregate))


def field_of(aggregate: Any) -> str | None:
    """The field that an aggregate is of."""
    return None if isinstance(aggregate, str) else next(iter(aggregate.values()))


def is_record(aggregate: Any) -> bool:
    """Whether the result is the whole record rather than key and value."""
    return kind_of(aggregate).endswith("-by")


@dataclass
class Held:
    """A record of a join that may find somebody yet."""

    key: Key
    side: int
    row: Row
    matched: bool = False


@dataclass
class Keeping:
    """What the host keeps of one operator."""

    slots: Slots = field(default_factory=Slots)
    timers: Timers = field(default_factory=Timers)
    rolling: dict[Key, Acc] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    """Records of a join, in the order of arrival."""
    latest: dict[Key, list[Row | None]] = field(default_factory=dict)
    """The last record of each side of a join, by key."""
