"""State with a time-to-live.

A piece of state lives for a time where its annotation says so: a value as a whole, of a list each record and of a map each entry by
itself::

    class Once(Process[str, Visit, Visit]):
        \"\"\"Lets the first record of a key through, and again one when none was let through for an hour.\"\"\"

        seen: Annotated[Value[bool], Ttl.processing_time(hours(1))]

        def on_record(self, ctx: Ctx[str, Visit], visit: Visit) -> None:
            if self.seen.get() is None:
                self.seen.set(True)
                ctx.emit(visit)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

from .error import JobError
from .record.spec import Misfit, Spec, pair_of, spec_of
from .runtime.expiring import (
    UNKNOWN,
    Domain,
    ExpiringListTable,
    ExpiringMapTable,
    ExpiringValueTable,
    Expiry,
    Lease,
    Stamp,
    Stamped,
)
from .runtime.slots import CHANGED, CLEARED, Table, Touched
from .state import ListState, MapState, Piece, Value, key_spec_of, order_of
from .time import to_ms

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

__all__ = ["Ttl"]


@dataclass(frozen=True)
class Ttl:
    """How long state lives after it was written last; made by :meth:`event_time` and :meth:`processing_time`.

    What has expired is never seen again, and is removed in the end, also of a key that no record comes for. In event time an
    entry is as old as the record it was written for, or as the watermark where that is further on, and expires when the watermark
    comes to its end; in processing time the host's clock counts.
    """

    ms: int
    domain: Domain
    by_reads: bool = False

    @staticmethod
    def event_time(span: timedelta) -> Ttl:
        """In event time."""
        return Ttl(_positive(span), "event")

    @staticmethod
    def processing_time(span: timedelta) -> Ttl:
        """In processing time."""
        return Ttl(_positive(span), "processing")

    def renewed_by_reads(self) -> Ttl:
        """Reading an entry lets it live on as writing it does."""
        return replace(self, by_reads=True)


def _positive(span: timedelta) -> int:
    ms = to_ms(span)
    if ms < 1:
        raise JobError(f"state lives for a positive time, not {span}")
    return ms


def ttl_in(annotation: Any) -> Ttl | None:
    """The time-to-live that an annotation gives."""
    if get_origin(annotation) is not Annotated:
        return None
    return next((mark for mark in get_args(annotation)[1:] if isinstance(mark, Ttl)), None)


def expiring(kind: type[Piece], name: str, types: tuple[Any, ...], touched: Touched, ttl: Ttl) -> Piece:
    """A piece of this kind that expires."""
    if kind not in _KINDS:
        raise Misfit("only a Value, a ListState or a MapState of a key lives for a time")
    if touched.expiry is None:
        touched.expiry = Expiry()
    piece: Any = _KINDS[kind].__new__(_KINDS[kind])
    piece._lease = Lease(ttl.ms, ttl.domain, ttl.by_reads, touched.expiry)
    return cast("Piece", piece._begun(name, types, touched))


class _ExpiringValue(Value[T]):
    __slots__ = ("_lease",)

    _lease: Lease

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        self._spec: Spec[T] = spec_of(types[0])
        return ExpiringValueTable(name, self._spec, self._lease)

    def _live(self) -> Stamped | None:
        entry: Stamped | None = self._entries[self._slot()]
        return entry if entry is not None and self._lease.is_live(entry[1]) else None

    def get(self, default: Any = None) -> Any:
        entry = self._live()
        if entry is None:
            return default
        value, stamp = entry
        if self._lease.is_renewed_by_read(stamp):
            self._entries[self._changing(CHANGED)] = (value, self._lease.renewed(stamp))
        elif self._spec.mutable:
            self._changing(CHANGED)
        return value

    def set(self, value: T) -> None:
        if value is None:
            return self.clear()
        if not self._spec.accepts(value):
            raise Misfit(f"state {self._name!r} holds {self._spec.shown}, not {value!r}")
        before = self._live()
        self._entries[self._changing(CHANGED)] = (value, self._lease.renewed(UNKNOWN if before is None else before[1]))

    def take(self) -> T | None:
        live = self._live()
        if self._entries[self._slot()] is not None:
            self._entries[self._changing(CHANGED | CLEARED)] = None
        return None if live is None else cast("T", live[0])


class _ExpiringList(ListState[T]):
    __slots__ = ("_lease",)

    _lease: Lease

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        spec = spec_of(types[0])
        self._mutable = spec.mutable
        return ExpiringListTable(name, spec, self._lease)

    def _live(self) -> list[Stamped]:
        return [entry for entry in self._entries[self._slot()] if self._lease.is_live(entry[1])]

    def _read(self, places: Iterable[int]) -> list[T]:
        """The records at some places, which are read by that."""
        live, lease = self._live(), self._lease
        renewed = {place for place in places if lease.is_renewed_by_read(live[place][1])}
        if renewed:
            live = [(value, lease.renewed(stamp) if i in renewed else stamp) for i, (value, stamp) in enumerate(live)]
            self._changing(CHANGED)[:] = live
        elif self._mutable:
            self._changing(CHANGED | CLEARED)
        return [live[place][0] for place in places]

    def _write(self, values: Iterable[T]) -> list[Stamped]:
        stamp = self._lease.renewed()
        return [(value, stamp) for value in values]

    def __len__(self) -> int:
        return len(self._live())

    def __iter__(self) -> Iterator[T]:
        return iter(self._read(range(len(self._live()))))

    def __getitem__(self, index: Any) -> Any:
        places = range(len(self._live()))[index]
        return self._read([places])[0] if isinstance(places, int) else self._read(places)

    def __setitem__(self, index: Any, value: Any) -> None:
        live = self._live()
        if isinstance(index, slice):
            live[index] = self._write(value)
        else:
            live[index] = (value, self._lease.renewed(live[index][1]))
        self._changing(CHANGED | CLEARED)[:] = live

    def __delitem__(self, index: int | slice) -> None:
        live = self._live()
        del live[index]
        self._changing(CHANGED | CLEARED)[:] = live

    def insert(self, index: int, value: T) -> None:
        live = self._live()
        live.insert(index, (value, self._lease.renewed()))
        self._changing(CHANGED)[:] = live

    def append(self, value: T) -> None:
        self._changing(CHANGED).append((value, self._lease.renewed()))

    def extend(self, values: Iterable[T]) -> None:
        added = self._write(values)
        self._changing(CHANGED).extend(added)

    def set(self, values: Iterable[T]) -> None:
        written = self._write(values)
        self._changing(CHANGED | CLEARED)[:] = written

    def take(self) -> list[T]:
        taken = [value for value, _ in self._live()]
        self.clear()
        return taken


class _ExpiringMap(MapState[K, V]):
    __slots__ = ("_lease",)

    _lease: Lease

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        key, value = key_spec_of(types[0]), spec_of(types[1])
        self._mutable = value.mutable
        self._order = order_of(key)
        return ExpiringMapTable(name, pair_of(key, value), self._order, self._lease)

    def _stamp(self, key: object) -> Stamp | None:
        entry: Stamped | None = self._entries[self._slot()].get(key)
        return entry[1] if entry is not None and self._lease.is_live(entry[1]) else None

    def __len__(self) -> int:
        return sum(1 for _, stamp in self._entries[self._slot()].values() if self._lease.is_live(stamp))

    def __iter__(self) -> Iterator[K]:
        entries = self._entries[self._slot()]
        return iter(sorted((key for key in entries if self._stamp(key) is not None), key=self._order))

    def __contains__(self, key: object) -> bool:
        return self._stamp(key) is not None

    def __getitem__(self, key: K) -> V:
        stamp = self._stamp(key)
        if stamp is None:
            raise KeyError(key)
        value = self._entries[self._slot()][key][0]
        if self._lease.is_renewed_by_read(stamp):
            self._changing(CHANGED)[key] = (value, self._lease.renewed(stamp))
        elif self._mutable:
            self._changing(CHANGED)
        return cast("V", value)

    def __setitem__(self, key: K, value: V) -> None:
        stamp = self._lease.renewed(self._stamp(key) or UNKNOWN)
        self._changing(CHANGED)[key] = (value, stamp)

    def __delitem__(self, key: K) -> None:
        is_live = key in self
        if key in self._entries[self._slot()]:
            del self._changing(CHANGED | CLEARED)[key]
        if not is_live:
            raise KeyError(key)

    def take(self) -> dict[K, V]:
        entries = self._entries[self._slot()]
        taken = {key: cast("V", entries[key][0]) for key in self}
        self.clear()
        return taken


_KINDS: dict[type[Piece], type[Piece]] = {Value: _ExpiringValue, ListState: _ExpiringList, MapState: _ExpiringMap}
