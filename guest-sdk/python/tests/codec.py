"""The SDK's codec as a program, for the test that holds the languages against the host: tests/conformance/tests/blocks.rs.

``echo IN OUT`` reads blocks, tells what they hold and writes them again; ``make SEED COUNT OUT`` makes random ones. Of each
block OUT gets the schema, the bytes and the rows as text, behind their lengths; IN has no text.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tidemill.block import Block, encode
from tidemill.schema import Column, Schema, Type

ALPHABETS = ("", 'abc ,"\n\0', "潮汐磨坊ü", "🌊🌀", "aü潮🌊\U0010ffff\ufeff")
NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**53, -(2**53) - 1, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308)


def parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def cell(kind: Type, value: Any) -> str:
    if value is None:
        return "-"
    if kind is Type.BOOL:
        return "t" if value else "f"
    if kind is Type.F64:
        return struct.pack(">d", value).hex()
    if kind is Type.STRING:
        return f'"{value.encode().hex()}'
    return f'"{value.hex()}' if kind is Type.BYTES else str(value)


def told(schema: Schema, times: Sequence[int], columns: Sequence[Sequence[Any]]) -> str:
    cells = [[cell(column.type, value) for value in values] for column, values in zip(schema.columns, columns)]
    return "".join(" ".join([str(time), *row]) + "\n" for time, row in zip(times, zip(*cells) if cells else [()] * len(times)))


def answer(schema: Schema, times: Sequence[int], columns: Sequence[Sequence[Any]]) -> bytes:
    block = encode(schema.id, times, [(column.type, column.optional) for column in schema.columns], columns)
    parts = (str(schema).encode(), block, told(schema, times, columns).encode())
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def echo(data: bytes) -> Iterator[bytes]:
    each = parts(data)
    for text, bytes_ in zip(each, each):
        schema, block = Schema.parse(text.decode()), Block(bytes_)
        block.check(schema.columns)
        yield answer(schema, block.times, block.read(schema.columns))


def value(draw: random.Random, kind: Type) -> Any:
    if kind is Type.BOOL:
        return draw.random() < 0.5
    if kind is Type.I32:
        return (
            draw.choice([n for n in NUMBERS if -(2**31) <= n < 2**31]) if draw.random() < 0.5 else draw.randrange(-(2**31), 2**31)
        )
    if kind is Type.I64:
        return draw.choice(NUMBERS) if draw.random() < 0.5 else draw.randrange(-(2**63), 2**63)
    if kind is Type.F64:
        return draw.choice(FLOATS) if draw.random() < 0.5 else struct.unpack("<d", draw.randbytes(8))[0]
    length = draw.randrange(12) if draw.random() < 0.98 else draw.randrange(5000)
    alphabet = draw.choice(ALPHABETS)
    return draw.randbytes(length) if kind is Type.BYTES else "".join(draw.choices(alphabet, k=length)) if alphabet else ""


def make(draw: random.Random) -> bytes:
    kinds = [(draw.choice(list(Type)), draw.random() < 0.5) for _ in range(draw.randrange(9))]
    schema = Schema(tuple(Column(f"c{i}", kind, optional) for i, (kind, optional) in enumerate(kinds)))
    rows = 0 if draw.random() < 0.05 else draw.randrange(1, 70)
    absent = [optional and draw.choice((0.2, 0.9)) for _, optional in kinds]
    columns = [
        [None if draw.random() < gap else value(draw, column.type) for _ in range(rows)]
        for column, gap in zip(schema.columns, absent)
    ]
    return answer(schema, [value(draw, Type.I64) for _ in range(rows)], columns)


def main(command: str, first: str, second: str, *rest: str) -> None:
    if command == "echo":
        Path(second).write_bytes(b"".join(echo(Path(first).read_bytes())))
    else:
        draw = random.Random(int(first))
        Path(*rest).write_bytes(b"".join(make(draw) for _ in range(int(second))))


main(*sys.argv[1:])
