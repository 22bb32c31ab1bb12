"""What readers and writers of blocks share: sizes, codes and byte order."""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Literal

from ..schema import Type

MAGIC = b"TBLK"
VERSION = 1
ROWS_MAX = 1 << 20
"""Rows of one block at most, by the contract."""
BYTES_MAX = 64 << 20
"""Bytes of one block at most, by the contract."""
COLUMNS_MAX = 1024
"""Columns of one block at most, by the contract."""

HEADER = struct.Struct("<4sHHIIQQ")
ENTRY = struct.Struct("<BBHIII")

Code = Literal["i", "q", "d", "I"]

ARRAY_CODES: dict[Type, Code] = {Type.I32: "i", Type.I64: "q", Type.F64: "d"}
"""The typecode of ``array`` and ``memoryview`` for each number; the sizes are asserted below."""
OFFSETS: Code = "I"
TIMES: Code = "q"

SWAPPED = sys.byteorder == "big"
"""Blocks are little-endian whatever the machine is."""

WIDTHS = {Type.BOOL: 1, Type.I32: 4, Type.I64: 8, Type.F64: 8}

assert [array(code).itemsize for code in "iqdI"] == [4, 8, 8, 4], "a platform with other sizes of C types"


class BlockError(ValueError):
    """The bytes are no block of version 1, or not one of the schema."""


def pad8(n: int) -> int:
    """The next multiple of 8."""
    return n + -n % 8
