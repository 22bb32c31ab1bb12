"""Generators of watermarks: asked by the kit's clock in a job, and under test alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..runtime.generator import said
from ..watermark import Generated
from .joins import LEAST

if TYPE_CHECKING:
    from .engine import Engine

T = TypeVar("T")

SPLIT = 0
"""The kit's sources have one split."""


class Clock:
    """Says when the generators of a job are due. The clock begins at 0."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: dict[int, int] = {}

    def ask(self) -> None:
        """Asks those that are due."""
        engine = self._engine
        for id, node in enumerate(engine.nodes):
            watermarks: Any = node.details if node.kind_name == "timestamps" else None
            every = watermarks.get("guest", {}).get("every-ms") if isinstance(watermarks, dict) else None
            if every is None or engine.now - self._asked.get(id, 0) < every:
                continue
            self._asked[id] = engine.now
            watermark = engine.instance.watermark(id, SPLIT, engine.now, b"")
            if watermark is not None:
                engine.watermark(id, watermark)


class WatermarkTest(Generic[T]):
    """A generator of watermarks under test, of one split. The clock stands at 0 unless the test moves it."""

    def __init__(self, watermarks: Generated[T]) -> None:
        self._generator = watermarks.make()
        self._every = watermarks.every_ms
        self._asked = 0
        self._watermark = LEAST

    def push(self, record: T, time: int) -> None:
        """Shows the generator a record with its event time."""
        self._hear(self._generator.on_event(record, time))

    def set_processing_time(self, now: int) -> None:
        """Sets the processing time, and asks the generator where that is due."""
        if self._every is not None and now - self._asked >= self._every:
            self._asked = now
            self._hear(self._generator.on_periodic(now))

    def _hear(self, watermark: int | None) -> None:
        heard = said(watermark)
        self._watermark = self._watermark if heard is None else max(self._watermark, heard)

    @property
    def watermark(self) -> int | None:
        """The watermark; ``None`` before the first."""
        return None if self._watermark == LEAST else self._watermark
