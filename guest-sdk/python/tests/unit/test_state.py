"""State: what its handles do, what a refused record leaves of it, and the bytes it is exported as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import AT, block, instance

from tidemill import (
    I32,
    Ctx,
    EventTimer,
    Job,
    Json,
    ListState,
    MapState,
    Process,
    Refusal,
    SideOutput,
    Value,
    record,
)
from tidemill.block import Block, encode
from tidemill.schema import Schema, Type
from tidemill.testing import ProcessTest


@record
class Seen:
    last: int
    note: str | None


class Held(Process[int, int, str]):
    """Runs a function over state that a record has been put into."""

    value: Value[int]
    seen: Value[Seen]
    json: Value[Json[dict[str, int]]]
    listed: ListState[int]
    mapped: MapState[str, int]
    timer: EventTimer
    side: SideOutput[int]

    def __init__(self, *runs: Callable[[Held], Any]) -> None:
        self.runs = list(runs)

    def on_record(self, ctx: Ctx[int, str], number: int) -> None:
        ctx.emit(repr(self.runs[number](self)))


def results(*runs: Callable[[Held], Any]) -> list[str]:
    """What the functions give, one after the other, over the state of one key."""
    test = ProcessTest(Held(*runs))
    for number in range(len(runs)):
        test.push(1, number, number)
        test.restart()
    return [text for text, _ in test.output()]


def test_a_value_is_set_taken_and_cleared() -> None:
    assert results(
        lambda held: (held.value.get(), held.value.get(7), held.value.take()),
        lambda held: held.value.set(5),
        lambda held: (held.value.get(), held.value.get(7)),
        lambda held: held.value.take(),
        lambda held: held.value.get(),
        lambda held: (held.value.set(0), held.value.get(3)),
        lambda held: (held.value.clear(), held.value.get(3)),
    ) == ["(None, 7, None)", "None", "(5, 5)", "5", "None", "(None, 0)", "(None, 3)"]


def test_a_list_is_a_mutable_sequence() -> None:
    assert results(
        lambda held: (len(held.listed), list(held.listed), bool(held.listed)),
        lambda held: (held.listed.append(1), held.listed.extend([2, 3]), list(held.listed)),
        lambda held: (held.listed[0], held.listed[-1], held.listed[1:], 2 in held.listed, held.listed.index(3)),
        lambda held: (held.listed.__setitem__(0, 9), held.listed.insert(1, 8), list(held.listed)),
        lambda held: (held.listed.pop(), held.listed.remove(8), list(held.listed)),
        lambda held: (held.listed.sort if hasattr(held.listed, "sort") else None, held.listed.reverse(), list(held.listed)),
        lambda held: (held.listed.set(n for n in (4, 5)), held.listed.take(), list(held.listed)),
        lambda held: (held.listed.append(1), held.listed.__delitem__(0), len(held.listed)),
    ) == [
        "(0, [], False)",
        "(None, None, [1, 2, 3])",
        "(1, 3, [2, 3], True, 2)",
        "(None, None, [9, 8, 2, 3])",
        "(3, None, [9, 2])",
        "(None, None, [2, 9])",
        "(None, [4, 5], [])",
        "(None, None, 0)",
    ]


def test_a_map_is_a_mutable_mapping_in_the_order_of_its_keys() -> None:
    assert results(
        lambda held: (len(held.mapped), dict(held.mapped), held.mapped.get("a", 3)),
        lambda held: held.mapped.update({"b": 2, "a": 1, "ü": 4, "z": 3}),
        lambda held: (list(held.mapped), list(held.mapped.items()), "a" in held.mapped, held.mapped["b"]),
        lambda held: (held.mapped.pop("b"), held.mapped.pop("b", None), held.mapped.setdefault("c", 9)),
        lambda held: (held.mapped.take(), dict(held.mapped)),
        lambda held: (held.mapped.__setitem__("x", 1), held.mapped.clear(), len(held.mapped)),
    ) == [
        "(0, {}, 3)",
        "None",
        "(['a', 'b', 'z', 'ü'], [('a', 1), ('b', 2), ('z', 3), ('ü', 4)], True, 2)",
        "(2, None, 9)",
        "({'a': 1, 'c': 9, 'z': 3, 'ü': 4}, {})",
        "(None, None, 0)",
    ]
    with pytest.raises(KeyError):
        results(lambda held: held.mapped["gone"])
    with pytest.raises(KeyError):
        results(lambda held: held.mapped.__delitem__("gone"))


def test_json_that_was_changed_in_place_is_kept() -> None:
    def add(held: Held) -> None:
        counts = held.json.get({})
        counts["n"] = counts.get("n", 0) + 1
        held.json.set(counts)

    def add_in_place(held: Held) -> None:
        counts = held.json.get()
        assert counts is not None
        counts["n"] += 1

    assert results(add, add_in_place, add_in_place, lambda held: held.json.get())[-1] == "{'n': 3}"


def test_values_of_another_type_are_refused_where_they_are_set() -> None:
    for run, said in [
        (lambda held: held.value.set("x"), "state 'value' holds `int`, not 'x'"),
        (lambda held: held.seen.set((1, None)), "state 'seen' holds `Seen`, not (1, None)"),
        (lambda held: setattr(held, "value", 5), "'value' is declared: what it holds is changed by its methods"),
    ]:
        with pytest.raises((TypeError, AttributeError)) as refusal:
            results(run)
        assert said in str(refusal.value)


def test_state_is_used_for_a_key_in_hand_only() -> None:
    kept: list[Held] = []
    results(kept.append)
    (held,) = kept
    for use, said in [
        (held.value.get, "state 'value' is that of one key"),
        (lambda: held.value.set(1), "state 'value' is that of one key"),
        (lambda: len(held.listed), "state 'listed' is that of one key"),
        (lambda: held.mapped.get("a"), "state 'mapped' is that of one key"),
        (lambda: held.timer.add(1), "timer 'timer' is that of one key"),
        (lambda: held.side.emit(1), "side output 'side' takes records in on_record"),
    ]:
        with pytest.raises(RuntimeError) as refusal:
            use()
        assert said in str(refusal.value)


def test_a_time_that_is_none_is_refused() -> None:
    for time in (1.5, "x", None, 1 << 63):
        with pytest.raises(TypeError, match="a time is an int of milliseconds"):
            results(lambda held, time=time: held.timer.add(time))  # type: ignore[misc]


def test_one_function_may_serve_two_operators() -> None:
    held = Held(lambda held: held.value.set(held.value.get(0) + 1), lambda held: held.value.get())

    def job(job: Job) -> None:
        keyed = job.source("n", int).key_by_fn("key", lambda n: 0, out=int)
        keyed.process("a", held).sink("x")
        keyed.process("b", held).sink("y")

    both, heard = instance(job)
    rows = block(tuple[int, int], [(0, 0), (1, 0)])
    for operator in (2, 4):
        both.link(operator, [operator])
        both.process(operator, 0, AT, rows, [], [0, 0])
        assert heard.take(str) == [("None", 100), ("1", 101)]


class Undone(Process[int, int, int]):
    """Does anything to its state, then perhaps refuses."""

    value: Value[int]
    json: Value[Json[list[int]]]
    listed: ListState[int]
    mapped: MapState[int, int]
    timer: EventTimer
    side: SideOutput[int]

    def on_record(self, ctx: Ctx[int, int], code: int) -> None:
        ctx.emit(code)
        self.side.emit(code)
        ctx.emit_at(code, code)
        for step in (code % 100, code // 100 % 100):
            self.step(step, ctx.time)
        if code // 10_000:
            raise Refusal("no")

    def step(self, step: int, time: int) -> None:
        actions: list[Callable[[], Any]] = [
            lambda: self.value.set(step),
            self.value.take,
            lambda: self.json.set([*self.json.get([]), step]),
            lambda: self.json.get([]).append(step),
            lambda: self.listed.append(step),
            lambda: self.listed.set([step]),
            self.listed.clear,
            lambda: self.mapped.__setitem__(step // 20, step),
            lambda: self.mapped.pop(step // 20, None),
            self.mapped.take,
            lambda: self.timer.replace(time + step),
        ]
        actions[step % len(actions)]()


CODES = st.tuples(st.integers(0, 3), st.integers(0, 9_999), st.booleans())


@given(st.lists(CODES, max_size=30), st.integers(1, 8))
def test_a_stream_with_refused_records_is_the_stream_without_them(codes: list[tuple[int, int, bool]], size: int) -> None:
    """Whatever a refused record did, and however the records are cut into blocks."""

    def job(job: Job) -> None:
        keyed = job.source("n", int).key_by_fn("key", lambda n: 0, out=int)
        keyed.process("undone", Undone()).on_error("skip").sink("out")

    def run(records: list[tuple[int, int, int]], size: int) -> Any:
        undone, heard = instance(job)
        undone.link(0, [2])
        timers: list[Any] = []
        for at in range(0, len(records), size):
            piece = records[at : at + size]
            rows = encode(
                0, [time for _, _, time in piece], [(Type.I64, False)] * 2, [[c for _, c, _ in piece], [k for k, _, _ in piece]]
            )
            timers += undone.process(0, 0, AT, rows, [], [key for key, _, _ in piece]).timers
        out = [
            (port, pair)
            for _, port, data in heard.blocks
            for pair in zip(Block(data).column(0, Type.I64, False), Block(data).times)
        ]
        return sorted(out), timers, undone.export_state(2, range(4))

    every = [(key, code + 10_000 * refused, time) for time, (key, code, refused) in enumerate(codes)]
    kept = [record for record in every if record[1] < 10_000]
    assert run(every, size) == run(kept, size)


def test_state_is_exported_as_the_bytes_that_rust_writes() -> None:
    """A block of the declared schema; made by hand here, and by Rust in the tests that run in the host."""

    class Kept(Process[int, int, int]):
        v: Value[Seen]
        n: Value[I32]
        listed: ListState[tuple[int, str]]
        m: MapState[str, int]

        def on_record(self, ctx: Ctx[int, int], number: int) -> None:
            self.v.set(Seen(number, None))
            self.n.set(-number)
            if number > 1:
                self.listed.append((number, "ü"))
                self.m["b"] = number
                self.m["a"] = 0

    def job(job: Job) -> None:
        job.source("n", int).key_by_fn("key", lambda n: n, out=int).process("kept", Kept()).sink("out")

    kept, _ = instance(job)
    kept.link(0, [2])
    kept.process(0, 0, AT, block(tuple[int, int], [(1, 1), (2, 2)]), [], [0, 2])
    schema = Schema.parse("v.last:i64?,v.note:string?,n.value:i32?,listed.block:bytes?,m.block:bytes?")
    listed = encode(0, [0], [(Type.I64, False), (Type.STRING, False)], [[2], ["ü"]])
    mapped = encode(0, [0, 0], [(Type.STRING, False), (Type.I64, False)], [["a", "b"], [0, 2]])
    columns: list[list[Any]] = [[1, None, 2], [None] * 3, [-1, None, -2], [None, None, listed], [None, None, mapped]]
    wanted = encode(schema.id, [0] * 3, [(column.type, True) for column in schema.columns], columns)
    assert kept.export_state(2, [0, 1, 2]) == wanted
    kept.drop_state(2, [0, 2])
    kept.import_state(2, [5, 6, 7], wanted)
    assert kept.export_state(2, [5, 6, 7]) == wanted


def test_state_that_is_damaged_is_refused_and_nothing_of_it_loaded() -> None:
    class Kept(Process[int, int, int]):
        n: Value[int]
        listed: ListState[int]

    def job(job: Job) -> None:
        job.source("n", int).key_by_fn("key", lambda n: n, out=int).process("kept", Kept()).sink("out")

    kept, _ = instance(job)
    empty = kept.export_state(2, [0])
    cells = [(Type.I64, True), (Type.BYTES, True)]
    for data, said in [
        (encode(0, [0], cells, [[1], [b"no block"]]), "a header states a length of 8"),
        (encode(0, [0], cells, [[1], [encode(0, [0], [(Type.F64, False)], [[1.0]])]]), "column 0 is not i64"),
        (encode(0, [0], cells[:1], [[1]]), "column 1 is not optional bytes: there is none"),
        (b"", "a header states a length of 0"),
    ]:
        with pytest.raises(ValueError) as refusal:
            kept.import_state(2, [0], data)
        assert said in str(refusal.value)
        assert kept.export_state(2, [0]) == empty
