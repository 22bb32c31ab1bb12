"""An instance: a job that was built, ready to be linked and called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..block import Block
from ..error import Error, JobError, described
from .call import Call, Host
from .chain import Head, Operator
from .deciding import Asked, Decision, TriggerEvent
from .outcome import Moment, Outcome

if TYPE_CHECKING:
    from ..job import Graph, Job


class Instance:
    """One instance of a job. The host calls it by the words of the contract; wrong calls, which a host does not make, raise."""

    def __init__(self, graph: Graph, call: Call) -> None:
        self.graph = graph
        self.call = call
        self._heads: dict[int, Head] = {}

    @staticmethod
    def plan(
        job: Callable[[Job], None],
        arguments: Sequence[tuple[str, str]],
        host: Host,
        at_end: Callable[[], None] = lambda: None,
    ) -> tuple[Instance, str]:
        """Builds the job and returns its plan document beside the instance. ``at_end`` is run while there still is a log.

        Raises:
            JobError: something is wrong with the job or its arguments.
        """
        from ..job import Job

        call = Call(host)
        builder = Job(arguments, call)
        with call.entered(planning=True):
            try:
                job(builder)
                document = builder.finish()
            except Exception as error:
                raise JobError(_told(error)) from error
            finally:
                at_end()
        return Instance(builder.graph, call), document

    def link(self, chain: int, members: Sequence[int]) -> None:
        """Puts a chain of operators together."""
        first, *rest = members
        for member in members:
            self._operator(member).undo = self.graph.nodes[member].on_error != "fail"
        down = None
        for member in reversed(rest):
            down = self._operator(member).stage(down)
            if down is None:
                raise AssertionError(f"operator {member} has state and cannot stand behind another in a chain")
        self._heads[chain] = self._operator(first).head(down)

    def process(self, chain: int, input: int, at: Moment, block: bytes, rows: Sequence[int], slots: Sequence[int]) -> Outcome:
        """Processes a block of records."""
        return self._run(at, lambda: self._heads[chain].process(input, at, Block(block), rows, slots))

    def apply(self, chain: int, input: int, at: Moment, block: bytes, keys: bytes, slots: Sequence[int]) -> Outcome:
        """Applies the one record of a block to keys, one per row of ``keys``."""
        return self._run(at, lambda: self._heads[chain].apply(input, at, Block(block), Block(keys), slots))

    def on_timer(self, chain: int, at: Moment, block: bytes, slots: Sequence[int]) -> Outcome:
        """Fires timers, one per row."""
        return self._run(at, lambda: self._heads[chain].on_timer(at, Block(block), slots))

    def fire(self, chain: int, at: Moment, block: bytes, offsets: Sequence[int], slots: Sequence[int]) -> Outcome:
        """Fires windows, one per row."""
        return self._run(at, lambda: self._heads[chain].fire(at, Block(block), offsets, slots))

    def _run(self, at: Moment, body: Callable[[], Outcome]) -> Outcome:
        self.call.now = at.now
        with self.call.entered():
            outcome = body()
            outcome.failures = self.call.take_failures()
            return outcome

    def merge(self, operator: int, targets: Sequence[int], sources: Sequence[int]) -> None:
        """Merges accumulators pairwise, in order."""
        with self.call.entered():
            self.call.operator = operator
            merger = self._operator(operator)
            for target, source in zip(targets, sources):
                merger.merge(target, source)

    def export_state(self, operator: int, slots: Sequence[int]) -> bytes:
        """Encodes the state of slots as a block; nothing for an operator without state."""
        with self.call.entered():
            self.call.operator = operator
            state = self._operator(operator).slots
            return b"" if state is None else state.export(slots)

    def import_state(self, operator: int, slots: Sequence[int], block: bytes) -> None:
        """Loads what :meth:`export_state` wrote into empty slots.

        Raises:
            ValueError: the block is not one of this state.
        """
        state = self._operator(operator).slots
        if state is not None:
            state.load(slots, block)

    def trigger(
        self,
        operator: int,
        event: TriggerEvent,
        at: Moment,
        windows: bytes,
        slots: Sequence[int],
        records: bytes,
        rows: Sequence[int],
    ) -> list[Decision]:
        """Asks the trigger of a window operator about windows, one per row; for records they are rows of a block."""
        with self.call.entered():
            self.call.operator = operator
            self.call.now = at.now
            asked = Asked(event, at, Block(windows), slots, Block(records) if records else None, rows)
            return self._operator(operator).trigger(asked)

    def watermark(self, operator: int, split: int, now: int, block: bytes) -> int | None:
        """Asks for the watermark of a split: behind a block of it, or by the clock where the block is empty."""
        with self.call.entered():
            self.call.operator = operator
            self.call.now = now
            return self._operator(operator).watermark(split, now, Block(block) if block else None)

    def purge(self, operator: int, slots: Sequence[int]) -> None:
        """Empties slots of what their windows have gathered; what a trigger keeps there stays."""
        self._operator(operator).purge(slots)

    def drop_state(self, operator: int, slots: Sequence[int]) -> None:
        """Empties slots."""
        state = self._operator(operator).slots
        if state is not None:
            state.drop(slots)

    def _operator(self, id: int) -> Operator:
        operator = self.graph.nodes[id].operator if id < len(self.graph.nodes) else None
        if operator is None:
            raise AssertionError(f"operator {id} is not one that this component computes")
        return operator


def _told(error: Exception) -> str:
    # What is wrong with a type or a value is said in the words of the SDK; the rest is a defect of the job.
    said = described(error)
    return said if isinstance(error, Error) else f"the function that builds the job raised {said}"
