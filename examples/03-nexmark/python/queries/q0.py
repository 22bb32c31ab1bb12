"""q0, pass through: every bid as `auction,bidder,price,dateTime,extra`.

Nothing is computed, so no code of this component runs: the host decodes and writes.
"""

from tidemill import Job, record

from .events import events


@record(rename="camelCase")
class Bid:
    auction: int
    bidder: int
    price: int
    date_time: int
    extra: str


def query(job: Job) -> None:
    events(job).variant("bid", Bid).sink("results", format="csv", default="stdout:")
