"""q4, average price per category: `windowEnd,category,average,n` over the winning bids of auctions that expire in ten seconds.

The winning bid is the highest one between the auction's beginning and its end, both inclusive. It is known when the
watermark reaches `expires`. Bids may come before their auction: they are kept until the watermark has passed them, for an
auction that comes later than that begins later too.
"""

from tidemill import Ctx, EventTimer, Job, ListState, Process2, TimerEvent, Value, Window, record, seconds, tumbling

from .events import events


@record(rename="camelCase")
class Auction:
    id: int
    category: int
    date_time: int
    expires: int


@record(rename="camelCase")
class Bid:
    auction: int
    price: int
    date_time: int


@record
class Sale:
    category: int
    price: int


@record
class Average:
    window_end: int
    category: int
    price: int
    sales: int


class Winning(Process2[int, Auction, Bid, Sale]):
    auction: Value[Auction]
    best: Value[int]
    early: ListState[Bid]
    """Bids that came before their auction."""
    expires: EventTimer
    forget: EventTimer

    def on_first(self, ctx: Ctx[int, Sale], auction: Auction) -> None:
        for bid in self.early.take():
            self.bid(auction, bid)
        self.expires.add(auction.expires)
        self.auction.set(auction)

    def on_second(self, ctx: Ctx[int, Sale], bid: Bid) -> None:
        auction = self.auction.get()
        if auction:
            self.bid(auction, bid)
        else:
            self.forget.add(bid.date_time)
            self.early.append(bid)

    def on_timer(self, ctx: Ctx[int, Sale], event: TimerEvent) -> None:
        if event.timer is self.forget:
            self.early.set(bid for bid in self.early.take() if bid.date_time > event.time)
            return
        auction, price = self.auction.take(), self.best.take()
        if auction and price is not None:
            ctx.emit(Sale(auction.category, price))

    def bid(self, auction: Auction, bid: Bid) -> None:
        best = self.best.get()
        if auction.date_time <= bid.date_time <= auction.expires and (best is None or bid.price > best):
            self.best.set(bid.price)


Sum = tuple[int, int]
"""The prices of sales and their number."""


def add(sum: Sum, sale: Sale) -> Sum:
    return sum[0] + sale.price, sum[1] + 1


def merge(sum: Sum, other: Sum) -> Sum:
    return sum[0] + other[0], sum[1] + other[1]


def average(window: Window[int], sum: Sum) -> Average:
    return Average(window.end, window.key, sum[0] // sum[1], sum[1])


def query(job: Job) -> None:
    source = events(job)
    auctions = source.variant("auction", Auction).key_by(Auction.id)
    bids = source.variant("bid", Bid).key_by(Bid.auction)
    (
        auctions.connect(bids)
        .process("winning-bid", Winning())
        .key_by(Sale.category)
        .window(tumbling(seconds(10)))
        .fold("average", (0, 0), add, merge, average)
        .sink("results", format="csv", default="stdout:")
    )
