"""Hits of pages, so many at a time: in threes, the last four of them at every second one, and in fives that need not be full."""

from collections.abc import Iterator

from tidemill import Job, Window, days, monotonic, record, records, records_sliding


@record
class Hit:
    page: str
    bytes: int
    at: int


@record
class Batch:
    page: str
    start: int
    end: int
    bytes: str


@record
class Sums:
    hits: int
    bytes: int


@record
class Figure:
    page: str
    until: int
    hits: int
    bytes: int


def batch(window: Window[str], hits: list[Hit]) -> Iterator[Batch]:
    yield Batch(window.key, window.start, window.end, "+".join(str(hit.bytes) for hit in hits))


def add(sums: Sums, hit: Hit) -> Sums:
    return Sums(sums.hits + 1, sums.bytes + hit.bytes)


def merge(sums: Sums, other: Sums) -> Sums:
    return Sums(sums.hits + other.hits, sums.bytes + other.bytes)


def figure(window: Window[str], sums: Sums) -> Figure:
    return Figure(window.key, window.end, sums.hits, sums.bytes)


def case(job: Job) -> None:
    hits = job.source("hits", Hit, format="csv").event_time(Hit.at, monotonic()).key_by(Hit.page)
    hits.window(records(3)).process("threes", batch).sink("threes-out")
    hits.window(records_sliding(4, 2)).sum("moving", Hit.bytes).sink("moving-out")
    # What is not full fires when the input ends.
    hits.window(records(5).or_after_event_time(days(1))).fold("fives", Sums(0, 0), add, merge, figure).sink("fives-out")
