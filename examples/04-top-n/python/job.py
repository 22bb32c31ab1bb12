"""The three products that sold most in each minute, as `until,rank,product,amount`."""

from collections.abc import Iterator

from tidemill import Job, Window, aggregates, job, minutes, out_of_order, record, seconds, tumbling

KEPT = 3
"""How many products a minute keeps."""


@record
class Sale:
    product: str
    amount: int
    at: int


@record
class Total:
    until: int
    product: str
    amount: int


@record
class Ranked:
    until: int
    rank: int
    product: str
    amount: int


def total(window: Window[str], amount: int) -> Total:
    return Total(window.end, window.key, amount)


def rank(window: Window[int], totals: list[Total]) -> Iterator[Ranked]:
    totals.sort(key=lambda total: (-total.amount, total.product))
    for place, best in enumerate(totals[:KEPT], start=1):
        yield Ranked(best.until, place, best.product, best.amount)


@job
def top_products(job: Job) -> None:
    totals = (
        job.source("sales", Sale, default="stdin:")
        .event_time(Sale.at, out_of_order(seconds(5)))
        .key_by(Sale.product)
        .window(tumbling(minutes(1)))
        .aggregate("total", aggregates.sum(Sale.amount), total)
    )
    # All totals of a minute have its last millisecond as event time, so that they meet in one window again.
    (totals.key_by(Total.until).window(tumbling(minutes(1))).process("rank", rank).sink("top", format="csv", default="stdout:"))
