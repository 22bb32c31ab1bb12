"""A stream beside a broadcast one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..broadcast import BroadcastProcess
from ..error import JobError
from ..process import types_of
from .hints import checked
from .stream import Stream

if TYPE_CHECKING:
    from .keyed import KeyedStream, Processed

K = TypeVar("K")
T = TypeVar("T")
B = TypeVar("B")
Out = TypeVar("Out")


class WithBroadcast(Generic[K, T, B]):
    """A stream and a broadcast one, about to be handled by one ``BroadcastProcess``."""

    def __init__(self, data: KeyedStream[K, T], broadcast: Stream[B]) -> None:
        if not isinstance(broadcast, Stream):
            raise JobError(f"connect_broadcast takes a stream without a key, not {broadcast!r}")
        self._data = data
        self._broadcast = broadcast

    def process(self, name: str, function: BroadcastProcess[K, T, B, Out]) -> Processed[Out]:
        """Handles both streams."""
        from .keyed import add_process, same_records

        key, record, shared, out = types_of(function, BroadcastProcess)
        self._data._check(name, key, record)
        same_records(name, checked(name, shared), self._broadcast._spec)
        return add_process(name, [self._data], function, ["on_record"], out, self._broadcast, function.applies)
