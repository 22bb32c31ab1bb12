"""Lines of text as records and back, so that a test can run an example's own input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from ..plan import Format, Output
from ..schema import Column, Schema, Type
from .rows import Row


def parsed(line: str, source: dict[str, Any], outputs: Sequence[Output]) -> tuple[int | None, list[tuple[str, Row]]]:
    """The event time of a line and the rows it gives, by port."""
    time = source.get("time")
    if source["format"] == "text":
        return None, [(outputs[0].name, Row(0, (line,)))]
    if source["format"] == "csv":
        schema = outputs[0].schema
        (cells,) = csv.reader([line])
        values = tuple(_from_text(cell, column) for column, cell in zip(schema.columns, cells))
        return None if time is None else values[schema.index(time)], [(outputs[0].name, Row(0, values))]
    try:
        said = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{line!r} is no JSON: {error}") from None
    tag = said.get(source["tag"]) if "tag" in source else None
    rows = [
        (output.name, Row(0, tuple(_from_json(said.get(column.name), column) for column in output.schema.columns)))
        for output in outputs
        if output.variant == tag
    ]
    return None if time is None else said.get(time), rows


def _from_json(value: Any, column: Column) -> Any:
    fits: dict[Type, Any] = {
        Type.BOOL: (bool,),
        Type.I32: (int,),
        Type.I64: (int,),
        Type.F64: (float, int),
        Type.STRING: (str,),
        Type.BYTES: (str,),
    }
    if isinstance(value, fits[column.type]) and isinstance(value, bool) == (column.type is Type.BOOL):
        if column.type is Type.BYTES:
            return value.encode()
        return float(value) if column.type is Type.F64 else value
    return _absent(column, json.dumps(value))


def _from_text(cell: str, column: Column) -> Any:
    if column.type is Type.STRING:
        return cell
    if column.type is Type.BYTES:
        return cell.encode()
    try:
        if column.type is Type.BOOL:
            return {"true": True, "false": False}[cell]
        return float(cell) if column.type is Type.F64 else int(cell)
    except (ValueError, KeyError):
        return _absent(column, cell)


def _absent(column: Column, text: str) -> None:
    if not column.optional:
        raise ValueError(f"field {column.name!r} cannot be {text}: it is {column.type.label}")


def written(row: Row, schema: Schema, format: Format) -> str:
    """A row as a line without its end."""
    shown = [(column, value) for column, value in zip(schema.columns, row.values) if not column.name.startswith("$")]
    if format == "json":
        return json.dumps({column.name: _text_of(value) for column, value in shown}, separators=(",", ":"), ensure_ascii=False)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_csv_of(value) for _, value in shown])
    return line.getvalue()


def _text_of(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _csv_of(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else _text_of(value)
