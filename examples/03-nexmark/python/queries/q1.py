"""q1, currency conversion: every bid as `auction,bidder,price,dateTime,extra` with the price in euros."""

from tidemill import Job, record, replace

from .events import events


@record(rename="camelCase")
class Bid:
    auction: int
    bidder: int
    price: int
    date_time: int
    extra: str


def to_euros(bid: Bid) -> Bid:
    return replace(bid, price=bid.price * 908 // 1000)


def query(job: Job) -> None:
    events(job).variant("bid", Bid).map("to-euros", to_euros).sink("results", format="csv", default="stdout:")
