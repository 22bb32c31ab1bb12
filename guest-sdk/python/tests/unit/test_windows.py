"""Windows that a job computes, and those of the test kit's host."""

from __future__ import annotations

from collections.abc import Iterator

from support import AT, block, instance, read

from tidemill import (
    I32,
    Job,
    Refusal,
    Window,
    WindowCount,
    millis,
    out_of_order,
    record,
    seconds,
    session,
    sliding,
    tumbling,
)
from tidemill.runtime import Failure
from tidemill.testing import JobTest


@record
class Item:
    key: int
    text: str


def one(window: Window[int], acc: int) -> int:
    return acc


def joined(job: Job) -> None:
    """Texts of a key, one after the other."""

    def result(window: Window[int], text: str) -> tuple[int, int, int, int, str]:
        return window.key, window.start, window.end, window.firing, text

    def marked(result: tuple[int, int, int, int, str]) -> tuple[int, int, int, int, str]:
        return *result[:4], f"<{result[4]}>"

    (
        job.source("items", Item)
        .key_by(Item.key)
        .window(sliding(seconds(10), seconds(2)))
        .fold("join", "", lambda text, item: text + item.text, lambda a, b: a + b, result)
        .map("marked", marked)
        .sink("out")
    )


Fired = tuple[int, int, int, I32]


def test_a_window_is_the_merge_of_its_panes_and_leaves_them_as_they_are() -> None:
    job, heard = instance(joined)
    job.link(0, [1, 2])
    items = [Item(1, "a"), Item(2, "b"), Item(1, "c"), Item(1, "d")]
    job.process(0, 0, AT, block(Item, items), [], [0, 1, 2, 3])
    fire = block(Fired, [(1, 0, 10, 3), (1, 10, 20, 3)])
    result = tuple[int, int, int, int, str]
    job.fire(0, AT, fire, [0, 3, 5], [0, 2, 3, 2, 3])
    assert heard.take(result) == [((1, 0, 10, 3, "<acd>"), 100), ((1, 10, 20, 3, "<cd>"), 101)]
    job.merge(1, [0], [3])
    job.fire(0, AT, fire, [0, 1, 2], [0, 3])
    assert heard.take(result) == [((1, 0, 10, 3, "<ad>"), 100)], "the source of a merge is empty"


def test_a_row_may_belong_to_several_windows() -> None:
    job, heard = instance(joined)
    job.link(0, [1])
    job.process(0, 0, AT, block(Item, [Item(1, "a"), Item(1, "b"), Item(1, "c")]), [0, 0, 2], [4, 5, 5])
    job.fire(0, AT, block(Fired, [(1, 0, 1, 0), (1, 0, 1, 0)]), [0, 1, 2], [4, 5])
    assert [out[4] for out, _ in heard.take(tuple[int, int, int, int, str])] == ["a", "ac"]


def test_a_record_that_a_window_refuses_is_in_none_of_its_windows() -> None:
    seen: list[int] = []

    def add(acc: int, n: int) -> int:
        seen.append(n)
        if n == 2 and seen.count(2) == 2:
            raise Refusal("two")
        return acc + n

    def job(job: Job) -> None:
        windows = job.source("n", int).key_by_fn("key", lambda n: 0, out=int).window(sliding(seconds(3), seconds(2)))
        windows.fold("sum", 0, add, lambda a, b: a + b, one).on_error("skip").sink("out")

    chain, _ = instance(job)
    chain.link(0, [2])
    data = block(tuple[int, int], [(1, 0), (2, 0), (4, 0)])
    outcome = chain.process(0, 0, AT, data, [0, 0, 1, 1, 1, 2, 2], [7, 8, 7, 8, 9, 8, 9])
    assert outcome.failures == [Failure(1, 2, "two")]
    assert [n for n, _ in read(chain.export_state(2, [7, 8, 9]), int | None)] == [1, 5, 4]


def test_the_list_that_a_window_gives_is_a_copy() -> None:
    def emptied(window: Window[int], items: list[Item]) -> Iterator[int]:
        yield len(items)
        items.clear()

    def job(job: Job) -> None:
        job.source("items", Item).key_by(Item.key).window(tumbling(seconds(1))).process("n", emptied).sink("out")

    chain, heard = instance(job)
    chain.link(0, [1])
    chain.process(0, 0, AT, block(Item, [Item(1, "a"), Item(1, "b")]), [], [0, 0])
    for _ in range(2):
        chain.fire(0, AT, block(Fired, [(1, 0, 1000, 0)]), [0, 1], [0])
        assert heard.take(int) == [(2, 100)]


def test_sessions_merge_their_accumulators_and_late_records_fire_again() -> None:
    def sizes(window: Window[int], records: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
        yield window.start, window.end, window.firing, len(records)

    def job(job: Job) -> None:
        (
            job.source("items", tuple[int, int])
            .assign_event_time("time", lambda item: item[1], out_of_order(millis(50)))
            .key_by_fn("key", lambda item: item[0], out=int)
            .window(session(millis(10)))
            .allowed_lateness(millis(100))
            .process("list", sizes)
            .sink("out")
        )

    test = JobTest(job)
    for at in (100, 120, 110, 100, 300, 115, 500, 105):
        test.push("items", (1, at))
    assert sorted(test.sink("out", tuple[int, int, int, int])) == [(100, 130, 0, 4), (300, 310, 0, 1)]


def test_processing_time_windows_close_by_the_clock() -> None:
    def job(job: Job) -> None:
        job.source("n", int).window_all(tumbling(seconds(1)).processing_time()).count("count").sink("out")

    test = JobTest(job)
    test.set_processing_time(1_500)
    test.push("n", 1)
    test.push("n", 2)
    test.set_processing_time(1_998)
    assert test.sink("out", WindowCount[tuple[()]]) == []
    test.set_processing_time(1_999)
    assert test.sink("out", WindowCount[tuple[()]]) == [WindowCount((), 1_000, 2_000, 2)]
