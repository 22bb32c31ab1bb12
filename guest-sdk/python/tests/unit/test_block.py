"""Blocks and keys: the vectors of the contract, random blocks, and what a writer refuses."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from tidemill._xxh3 import xxh3_64
from tidemill.block import Block, BlockError, ColumnError, encode
from tidemill.schema import Column, Schema, Type
from tidemill.testing.keys import encoded_key, key_group, worker_of

VECTORS = Path(__file__).parents[2] / "wit" / "vectors"
BLOCKS = json.loads((VECTORS / "blocks.json").read_text())
KEYS = json.loads((VECTORS / "keys.json").read_text())["keys"]


def cell(column: Column, text: Any) -> Any:
    """A cell as the vectors write it."""
    if text is None or column.type in (Type.BOOL, Type.I32, Type.STRING):
        return text
    if column.type is Type.I64:
        return int(text)
    if column.type is Type.F64:
        return struct.unpack(">d", bytes.fromhex(text))[0]
    return bytes.fromhex(text)


def cells(schema: Schema) -> list[tuple[Type, bool]]:
    return [(column.type, column.optional) for column in schema.columns]


def bits(columns: list[list[Any]]) -> list[list[Any]]:
    """Columns in which numbers are told apart by their bits."""
    return [[struct.pack("<d", value) if isinstance(value, float) else value for value in column] for column in columns]


@pytest.mark.parametrize("vector", BLOCKS["good"], ids=lambda vector: vector["name"])
def test_good_blocks_are_written_and_read(vector: Any) -> None:
    schema = Schema.parse(vector["schema"])
    columns = [[cell(column, row[i]) for row in vector["rows"]] for i, column in enumerate(schema.columns)]
    times = [int(time) for time in vector["times"]]
    assert f"{schema.id:016x}" == vector["schema_id"]
    assert encode(schema.id, times, cells(schema), columns).hex() == vector["hex"]
    block = Block(bytes.fromhex(vector["hex"]))
    block.check(schema.columns)
    assert block.times == times
    assert bits(block.read(schema.columns)) == bits(columns)


@pytest.mark.parametrize("vector", BLOCKS["refused"], ids=lambda vector: vector["name"])
def test_broken_blocks_are_refused(vector: Any) -> None:
    with pytest.raises(BlockError) as refusal:
        Block(bytes.fromhex(vector["hex"])).check(Schema.parse(vector["schema"]).columns)
    assert vector["error"] in str(refusal.value)


@pytest.mark.parametrize("vector", KEYS, ids=lambda vector: f"{vector['schema']} {vector['row']}")
def test_keys_live_where_every_language_puts_them(vector: Any) -> None:
    schema = Schema.parse(vector["schema"])
    key = encoded_key(schema.columns, [cell(column, text) for column, text in zip(schema.columns, vector["row"])])
    assert key.hex() == vector["key"]
    assert f"{xxh3_64(key):016x}" == vector["hash"]
    assert key_group(key) == vector["group"]
    assert [worker_of(key, parallelism) for parallelism in (2, 3, 4)] == vector["workers"]


@given(st.binary(max_size=3000))
def test_the_hash_is_that_of_the_library(data: bytes) -> None:
    assert xxh3_64(data) == xxhash.xxh3_64_intdigest(data)


@pytest.mark.parametrize("length", [*range(0, 260), 1023, 1024, 1025, 1088, 1089, 2048, 100_000])
def test_the_hash_is_that_of_the_library_at_every_length_class(length: int) -> None:
    data = bytes((i * i + length) % 256 for i in range(length))
    assert xxh3_64(data) == xxhash.xxh3_64_intdigest(data)


VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.BOOL: st.booleans(),
    Type.I32: st.integers(-(1 << 31), (1 << 31) - 1),
    Type.I64: st.integers(-(1 << 63), (1 << 63) - 1),
    Type.F64: st.floats(width=64),
    Type.STRING: st.text(st.characters(exclude_categories=["Cs"])),
    Type.BYTES: st.binary(),
}


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Schema, list[int], list[list[Any]]]:
    kinds = draw(st.lists(st.tuples(st.sampled_from(Type), st.booleans()), max_size=6))
    schema = Schema(tuple(Column(f"c{i}", kind, optional) for i, (kind, optional) in enumerate(kinds)))
    rows = draw(st.integers(0, 20))
    times = draw(st.lists(VALUES[Type.I64], min_size=rows, max_size=rows))
    columns = []
    for kind, optional in kinds:
        value = st.none() | VALUES[kind] if optional else VALUES[kind]
        columns.append(draw(st.lists(value, min_size=rows, max_size=rows)))
    return schema, times, columns


@given(blocks())
def test_random_blocks_come_back_as_they_were(made: tuple[Schema, list[int], list[list[Any]]]) -> None:
    schema, times, columns = made
    data = encode(schema.id, times, cells(schema), columns)
    assert len(data) % 8 == 0
    block = Block(data)
    block.check(schema.columns)
    assert block.times == times
    assert bits(block.read(schema.columns)) == bits(columns)


@given(blocks(), st.data())
def test_a_block_with_another_byte_is_refused_or_another_block(
    made: tuple[Schema, list[int], list[list[Any]]], data: st.DataObject
) -> None:
    schema, times, columns = made
    block = bytearray(encode(schema.id, times, cells(schema), columns))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= data.draw(st.integers(1, 255))
    try:
        changed = Block(bytes(block))
        changed.check(schema.columns)
    except BlockError:
        return
    again = encode(changed.schema_id, changed.times, cells(schema), changed.read(schema.columns))
    assert again == block, "what passes is a block, byte for byte"


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [
        (Type.I64, "x", "str 'x' is no i64"),
        (Type.I64, 1.5, "float 1.5 is no i64"),
        (Type.I64, None, "None is no i64"),
        (Type.I64, 1 << 63, "9223372036854775808 does not fit i64"),
        (Type.I32, 1 << 31, "2147483648 does not fit i32"),
        (Type.BOOL, 2, "int 2 is no bool"),
        (Type.F64, "1", "str '1' is no f64"),
        (Type.STRING, b"x", "bytes b'x' is no string"),
        (Type.STRING, "\ud800", "half of a surrogate pair"),
        (Type.BYTES, "x", "str 'x' is no bytes"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_row(kind: Type, value: Any, what: str) -> None:
    good = {Type.STRING: "", Type.BYTES: b"", Type.BOOL: True}.get(kind, 0)
    with pytest.raises(ColumnError) as misfit:
        encode(0, [0, 0], [(kind, False)], [[good, value]])
    assert (misfit.value.column, misfit.value.row) == (0, 1)
    assert what in misfit.value.what


def test_more_rows_than_a_block_may_have_are_refused() -> None:
    with pytest.raises(BlockError, match="1048577 rows are more"):
        encode(0, [0] * ((1 << 20) + 1), [], [])
