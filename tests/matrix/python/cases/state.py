"""What users bought: a value, a list, a map and a timer for each of them, all of which a savepoint has to hold."""

from tidemill import Ctx, EventTimer, Job, ListState, MapState, Process, TimerEvent, Value, monotonic, record

EVERY = 5
"""A basket is told after every fifth purchase of a user, and at the end."""
DAY_MS = 86_400_000
RECENT = 3


@record
class Purchase:
    user: str
    item: str
    price: float
    at: int


@record
class Total:
    count: int
    spent: float


@record
class Basket:
    user: str
    count: int
    spent: float
    recent: str
    favourite: str
    items: int


class Baskets(Process[str, Purchase, Basket]):
    total: Value[Total]
    recent: ListState[str]
    counts: MapState[str, int]
    day: EventTimer

    def on_record(self, ctx: Ctx[str, Basket], purchase: Purchase) -> None:
        self.day.replace(purchase.at + DAY_MS)
        total = self.total.get(Total(0, 0.0))
        total = Total(total.count + 1, total.spent + purchase.price)
        self.total.set(total)
        self.counts[purchase.item] = self.counts.get(purchase.item, 0) + 1
        self.recent.append(purchase.item)
        if len(self.recent) > RECENT:
            del self.recent[0]
        if total.count % EVERY == 0:
            self.tell(ctx, total)

    def on_timer(self, ctx: Ctx[str, Basket], event: TimerEvent) -> None:
        self.tell(ctx, self.total.get(Total(0, 0.0)))
        self.total.clear()
        self.recent.clear()
        self.counts.clear()

    def tell(self, ctx: Ctx[str, Basket], total: Total) -> None:
        # Of items that were bought equally often, the first in the order of their names.
        favourite = min(self.counts, key=lambda item: (-self.counts[item], item))
        ctx.emit(Basket(ctx.key, total.count, total.spent, ",".join(self.recent), favourite, len(self.counts)))


def case(job: Job) -> None:
    (
        job.source("purchases", Purchase)
        .event_time(Purchase.at, monotonic())
        .key_by(Purchase.user)
        .process("basket", Baskets())
        .sink("baskets")
    )
