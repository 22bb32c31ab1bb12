"""Schemas: the names and types of a record's columns, as the plan and blocks write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from ._xxh3 import xxh3_64


class Type(IntEnum):
    """The type of a column; the number is its code in a block's column table."""

    BOOL = 1
    I32 = 2
    I64 = 3
    F64 = 4
    STRING = 5
    BYTES = 6

    @property
    def label(self) -> str:
        """The name used in a schema's text."""
        return self.name.lower()


@dataclass(frozen=True)
class Column:
    """One column of a schema."""

    name: str
    """Its name; names that begin with ``$`` belong to columns that the SDK adds behind a record."""
    type: Type
    """The type of every present value."""
    optional: bool = False
    """Whether a value may be absent."""

    def __str__(self) -> str:
        return f"{self.name}:{self.type.label}{'?' if self.optional else ''}"


@dataclass(frozen=True)
class Schema:
    """The columns of a block, in order. The event time is not one of them: every block has it."""

    columns: tuple[Column, ...] = ()
    _ids: list[int] = field(default_factory=list, compare=False, repr=False)

    @staticmethod
    def parse(text: str) -> Schema:
        """The schema of a text such as ``sensor:string,celsius:f64?``."""
        columns = []
        for part in text.split(",") if text else []:
            name, _, label = part.rpartition(":")
            kind = Type[label.removesuffix("?").upper()]
            columns.append(Column(name, kind, label.endswith("?")))
        return Schema(tuple(columns))

    def __str__(self) -> str:
        return ",".join(map(str, self.columns))

    def __add__(self, columns: Iterable[Column]) -> Schema:
        """This schema with other columns behind it."""
        return Schema((*self.columns, *columns))

    @property
    def id(self) -> int:
        """XXH3-64 of the text form: equal schemas have equal ids in every language."""
        if not self._ids:
            self._ids.append(xxh3_64(str(self).encode()))
        return self._ids[0]

    def index(self, name: str) -> int:
        """The index of the column of this name.

        Raises:
            KeyError: there is none.
        """
        for index, column in enumerate(self.columns):
            if column.name == name:
                return index
        raise KeyError(f"there is no column {name!r} in {self}")
