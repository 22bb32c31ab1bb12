"""Broadcast state: what all keys share, fed by a stream of which every worker gets every record.

A :class:`BroadcastProcess` handles a stream, keyed or not, beside a broadcast one. Only records of the broadcast stream can change
what is shared: ``BroadcastCtx.change`` gives it to change, everywhere else it is there to read. So every worker comes to the same,
whatever its share of the data. In which order records of the two streams meet is not said::

    class Limited(BroadcastProcess[str, Payment, Limit, Payment]):
        \"\"\"Lets payments through that are not above the limit.\"\"\"

        limit: BroadcastValue[int]

        def on_record(self, ctx: Ctx[str, Payment], payment: Payment) -> None:
            limit = self.limit.get()
            if limit is None or payment.cents <= limit:
                ctx.emit(payment)

        def on_broadcast(self, ctx: BroadcastCtx[Payment], limit: Limit) -> None:
            ctx.change(self.limit).set(limit.cents)
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast, overload

from .process import Ctx, Function, TimerEvent
from .runtime.slots import SharedTouched, Table
from .state import MapState, Piece, Value

K = TypeVar("K")
In = TypeVar("In")
B = TypeVar("B")
Out = TypeVar("Out")
T = TypeVar("T")
V = TypeVar("V")
D = TypeVar("D")

__all__ = ["BroadcastCtx", "BroadcastMap", "BroadcastProcess", "BroadcastValue"]


class Shared:
    """What is declared to be shared by all keys."""

    __slots__ = ("_piece", "_touched")

    _piece: Any
    _touched: SharedTouched
    _kind: type[Piece]

    @classmethod
    def declared(cls, name: str, types: tuple[Any, ...], touched: SharedTouched) -> Any:
        """A piece of this name and types."""
        shared = cls.__new__(cls)
        shared._piece = cls._kind.declared(name, types, touched)
        shared._touched = touched
        return shared

    @property
    def table(self) -> Table[Any]:
        """What holds it."""
        return cast("Table[Any]", self._piece.table)

    def _entry(self) -> Any:
        slot = self._touched.reading
        if slot is None:
            name = self._piece.table.name
            raise RuntimeError(f"broadcast state {name!r} can be read while a record or a timer is handled only")
        return self._piece.table.entries[slot]

    def _read(self, value: Any, mutable: bool) -> Any:
        # What is inside of it must not be changed by who reads it.
        return copy.deepcopy(value) if mutable else value


class BroadcastValue(Shared, Generic[T]):
    """A value that all keys share."""

    __slots__ = ()
    _kind = Value

    @overload
    def get(self) -> T | None: ...
    @overload
    def get(self, default: D) -> T | D: ...
    def get(self, default: Any = None) -> Any:
        """The value, or ``default`` where there is none yet."""
        value = self._entry()
        return default if value is None else self._read(value, self._piece.spec.mutable)


class BroadcastMap(Shared, Mapping[T, V], Generic[T, V]):
    """A map that all keys share. It goes over its entries in the order of their keys."""

    __slots__ = ()
    _kind = MapState

    def __len__(self) -> int:
        return len(self._entry())

    def __iter__(self) -> Iterator[T]:
        return iter(sorted(self._entry(), key=self._piece.order))

    def __contains__(self, key: object) -> bool:
        return key in self._entry()

    def __getitem__(self, key: T) -> V:
        return cast("V", self._read(self._entry()[key], self._piece.mutable))

    def __repr__(self) -> str:
        return f"BroadcastMap({self._piece.table.name!r})"


class BroadcastCtx(Generic[Out]):
    """What a record of the broadcast stream sees."""

    __slots__ = ("_ctx",)

    def __init__(self, ctx: Ctx[Any, Out]) -> None:
        self._ctx = ctx

    @property
    def time(self) -> int:
        """The event time of the record, in milliseconds."""
        return self._ctx.time

    @property
    def watermark(self) -> int:
        """The watermark of the operator."""
        return self._ctx.watermark

    @property
    def now(self) -> int:
        """Processing time as the host hands it out, in milliseconds."""
        return self._ctx.now

    @overload
    def change(self, shared: BroadcastValue[T]) -> Value[T]: ...
    @overload
    def change(self, shared: BroadcastMap[T, V]) -> MapState[T, V]: ...
    def change(self, shared: Any) -> Any:
        """A piece of what is shared, to change until ``on_broadcast`` returns."""
        return shared._piece

    def emit(self, record: Out) -> None:
        """Emits a record, on every worker."""
        self._ctx.emit(record)


class BroadcastProcess(Function, Generic[K, In, B, Out]):
    """A function over a stream and a broadcast one: the types are those of the stream's key, its records, the broadcast
    records and what is emitted.

    The key is ``tuple[()]`` where the stream has none, and then there is no state but what is shared, and no timer. Where
    ``on_key`` is defined, every broadcast record is applied to every key.
    """

    def on_record(self, ctx: Ctx[K, Out], record: In, /) -> None:
        """Handles a record of the stream, which can read what is shared."""
        raise NotImplementedError

    def on_broadcast(self, ctx: BroadcastCtx[Out], record: B, /) -> None:
        """Handles a record of the broadcast stream, which can change what is shared.

        It runs on every worker, and what it emits is emitted by each.
        """
        raise NotImplementedError

    def on_key(self, ctx: Ctx[K, Out], record: B, /) -> None:
        """Applies a record of the broadcast stream to a key that has state or a timer, each key once.

        It follows ``on_broadcast``, unless that refused the record.
        """

    def on_timer(self, ctx: Ctx[K, Out], event: TimerEvent, /) -> None:
        """Handles a timer that is due."""

    @property
    def applies(self) -> bool:
        """Whether broadcast records are applied to every key."""
        return type(self).on_key is not BroadcastProcess.on_key
