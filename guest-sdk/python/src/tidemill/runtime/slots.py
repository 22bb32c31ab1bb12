"""State: per operator some tables indexed by slot, one table per declared piece.

A slot is one key's (or one key and window's) state. Reading and writing it costs an index; nothing is hashed and nothing
is encoded until the host asks for an export. What a refused record did to its slot is undone from what stood there
before, kept only where the job goes on after refused records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ..block import Block, BlockError, encode
from ..record.spec import MaybeSpec, Spec
from ..schema import Column, Schema, Type
from .outcome import TimerOp

if TYPE_CHECKING:
    from .expiring import Expiry

S = TypeVar("S")
Kind = Literal["value", "list", "map", "accumulator"]

CHANGED = 1
"""The record in flight changed its slot."""
CLEARED = 2
"""The record in flight perhaps emptied a piece of its slot."""

LISTED = (Column("block", Type.BYTES),)
"""The column of a list or a map: a block of its records."""


class Touched:
    """What the record in flight did to its slot."""

    __slots__ = ("expiry", "flags", "slot", "timers", "undo")

    def __init__(self) -> None:
        self.slot: int | None = None
        """The slot of the record in flight."""
        self.flags = 0
        self.undo: list[tuple[list[Any], int, Any]] | None = None
        """What stood where before each change of this record; ``None`` where nothing is undone."""
        self.timers: list[TimerOp] = []
        self.expiry: Expiry | None = None
        """What lives for a time, where anything does."""

    def astray(self, name: str) -> str:
        """What is wrong with using a piece of state while there is no slot."""
        return f"state {name!r} is that of one key: it can be used in on_record and on_timer only"

    def roll_back(self) -> None:
        """Undoes the changes of the record in flight."""
        for entries, slot, before in reversed(self.undo or ()):
            entries[slot] = before


class SharedTouched(Touched):
    """What the broadcast record in flight did to what all keys share."""

    __slots__ = ("reading",)

    def __init__(self) -> None:
        super().__init__()
        self.reading: int | None = None
        """The slot of what is shared, while a call is made: to read it. Only a broadcast record has it as its ``slot``."""

    def astray(self, name: str) -> str:
        return f"broadcast state {name!r} is changed in on_broadcast only"


class Table(Generic[S]):
    """One declared piece of state, for all slots; an empty entry is ``empty()``."""

    __slots__ = ("columns", "empty", "entries", "kind", "name")

    def __init__(self, name: str, kind: Kind, columns: tuple[Column, ...], empty: Callable[[], Any]) -> None:
        self.name = name
        self.kind: Kind = kind
        self.columns = columns
        self.empty = empty
        self.entries: list[Any] = []

    @property
    def in_plan(self) -> dict[str, object]:
        """How the plan declares it."""
        return {"name": self.name, "kind": self.kind, "schema": str(Schema(self.columns))}

    def reserve(self, slots: int) -> None:
        """Makes room for slots below this number."""
        missing = slots - len(self.entries)
        if missing > 0:
            self.entries.extend([self.empty() for _ in range(missing)])

    def is_empty(self, slot: int) -> bool:
        """Whether a slot holds nothing."""
        entry = self.entries[slot]
        return entry is None or (self.kind in ("list", "map") and len(entry) == 0)

    def clear(self, slot: int) -> None:
        """Empties a slot."""
        self.entries[slot] = self.empty()

    def export(self, entries: list[Any]) -> list[Sequence[Any]]:
        """The columns of these entries."""
        raise NotImplementedError

    def load(self, columns: list[list[Any]], rows: int) -> list[Any]:
        """The entries of columns."""
        raise NotImplementedError


class ValueTable(Table[S]):
    """A value per slot, or none."""

    __slots__ = ("spec",)

    def __init__(self, name: str, spec: Spec[S], kind: Kind = "value") -> None:
        super().__init__(name, kind, spec.columns, lambda: None)
        self.spec = spec

    def export(self, entries: list[Any]) -> list[Sequence[Any]]:
        return MaybeSpec(self.spec).split(entries)

    def load(self, columns: list[list[Any]], rows: int) -> list[Any]:
        return MaybeSpec(self.spec).make(columns, rows)


class BlocksTable(Table[S]):
    """Several records per slot, in one bytes column that holds a block of them."""

    __slots__ = ("spec",)

    def __init__(self, name: str, kind: Kind, spec: Spec[Any], empty: Callable[[], Any]) -> None:
        super().__init__(name, kind, LISTED, empty)
        self.spec = spec

    def records(self, entry: Any) -> list[Any]:
        """The records of an entry."""
        return list(entry)

    def entry(self, records: list[Any]) -> Any:
        """The entry of records."""
        return records

    def export(self, entries: list[Any]) -> list[Sequence[Any]]:
        blocks = [self.spec.encode(0, [0] * len(entry), self.records(entry)) if entry else None for entry in entries]
        return [blocks]

    def load(self, columns: list[list[Any]], rows: int) -> list[Any]:
        return [self.entry(self.spec.decode(block)) if block else self.empty() for block in columns[0]]


def buffer_table(name: str, spec: Spec[Any]) -> Table[list[Any]]:
    """The records of a window, or ``None``: a list that the plan declares as such."""
    return BlocksTable(name, "list", spec, lambda: None)


class Slots:
    """The state of one operator."""

    def __init__(self, tables: Sequence[Table[Any]]) -> None:
        self.tables = list(tables)
        self.touched = Touched()
        named = [Column(f"{t.name}.{column.name}", column.type, True) for t in tables for column in t.columns]
        self._schema = Schema(tuple(named))

    def reserve(self, slots: Sequence[int]) -> None:
        """Makes room for all of these slots."""
        if slots:
            room = max(slots) + 1
            for table in self.tables:
                table.reserve(room)

    def is_empty(self, slot: int) -> bool:
        """Whether a slot holds nothing."""
        return all(table.is_empty(slot) for table in self.tables)

    def drop(self, slots: Sequence[int]) -> None:
        """Empties slots."""
        self.reserve(slots)
        if self.touched.expiry is not None:
            self.touched.expiry.forget(slots)
        for table in self.tables:
            for slot in slots:
                table.clear(slot)

    def export(self, slots: Sequence[int]) -> bytes:
        """The state of slots as a block of the declared schema."""
        self.reserve(slots)
        columns: list[Sequence[Any]] = []
        for table in self.tables:
            columns.extend(table.export([table.entries[slot] for slot in slots]))
        cells = [(column.type, True) for column in self._schema.columns]
        return encode(self._schema.id, [0] * len(slots), cells, columns)

    def load(self, slots: Sequence[int], data: bytes) -> None:
        """Loads what :meth:`export` wrote, perhaps in another language.

        Raises:
            BlockError: the block is not one of this state.
        """
        block = Block(data)
        if block.rows != len(slots):
            raise BlockError(f"a block of {block.rows} rows does not fit {len(slots)} slots")
        block.check(self._schema.columns)
        columns = block.read(self._schema.columns)
        loaded, at = [], 0
        for table in self.tables:
            width = len(table.columns)
            loaded.append(table.load(columns[at : at + width], block.rows))
            at += width
        self.reserve(slots)
        for table, entries in zip(self.tables, loaded):
            for slot, entry in zip(slots, entries):
                table.entries[slot] = entry
