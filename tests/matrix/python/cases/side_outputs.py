"""Bills of ten seconds: large orders leave by a side output, orders that come behind their bill by the late one."""

from collections.abc import Iterator

from tidemill import Ctx, Job, Process, SideOutput, Value, Window, monotonic, record, seconds, tumbling

LARGE = 1000


@record
class Order:
    customer: str
    amount: int
    at: int


@record
class Large:
    customer: str
    amount: int
    number: int
    """Which of the customer's orders it is."""


@record
class Bill:
    customer: str
    until: int
    amounts: str


class Check(Process[str, Order, Order]):
    orders: Value[int]
    large: SideOutput[Large]

    def on_record(self, ctx: Ctx[str, Order], order: Order) -> None:
        number = self.orders.get(0) + 1
        self.orders.set(number)
        if order.amount >= LARGE:
            self.large.emit(Large(ctx.key, order.amount, number))
        else:
            ctx.emit(order)


def bill(window: Window[str], orders: list[Order]) -> Iterator[Bill]:
    yield Bill(window.key, window.end, "+".join(str(order.amount) for order in orders))


def case(job: Job) -> None:
    checked = job.source("orders", Order).event_time(Order.at, monotonic()).key_by(Order.customer).process("check", Check())
    checked.side_output("large", Large).sink("large-out")
    bills = checked.key_by(Order.customer).window(tumbling(seconds(10))).process("bills", bill)
    bills.late().sink("late-out")
    bills.sink("bills-out")
