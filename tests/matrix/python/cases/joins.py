"""Orders and payments of an account: joined by their distance in time, where an order may go without, and in windows."""

from collections.abc import Iterator

from tidemill import Job, WindowRecord, out_of_order, record, seconds, tumbling


@record
class Event:
    kind: str
    account: str
    item: str | None
    cents: int | None
    note: str | None
    at: int


@record
class Order:
    account: str
    item: str
    at: int


@record
class Payment:
    """A payment without a note is another thing than no payment."""

    account: str
    cents: int
    note: str | None
    at: int


@record
class Paid:
    account: str
    item: str
    paid: bool
    cents: int | None
    note: str | None


@record
class Pair:
    account: str
    start: int
    end: int
    item: str
    cents: int


def ordered(event: Event) -> Iterator[Order]:
    if event.item is not None:
        yield Order(event.account, event.item, event.at)


def payed(event: Event) -> Iterator[Payment]:
    if event.cents is not None:
        yield Payment(event.account, event.cents, event.note, event.at)


def paid(row: tuple[Order, Payment | None]) -> Paid:
    order, payment = row
    if payment is None:
        return Paid(order.account, order.item, False, None, None)
    return Paid(order.account, order.item, True, payment.cents, payment.note)


def pair(row: WindowRecord[tuple[Order, Payment]]) -> Pair:
    order, payment = row.record
    return Pair(order.account, row.start, row.end, order.item, payment.cents)


def case(job: Job) -> None:
    events = job.source("events", Event).event_time(Event.at, out_of_order(seconds(2)))
    order = events.flat_map("orders", ordered).key_by(Order.account).side("order")
    payment = events.flat_map("payments", payed).key_by(Payment.account).side("payment")

    near = order.join(payment.optional()).within("near", -seconds(2), seconds(5), upper_exclusive=True)
    near.unmatched("payment", Payment).sink("orphans-out")
    near.map("paid", paid).sink("paid-out")

    together = order.join(payment).window(tumbling(seconds(10))).join("together")
    together.map("pair", pair).sink("pairs-out")
