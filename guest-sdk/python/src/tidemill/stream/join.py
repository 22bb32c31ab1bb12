"""Joins of keyed streams, which the host runs: in windows, by distance in time, by key, and with the version of a time.

Each stream becomes a :class:`Side` with a name, which may be ``optional()``; sides are joined, and then it is said how. What a join
gives is a tuple of the records of its sides, in their order::

    def status(row: tuple[Order, Payment, Parcel | None]) -> Status:
        order, payment, parcel = row
        return Status(order.id, payment.cents, parcel.place if parcel else None)

    (
        orders.key_by(Order.id).side("order")
        .join(payments.key_by(Payment.order).side("payment"))
        .join(parcels.key_by(Parcel.order).side("parcel").optional())
        .latest("table")
        .map("status", status)
        .sink("statuses")
    )
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import timedelta
from typing import Any, Generic, TypeVar, TypeVarTuple

from ..error import JobError
from ..plan import LATE_SIDE, UNMATCHED, Node, Output
from ..record.composite import WindowRecord, composite_of
from ..record.spec import MaybeSpec, Spec, TupleSpec, prefixed, spec_of
from ..schema import Column, Schema, Type
from ..time import to_ms
from ..window import Windows, checked_windows
from .stream import Stream

K = TypeVar("K")
T = TypeVar("T")
U = TypeVar("U")
L = TypeVar("L")
R = TypeVar("R")
S = TypeVar("S")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class _Part:
    """What a join knows of a side."""

    name: str
    stream: Stream[Any]
    key: Spec[Any]
    names: list[str]
    required: bool = True

    @property
    def in_plan(self) -> dict[str, object]:
        said: dict[str, object] = {"name": self.name, "key": self.names}
        if not self.required:
            said["required"] = False
        return said

    @property
    def spec(self) -> Spec[Any]:
        """Its record in a result."""
        return self.stream._spec if self.required else MaybeSpec(self.stream._spec)


class Side(Generic[K, T]):
    """A keyed stream as a side of a join."""

    def __init__(self, part: _Part) -> None:
        self._part = part

    def optional(self) -> Side[K, T | None]:
        """Lets the others be joined where this side has nothing: a left or right join of two, of two such sides a full one."""
        return Side(replaced(self._part, required=False))

    def join(self, other: Side[K, U]) -> Pair[K, T, U]:
        """Joins another side."""
        return Pair(_joined([self._part], other))


def side_of(name: str, stream: Stream[Any], key: Spec[Any], names: list[str]) -> Side[Any, Any]:
    """A keyed stream as a side.

    Raises:
        JobError: its key is no field of its records.
    """
    if len(stream._schema.columns) > len(stream._spec.columns):
        raise JobError(
            f"side {name!r} has a key that is computed: a join needs it in a field, so give it one in a map in front of it"
        )
    return Side(_Part(name, stream, key, names))


def _joined(parts: Sequence[_Part], other: object) -> list[_Part]:
    from .keyed import cells_of

    if not isinstance(other, Side):
        raise JobError(f'what is joined is a side, as in stream.key_by(...).side("name"), not {other!r}')
    part: _Part = other._part
    if any(part.name == before.name for before in parts):
        raise JobError(f"two sides of a join are called {part.name!r}")
    if cells_of(part.key) != cells_of(parts[0].key):
        keys = f"{Schema(parts[0].key.columns)} and {Schema(part.key.columns)}"
        raise JobError(f"sides of a join have keys of the same types, not {keys}")
    return [*parts, part]


class Sides(Generic[K, *Ts]):
    """Sides about to be joined."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts

    def join(self, other: Side[K, U]) -> Sides[K, *Ts, U]:
        """Joins another side."""
        return Sides(_joined(self._parts, other))

    def latest(self, name: str) -> JoinResults[tuple[*Ts]]:
        """The last record of each side by key, as a table: each record that comes gives the row of its key, once every
        required side has one, with the record's event time."""
        return self._add(name, "keyed-join", {}, bounds=False)

    def window(self, windows: Windows) -> WindowedSides[*Ts]:
        """Each record of a side with each of the others that has the same key and is in the same window."""
        return WindowedSides(self, checked_windows(windows))

    def _add(self, name: str, kind: str, details: dict[str, Any], *, bounds: bool) -> JoinResults[Any]:
        parts = self._parts
        columns = [column for part in parts for column in prefixed(part.name, part.spec.columns)]
        shown = f"({', '.join(part.spec.shown.strip('`') for part in parts)})"
        spec: Spec[Any] = TupleSpec([part.spec for part in parts], f"`{shown}`", columns)
        if bounds:
            columns = [Column("start", Type.I64), Column("end", Type.I64), *columns]
            spec = composite_of(WindowRecord, [spec_of(int), spec_of(int), spec])
        schema = Schema(tuple(columns))
        said = {kind: {"sides": [part.in_plan for part in parts], **details}}
        node = Node(name, said, [part.stream._input(keyed=True) for part in parts], [Output(schema, spec)])
        graph = parts[0].stream._graph
        results: JoinResults[Any] = JoinResults(graph, graph.add(node), "out", spec, schema)
        results._parts = parts
        return results


class Pair(Sides[K, L, R]):
    """Two sides about to be joined, which may also be joined ``within`` some time of each other and ``as_of`` a time."""

    def within(
        self,
        name: str,
        lower: timedelta,
        upper: timedelta,
        *,
        lower_exclusive: bool = False,
        upper_exclusive: bool = False,
    ) -> JoinResults[tuple[L, R]]:
        """Records of one key of which the second is from ``lower`` to ``upper`` later than the first.

        Both may be negative, and both are included unless it is said otherwise. A result has the greater time; it takes
        event time.
        """
        details: dict[str, Any] = {"lower-ms": to_ms(lower), "upper-ms": to_ms(upper)}
        if lower_exclusive:
            details["lower-exclusive"] = True
        if upper_exclusive:
            details["upper-exclusive"] = True
        return self._add(name, "interval-join", details, bounds=False)

    def as_of(self, name: str) -> JoinResults[tuple[L, R]]:
        """Each record of the first side with what the second said last at its time: a temporal join.

        Results come when the watermark has come to their time, since an earlier version may still be on its way.
        """
        return self._add(name, "temporal-join", {}, bounds=False)


class WindowedSides(Generic[*Ts]):
    """Sides about to be joined in windows."""

    def __init__(self, sides: Sides[Any, *Ts], windows: Windows, lateness_ms: int = 0) -> None:
        self._sides = sides
        self._windows = windows
        self._lateness_ms = lateness_ms

    def allowed_lateness(self, span: timedelta) -> WindowedSides[*Ts]:
        """Keeps a window for this long after its end: a late record until then lets it fire again."""
        return WindowedSides(self._sides, self._windows, to_ms(span))

    def join(self, name: str) -> JoinResults[WindowRecord[tuple[*Ts]]]:
        """Joins each with each. A result's time is the last millisecond of its window."""
        windows = self._windows
        details = {"assigner": windows.in_plan, "domain": windows.domain, "lateness-ms": self._lateness_ms}
        return self._sides._add(name, "window-join", details, bounds=True)


class JoinResults(Stream[T]):
    """The results of a join, and what did not come into them."""

    _parts: list[_Part]

    def unmatched(self, side: str, record: type[S]) -> Stream[S]:
        """The records of the side of this name that found nobody where somebody was required."""
        stream = self._side(side, record)
        port = f"{UNMATCHED}{side}"
        if all(output.name != port for output in self._node.outputs):
            self._node.outputs.append(Output(stream._schema, stream._spec, port))
        return Stream(self._graph, self._id, port, stream._spec, stream._schema)

    def late(self, side: str, record: type[S]) -> Stream[S]:
        """The records of the side of this name that came too late. Without a reader the host counts them."""
        stream, node = self._side(side, record), self._node
        if node.kind_name == "keyed-join":
            raise JobError(f"join {node.name!r} joins whenever a record comes, where nothing is late")
        if node.details.get("domain") == "processing":
            raise JobError(f"join {node.name!r} is in processing time, where nothing is late")
        return Stream(self._graph, self._id, f"{LATE_SIDE}{side}", stream._spec, stream._schema)

    def _side(self, name: str, record: Any) -> Stream[Any]:
        found = next((part.stream for part in self._parts if part.name == name), None)
        if found is None:
            there = ", ".join(repr(part.name) for part in self._parts)
            raise JobError(f"join {self._node.name!r} has no side {name!r}; it has {there}")
        spec = spec_of(record)
        if spec is not found._spec and spec.columns != found._spec.columns:
            raise JobError(f"side {name!r} of join {self._node.name!r} has other records than {spec.shown}")
        return found
