"""Co-groups: what two keyed streams have in a window, handled at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..error import JobError
from ..plan import LATE_SIDE, Node, Output
from ..runtime.port import Port
from ..runtime.slots import buffer_table
from ..runtime.windowed import CoGrouped, WindowOperator
from ..schema import Schema
from ..time import to_ms
from ..triggers import Trigger, checked_trigger
from ..window import Window, Windows, checked_windows
from .hints import given_many
from .stream import Stream

if TYPE_CHECKING:
    from .keyed import KeyedStream

K = TypeVar("K")
A = TypeVar("A")
B = TypeVar("B")
Out = TypeVar("Out")

_SIDES = ("first", "second")
"""The names of the two sides in the plan, and of what is kept of them."""


class CoGroup(Generic[K, A, B]):
    """Two keyed streams cut into the same windows: one holds the records of both, and exists where one has some."""

    def __init__(self, first: KeyedStream[K, A], second: KeyedStream[K, B], windows: Windows) -> None:
        from .keyed import cells_of

        checked_windows(windows)
        if cells_of(first._key) != cells_of(second._key):
            keys = f"{Schema(first._key.columns)} and {Schema(second._key.columns)}"
            raise JobError(f"streams of a co-group have keys of the same types, not {keys}")
        self._first = first
        self._second = second
        self._windows = windows
        self._lateness_ms = 0
        self._trigger: Trigger | None = None

    def allowed_lateness(self, span: timedelta) -> CoGroup[K, A, B]:
        """Keeps a window for this long after its end: a late record until then lets it fire again."""
        changed = copy.copy(self)
        changed._lateness_ms = to_ms(span)
        return changed

    def trigger(self, trigger: Trigger) -> CoGroup[K, A, B]:
        """Says when a window fires, instead of at its end and at each late record; see :mod:`tidemill.triggers`."""
        changed = copy.copy(self)
        changed._trigger = checked_trigger(trigger)
        return changed

    def process(
        self, name: str, f: Callable[[Window[K], list[A], list[B]], Iterable[Out]], *, out: type[Out] | None = None
    ) -> CoGroupResults[Out, A, B]:
        """Handles all records of each window at once, those of each stream in the order of their arrival."""
        both: list[KeyedStream[K, Any]] = [self._first, self._second]
        graph, spec = self._first._stream._graph, given_many(name, f, out)
        specs = [keyed._stream._spec for keyed in both]
        tables = [buffer_table(side, records) for side, records in zip(_SIDES, specs)]
        port = Port(graph.next_id, 0, spec, spec.schema, graph.call)
        operator = WindowOperator(graph.next_id, port, graph.call, CoGrouped(f), tables, specs, self._first._key)
        details: dict[str, Any] = {
            "sides": [{"name": side, "key": keyed._names} for side, keyed in zip(_SIDES, both)],
            "assigner": self._windows.in_plan,
            "domain": self._windows.domain,
            "lateness-ms": self._lateness_ms,
            "state": [table.in_plan for table in tables],
        }
        if self._trigger is not None:
            details["trigger"] = self._trigger.in_plan
        inputs = [keyed._stream._input(keyed=True) for keyed in both]
        node = Node(name, {"co-group": details}, inputs, [Output(spec.schema, spec)], operator=operator)
        results: CoGroupResults[Out, A, B] = CoGroupResults(graph, graph.add(node), "out", spec, spec.schema)
        results._both = (self._first._stream, self._second._stream)
        return results


class CoGroupResults(Stream[Out], Generic[Out, A, B]):
    """The results of a co-group, and the records that came too late for their window."""

    _both: tuple[Stream[A], Stream[B]]

    def late_first(self) -> Stream[A]:
        """The records of the first stream that came too late."""
        return self._late(0)

    def late_second(self) -> Stream[B]:
        """The records of the second stream that came too late."""
        return self._late(1)

    def _late(self, index: int) -> Stream[Any]:
        if self._node.details["domain"] == "processing":
            raise JobError(f"co-group {self._node.name!r} is in processing time, where nothing is late")
        stream = self._both[index]
        return Stream(self._graph, self._id, f"{LATE_SIDE}{_SIDES[index]}", stream._spec, stream._schema)
