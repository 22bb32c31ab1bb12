"""The operator that gives event time, with a generator of watermarks for each split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..block import Block
from ..record.spec import Spec
from ..watermark import WatermarkGenerator
from .call import Call
from .port import Port
from .stateless import TimestampsOperator


class GeneratedOperator(TimestampsOperator):
    """Gives each record an event time, and makes watermarks of what left it."""

    def __init__(
        self,
        id: int,
        out: Port,
        call: Call,
        spec: Spec[Any],
        f: Callable[..., Any],
        make: Callable[[], WatermarkGenerator[Any]],
    ) -> None:
        super().__init__(id, out, call, spec, f)
        self._make = make
        self._splits: dict[int, WatermarkGenerator[Any]] = {}

    def watermark(self, split: int, now: int, block: Block | None) -> int | None:
        generator = self._splits.get(split)
        if generator is None:
            generator = self._splits[split] = self._make()
        if block is None:
            return said(generator.on_periodic(now))
        greatest: int | None = None
        for row, (record, time) in enumerate(zip(self.spec.read(block), block.times)):
            try:
                watermark = said(generator.on_event(record, time))
            except BaseException as error:
                self.call.trap(self.id, row, error)
            if watermark is not None and (greatest is None or watermark > greatest):
                greatest = watermark
        return greatest

    def forget_splits(self) -> None:
        self._splits.clear()


def said(watermark: object) -> int | None:
    """A watermark that a generator gave.

    Raises:
        TypeError: it is none.
    """
    if watermark is None or (type(watermark) is int and -(1 << 63) <= watermark < 1 << 63):
        return watermark
    raise TypeError(f"a watermark is an int of milliseconds since 1970, or None, not {watermark!r}")
