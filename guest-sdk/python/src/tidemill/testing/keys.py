"""Where a key lives: its canonical encoding, its key group, and the worker that has the group."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

from .._xxh3 import xxh3_64
from ..schema import Column, Type

GROUPS = 256
"""The number of key groups of every job."""

_FIXED = {Type.I32: struct.Struct("<i"), Type.I64: struct.Struct("<q"), Type.F64: struct.Struct("<d")}
_NAN = bytes.fromhex("000000000000f87f")


def encoded_key(columns: Sequence[Column], values: Sequence[Any]) -> bytes:
    """The encoding of the values of a key's columns, the same in every language."""
    return b"".join(_encoded(column, value) for column, value in zip(columns, values))


def _encoded(column: Column, value: Any) -> bytes:
    if column.optional:
        return b"\0" if value is None else b"\1" + _encoded(Column(column.name, column.type), value)
    if column.type is Type.BOOL:
        return bytes([value])
    if column.type in _FIXED:
        if column.type is Type.F64 and math.isnan(value):
            return _NAN
        # Adding zero makes -0 a 0.
        return _FIXED[column.type].pack(value + 0)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return struct.pack("<I", len(data)) + data


def key_group(key: bytes) -> int:
    """The key group of an encoded key."""
    return xxh3_64(key) % GROUPS


def worker_of(key: bytes, parallelism: int) -> int:
    """The worker that an encoded key lives on."""
    return key_group(key) * parallelism // GROUPS
