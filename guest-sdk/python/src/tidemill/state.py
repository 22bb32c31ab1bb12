"""State of process functions: a value, a list or a map per key.

A piece is declared by an annotation in the class of the function and used through ``self``; it always means the state of
the key whose record or timer is in hand::

    class Visits(Process[str, Visit, UserCount]):
        count: Value[int]

        def on_record(self, ctx: Ctx[str, UserCount], visit: Visit) -> None:
            self.count.set(self.count.get(0) + 1)
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, MutableMapping, MutableSequence
from typing import Any, Generic, TypeVar, cast, overload

from .record.spec import Misfit, ScalarSpec, Spec, TupleSpec, pair_of, spec_of
from .runtime.slots import CHANGED, CLEARED, BlocksTable, Table, Touched, ValueTable
from .schema import Type

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

__all__ = ["ListState", "MapState", "Value"]


class Piece:
    """What all three kinds have: a table and what the record in flight did."""

    __slots__ = ("_entries", "_name", "_table", "_touched")

    _table: Table[Any]
    _touched: Touched
    _entries: list[Any]
    _name: str

    @classmethod
    def declared(cls, name: str, types: tuple[Any, ...], touched: Touched) -> Any:
        """A piece of this name and types."""
        return cls.__new__(cls)._begun(name, types, touched)

    def _begun(self, name: str, types: tuple[Any, ...], touched: Touched) -> Piece:
        self._name = name
        self._touched = touched
        self._table = self._make(name, types)
        self._entries = self._table.entries
        return self

    @property
    def table(self) -> Table[Any]:
        """What holds it for all keys."""
        return self._table

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        raise NotImplementedError

    def _slot(self) -> int:
        slot = self._touched.slot
        if slot is None:
            raise RuntimeError(self._touched.astray(self._name))
        return slot


class Value(Piece, Generic[T]):
    """A value per key."""

    __slots__ = ("_spec",)

    _spec: Spec[T]

    @property
    def spec(self) -> Spec[T]:
        """What it holds."""
        return self._spec

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        # The SDK's own functions know the spec of records whose type has no name.
        self._spec = types[0] if isinstance(types[0], Spec) else spec_of(types[0])
        return ValueTable(name, self._spec)

    def _changing(self, flags: int) -> int:
        touched = self._touched
        slot = touched.slot
        if slot is None:
            slot = self._slot()
        touched.flags |= flags
        if touched.undo is not None:
            entry = self._entries[slot]
            touched.undo.append((self._entries, slot, copy.deepcopy(entry) if self._spec.mutable else entry))
        return slot

    @overload
    def get(self) -> T | None: ...
    @overload
    def get(self, default: D) -> T | D: ...
    def get(self, default: Any = None) -> Any:
        """The value, or ``default`` where there is none yet."""
        slot = self._touched.slot
        if slot is None:
            slot = self._slot()
        value = self._entries[slot]
        if value is None:
            return default
        if self._spec.mutable:
            # What is inside of it may be changed from here on, and nobody would tell.
            self._changing(CHANGED)
        return value

    def set(self, value: T) -> None:
        """Replaces the value."""
        if value is None:
            return self.clear()
        if not self._spec.accepts(value):
            raise Misfit(f"state {self._name!r} holds {self._spec.shown}, not {value!r}")
        self._entries[self._changing(CHANGED)] = value

    def take(self) -> T | None:
        """Removes the value and returns it."""
        slot = self._slot()
        value = self._entries[slot]
        if value is not None:
            self._changing(CHANGED | CLEARED)
            self._entries[slot] = None
        return cast("T | None", value)

    def clear(self) -> None:
        """Removes the value."""
        self.take()


class _Several(Piece):
    """A list or a map: changed in place, so that a copy is made before the first change of a record that may be undone."""

    __slots__ = ("_mutable", "_saved")

    _mutable: bool
    _saved: list[Any] | None

    @property
    def mutable(self) -> bool:
        """Whether what it holds can be changed."""
        return self._mutable

    def _reading(self) -> Any:
        slot = self._touched.slot
        if slot is None:
            slot = self._slot()
        return self._changing(CHANGED | CLEARED) if self._mutable else self._entries[slot]

    def _changing(self, flags: int) -> Any:
        slot = self._slot()
        touched = self._touched
        touched.flags |= flags
        entry = self._entries[slot]
        if touched.undo is not None and not any(entries is self._entries for entries, _, _ in touched.undo):
            touched.undo.append((self._entries, slot, copy.deepcopy(entry) if self._mutable else entry.copy()))
        return entry

    def clear(self) -> None:
        """Removes everything."""
        if len(self._entries[self._slot()]):
            self._changing(CHANGED | CLEARED).clear()


class ListState(_Several, MutableSequence[T]):
    """A list of records per key, in the order they were appended.

    The whole list is loaded and saved with its key: it is meant for tens or hundreds of records, not for a log.
    """

    __slots__ = ()

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        spec = spec_of(types[0])
        self._mutable = spec.mutable
        return BlocksTable(name, "list", spec, list)

    def __len__(self) -> int:
        return len(self._entries[self._slot()])

    def __iter__(self) -> Iterator[T]:
        return iter(self._reading())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._reading()[index]

    @overload
    def __setitem__(self, index: int, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        self._changing(CHANGED | CLEARED)[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._changing(CHANGED | CLEARED)[index]

    def insert(self, index: int, value: T) -> None:
        """Inserts a record."""
        self._changing(CHANGED).insert(index, value)

    def append(self, value: T) -> None:
        """Adds a record at the end."""
        self._changing(CHANGED).append(value)

    def extend(self, values: Iterable[T]) -> None:
        """Adds records at the end."""
        self._changing(CHANGED).extend(list(values))

    def set(self, values: Iterable[T]) -> None:
        """Replaces the list."""
        self._changing(CHANGED | CLEARED)[:] = list(values)

    def take(self) -> list[T]:
        """Empties the list and returns what it held."""
        taken = list(self._entries[self._slot()])
        self.clear()
        return taken

    def clear(self) -> None:
        """Empties the list."""
        _Several.clear(self)

    def __repr__(self) -> str:
        return f"ListState({self._name!r})"


class MapState(_Several, MutableMapping[K, V]):
    """A map per key of the stream.

    It goes over its entries in the order of their keys, so that a job does the same every time.

    The whole map is loaded and saved with the stream's key: it is meant for tens or hundreds of entries.
    """

    __slots__ = ("_order",)

    _order: Any

    @property
    def order(self) -> Any:
        """What its keys are sorted by."""
        return self._order

    def _make(self, name: str, types: tuple[Any, ...]) -> Table[Any]:
        key, value = key_spec_of(types[0]), spec_of(types[1])
        self._mutable = value.mutable
        self._order = order_of(key)
        return _MapTable(name, pair_of(key, value), self._order)

    def __len__(self) -> int:
        return len(self._entries[self._slot()])

    def __iter__(self) -> Iterator[K]:
        return iter(sorted(self._reading(), key=self._order))

    def __contains__(self, key: object) -> bool:
        return key in self._entries[self._slot()]

    def __getitem__(self, key: K) -> V:
        return cast("V", self._reading()[key])

    def __setitem__(self, key: K, value: V) -> None:
        self._changing(CHANGED)[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self._entries[self._slot()]:
            raise KeyError(key)
        del self._changing(CHANGED | CLEARED)[key]

    def take(self) -> dict[K, V]:
        """Empties the map and returns what it held, in the order of the keys."""
        taken = {key: self._reading()[key] for key in self}
        self.clear()
        return taken

    def clear(self) -> None:
        """Removes all entries."""
        _Several.clear(self)

    def __repr__(self) -> str:
        return f"MapState({self._name!r})"


class _MapTable(BlocksTable[Any]):
    __slots__ = ("_order",)

    def __init__(self, name: str, spec: Spec[Any], order: Any) -> None:
        super().__init__(name, "map", spec, dict)
        self._order = order

    def records(self, entry: Any) -> list[Any]:
        return [(key, entry[key]) for key in sorted(entry, key=self._order)]

    def entry(self, records: list[Any]) -> Any:
        return dict(records)


def key_spec_of(python: Any) -> Spec[Any]:
    """The spec of a key.

    Raises:
        Misfit: the type cannot be a key.
    """
    spec = spec_of(python)
    parts = spec.parts if isinstance(spec, TupleSpec) else (spec,)
    plain = all(isinstance(part, ScalarSpec) for part in parts)
    wrong = len(parts) > 4 or any(column.type is Type.F64 for column in spec.columns) or spec.mutable or not plain
    if wrong:
        raise Misfit(
            f"{spec.shown} cannot be a key: keys are bool, int, I32, str, bytes, an optional of one of these,"
            " or a tuple of up to four of them; float is none: round it to an int"
        )
    return spec


def order_of(spec: Spec[Any]) -> Any:
    """The function to sort keys by: absent before present; ``None`` where the keys' own order is right."""
    if not any(column.optional for column in spec.columns):
        return None
    if hasattr(spec, "parts"):
        return lambda key: [(part is not None, part) for part in key]
    return lambda key: (key is not None, key)
