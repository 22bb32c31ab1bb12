"""Visits of users: clicks that lie at most half a minute apart, which come out of order."""

from tidemill import Job, Window, out_of_order, record, seconds, session


@record
class Click:
    user: str
    bytes: int
    at: int


@record
class Sums:
    clicks: int
    bytes: int


@record
class Visit:
    user: str
    start: int
    end: int
    clicks: int
    bytes: int


def add(sums: Sums, click: Click) -> Sums:
    return Sums(sums.clicks + 1, sums.bytes + click.bytes)


def merge(sums: Sums, other: Sums) -> Sums:
    return Sums(sums.clicks + other.clicks, sums.bytes + other.bytes)


def visit(window: Window[str], sums: Sums) -> Visit:
    return Visit(window.key, window.start, window.end, sums.clicks, sums.bytes)


def case(job: Job) -> None:
    (
        job.source("clicks", Click)
        .event_time(Click.at, out_of_order(seconds(5)))
        .key_by(Click.user)
        .window(session(seconds(30)))
        .fold("visits", Sums(0, 0), add, merge, visit)
        .sink("visits-out")
    )
