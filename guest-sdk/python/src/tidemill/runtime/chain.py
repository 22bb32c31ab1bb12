"""Chains: operators put together once, when the host links them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ..block import Block
from .outcome import Moment, Outcome
from .port import Port, Push

if TYPE_CHECKING:
    from .deciding import Asked, Decision
    from .slots import Slots


class Head(Protocol):
    """The first operator of a chain, which takes blocks."""

    def process(self, input: int, at: Moment, block: Block, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        """Processes records; entry ``i`` of ``slots`` belongs to row ``rows[i]``, or to row ``i``."""
        ...

    def on_timer(self, at: Moment, block: Block, slots: Sequence[int]) -> Outcome:
        """Fires timers."""
        ...

    def fire(self, at: Moment, block: Block, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        """Fires windows."""
        ...

    def apply(self, input: int, at: Moment, record: Block, keys: Block, slots: Sequence[int]) -> Outcome:
        """Applies the one record of a block to keys, one per row of ``keys``."""
        ...


class Operator:
    """An operator that the component computes, as the job's builder leaves it."""

    def __init__(self, id: int, out: Port, slots: Slots | None = None) -> None:
        self.id = id
        self.slots = slots
        """Its state, if it can have any."""
        self.out = out
        self.undo = False
        """Whether the job goes on after a record that this operator refuses."""

    def stage(self, down: Push | None) -> Push | None:
        """A push into the operator, which passes on to ``down`` or its own output; ``None`` for operators with state."""
        return None

    def head(self, down: Push | None) -> Head:
        """The operator as the first of a chain."""
        raise NotImplementedError

    def merge(self, target: int, source: int) -> None:
        """Merges one slot's state into another's."""
        raise AssertionError(f"the host merges accumulators of operator {self.id}, which is no window")

    def trigger(self, asked: Asked) -> list[Decision]:
        """Asks the operator's trigger about windows."""
        raise AssertionError(f"the host asks for a trigger of operator {self.id}, which has none of its own")

    def watermark(self, split: int, now: int, block: Block | None) -> int | None:
        """The watermark of a split: behind a block that left the operator, or by the clock."""
        raise AssertionError(f"the host asks for a watermark of operator {self.id}, which makes none of its own")

    def forget_splits(self) -> None:
        """Lets generators of watermarks begin anew, as in a fresh instance."""

    def purge(self, slots: Sequence[int]) -> None:
        """Empties slots of what their windows have gathered."""
        raise AssertionError(f"the host purges windows of operator {self.id}, which has none")
