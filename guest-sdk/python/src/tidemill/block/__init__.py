"""Blocks: some rows of one schema as columns in one buffer (``block.md`` of the contract).

Both ways go a column at a time: numbers move between buffer and list through ``array`` and ``memoryview``, texts are cut
out of one decoded heap. Nothing is called once a cell but what the cell's own object needs.
"""

from .layout import BYTES_MAX, ROWS_MAX, BlockError
from .reader import Block
from .writer import ColumnError, encode

__all__ = ["BYTES_MAX", "ROWS_MAX", "Block", "BlockError", "ColumnError", "encode"]
