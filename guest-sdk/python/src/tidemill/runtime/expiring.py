"""Tables whose entries expire: beside each value stands when it was written (decisions/0012).

An expired entry is never shown. It is taken out when its key is swept: at a timer of the runtime's own, which a key with such state
always has, so that a key nobody comes back to is let go as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from ..block import Block
from ..record.spec import MaybeSpec, Spec, TupleSpec, pair_of, spec_of
from ..schema import Column, Type
from .outcome import TimerAction, TimerOp
from .slots import CHANGED, CLEARED, LISTED, Kind, Table, Touched

Domain = Literal["event", "processing"]
DOMAINS: tuple[Domain, Domain] = ("event", "processing")
LEAST = -(1 << 63)
_GREATEST = (1 << 63) - 1

Stamp = tuple[int | None, int | None]
"""When an entry was written, in event and in processing time; neither where that is not known."""
UNKNOWN: Stamp = (None, None)
Stamped = tuple[Any, Stamp]

_STAMPS = (Column("$event", Type.I64, True), Column("$processing", Type.I64, True))
_STAMP: TupleSpec[Stamp] = TupleSpec([spec_of(int | None)] * 2, "`a stamp`", _STAMPS)


class Clock(NamedTuple):
    """The times of the record or timer in flight; a timer's own is left out, for it may be of the other domain."""

    time: int
    watermark: int
    now: int


class Expiry:
    """What all tables of an operator whose entries expire share."""

    def __init__(self) -> None:
        self.clock = Clock(LEAST, LEAST, LEAST)
        self.sweepers: dict[Domain, int] = {}
        """The timers that sweep."""
        self._written: set[Domain] = set()
        """In which domains something was written for the record in flight."""
        self._set: dict[Domain, set[int]] = {domain: set() for domain in DOMAINS}
        """Which slots have such a timer, as far as this instance has set it."""

    def begin(self, clock: Clock) -> None:
        """Begins a record or timer."""
        self.clock = clock
        self._written.clear()

    def write(self, domain: Domain) -> None:
        """Notes that something is written."""
        self._written.add(domain)

    def fired(self, slot: int, timer: int) -> bool:
        """Notes that a timer has fired; whether it was one that sweeps."""
        for domain, sweeper in self.sweepers.items():
            if sweeper == timer:
                self._set[domain].discard(slot)
                self.write(domain)
                return True
        return False

    def forget(self, slots: Iterable[int]) -> None:
        """Notes that slots are other keys' from now on."""
        for known in self._set.values():
            known.difference_update(slots)

    def schedule(self, slot: int, tables: Sequence[Table[Any]], touched: Touched) -> None:
        """Sweeps a slot that was written to and has no timer, and sets one for what is left."""
        for domain in DOMAINS:
            if domain not in self._written or slot in self._set[domain]:
                continue
            expiring = [table for table in tables if isinstance(table, ExpiringTable) and table.lease.domain == domain]
            ends = [end for table in expiring if (end := table.sweep(slot)) is not None]
            touched.flags |= CHANGED | CLEARED
            if ends:
                # Another one may be there from before a restore.
                touched.timers.append(TimerOp(slot, self.sweepers[domain], TimerAction.REPLACE, max(ends)))
                self._set[domain].add(slot)


class Lease:
    """The time-to-live of one piece of state."""

    def __init__(self, ms: int, domain: Domain, by_reads: bool, expiry: Expiry) -> None:
        self.ms = ms
        self.domain: Domain = domain
        self.by_reads = by_reads
        self._expiry = expiry
        self._at = DOMAINS.index(domain)

    def _now(self) -> int | None:
        """Since when an entry would count that is written now."""
        clock = self._expiry.clock
        now = max(clock.time, clock.watermark) if self.domain == "event" else clock.now
        return now if now > LEAST else None

    def end(self, stamp: Stamp) -> int | None:
        """When an entry expires, where it is known when it was written."""
        written = stamp[self._at]
        return None if written is None else min(written + self.ms, _GREATEST)

    def is_live(self, stamp: Stamp) -> bool:
        """Whether the entry may be seen."""
        clock = self._expiry.clock
        end = self.end(stamp)
        return end is None or (clock.watermark if self.domain == "event" else clock.now) < end

    def renewed(self, before: Stamp = UNKNOWN) -> Stamp:
        """The stamp of what is written in place of an entry of another: a record behind its time takes nothing away."""
        self._expiry.write(self.domain)
        times = [time for time in (before[self._at], self._now()) if time is not None]
        at = max(times, default=None)
        return (at, None) if self.domain == "event" else (None, at)

    def is_renewed_by_read(self, stamp: Stamp) -> bool:
        """Whether reading an entry writes its stamp anew."""
        return (self.by_reads or stamp[self._at] is None) and self.renewed(stamp) != stamp

    def kept(self, entries: Iterable[Stamped]) -> list[Stamped]:
        """What a sweep leaves; an entry whose time is not known begins to live now."""
        dated = ((value, self.renewed(stamp) if stamp[self._at] is None else stamp) for value, stamp in entries)
        return [entry for entry in dated if self.is_live(entry[1])]

    @property
    def in_plan(self) -> dict[str, object]:
        """As the plan writes it."""
        said: dict[str, object] = {"ms": self.ms, "domain": self.domain}
        if self.by_reads:
            said["on-read"] = True
        return said


class ExpiringTable(Table[Any]):
    """A table whose entries expire."""

    __slots__ = ("lease",)

    def __init__(self, name: str, kind: Kind, columns: tuple[Column, ...], empty: Callable[[], Any], lease: Lease) -> None:
        super().__init__(name, kind, columns, empty)
        self.lease = lease

    @property
    def in_plan(self) -> dict[str, object]:
        return {**super().in_plan, "ttl": self.lease.in_plan}

    def stamped(self, slot: int) -> list[Stamped]:
        """The entries of a slot with their stamps."""
        raise NotImplementedError

    def put(self, slot: int, entries: list[Stamped]) -> None:
        """Makes these the entries of a slot."""
        raise NotImplementedError

    def sweep(self, slot: int) -> int | None:
        """Takes out what has expired; answers when the last of what is left does."""
        kept = self.lease.kept(self.stamped(slot))
        self.put(slot, kept)
        return max((end for _, stamp in kept if (end := self.lease.end(stamp)) is not None), default=None)


class ExpiringValueTable(ExpiringTable):
    """A value per slot, with its stamp."""

    __slots__ = ("_pair",)

    def __init__(self, name: str, spec: Spec[Any], lease: Lease) -> None:
        columns = (*spec.columns, *(Column(column.name, column.type) for column in _STAMPS))
        super().__init__(name, "value", columns, lambda: None, lease)
        self._pair = MaybeSpec(pair_of(spec, _STAMP))

    def stamped(self, slot: int) -> list[Stamped]:
        entry = self.entries[slot]
        return [] if entry is None else [entry]

    def put(self, slot: int, entries: list[Stamped]) -> None:
        self.entries[slot] = entries[0] if entries else None

    def export(self, entries: list[Any]) -> list[Sequence[Any]]:
        return self._pair.split(entries)

    def load(self, columns: list[list[Any]], rows: int) -> list[Any]:
        return self._pair.make(columns, rows)


class ExpiringListTable(ExpiringTable):
    """Records per slot, each with its stamp, in one bytes column that holds a block of them."""

    __slots__ = ("_bare", "_pair")

    def __init__(self, name: str, spec: Spec[Any], lease: Lease, kind: Kind = "list", empty: Callable[[], Any] = list) -> None:
        super().__init__(name, kind, LISTED, empty, lease)
        self._bare = spec
        self._pair = pair_of(spec, _STAMP)

    def stamped(self, slot: int) -> list[Stamped]:
        return list(self.entries[slot])

    def put(self, slot: int, entries: list[Stamped]) -> None:
        self.entries[slot][:] = entries

    def records(self, entry: Any) -> list[Stamped]:
        """The records of an entry, with their stamps."""
        return list(entry)

    def entry(self, records: list[Stamped]) -> Any:
        """The entry of records."""
        return records

    def export(self, entries: list[Any]) -> list[Sequence[Any]]:
        return [[self._pair.encode(0, [0] * len(entry), self.records(entry)) if entry else None for entry in entries]]

    def load(self, columns: list[list[Any]], rows: int) -> list[Any]:
        return [self.entry(self._read(data)) if data else self.empty() for data in columns[0]]

    def _read(self, data: bytes) -> list[Stamped]:
        """Records of a block with their stamps, which one of a time before the time-to-live does not have."""
        if Block(data).columns == len(self._bare.columns):
            return [(record, UNKNOWN) for record in self._bare.decode(data)]
        return self._pair.decode(data)


class ExpiringMapTable(ExpiringListTable):
    """Entries per slot, by their keys, each with its stamp."""

    __slots__ = ("_order",)

    def __init__(self, name: str, pair: Spec[Any], order: Any, lease: Lease) -> None:
        super().__init__(name, pair, lease, "map", dict)
        self._order = order

    def stamped(self, slot: int) -> list[Stamped]:
        return [((key, value), stamp) for key, (value, stamp) in self.entries[slot].items()]

    def put(self, slot: int, entries: list[Stamped]) -> None:
        self.entries[slot] = self.entry(entries)

    def records(self, entry: Any) -> list[Stamped]:
        return [((key, entry[key][0]), entry[key][1]) for key in sorted(entry, key=self._order)]

    def entry(self, records: list[Stamped]) -> Any:
        return {key: (value, stamp) for (key, value), stamp in records}
