"""Purchases of users and rules that come beside them: a rule finds the purchases it is about, those before it and those after it.

In which order purchases and rules meet is not said, so every pair of them has to be found once in either order: a purchase looks
through the rules that are shared, a rule is applied to every user who has purchases.
"""

from tidemill import (
    BroadcastCtx,
    BroadcastMap,
    BroadcastProcess,
    BroadcastValue,
    Ctx,
    EventTimer,
    Job,
    ListState,
    TimerEvent,
    monotonic,
    record,
)

DAY_MS = 86_400_000


@record
class Event:
    kind: str
    name: str
    cents: int
    at: int


@record
class Purchase:
    user: str
    cents: int
    at: int


@record
class Rule:
    """Is about purchases of so many cents and more."""

    name: str
    least: int


@record
class Hit:
    user: str
    rule: str
    cents: int


class Match(BroadcastProcess[str, Purchase, Rule, Hit]):
    seen: ListState[int]
    day: EventTimer
    rules: BroadcastMap[str, int]
    count: BroadcastValue[int]

    def on_record(self, ctx: Ctx[str, Hit], purchase: Purchase) -> None:
        self.day.replace(purchase.at + DAY_MS)
        self.seen.append(purchase.cents)
        for rule, least in self.rules.items():
            if purchase.cents >= least:
                ctx.emit(Hit(purchase.user, rule, purchase.cents))

    def on_broadcast(self, ctx: BroadcastCtx[Hit], rule: Rule) -> None:
        ctx.change(self.rules)[rule.name] = rule.least
        ctx.change(self.count).set(self.count.get(0) + 1)

    def on_key(self, ctx: Ctx[str, Hit], rule: Rule) -> None:
        for cents in self.seen:
            if cents >= self.rules[rule.name]:
                ctx.emit(Hit(ctx.key, rule.name, cents))

    def on_timer(self, ctx: Ctx[str, Hit], event: TimerEvent) -> None:
        """Tells what a user has spent under how many rules."""
        ctx.emit(Hit(ctx.key, f"{self.count.get(0)} rules", sum(self.seen)))


def purchased(event: Event) -> Purchase:
    return Purchase(event.name, event.cents, event.at)


def ruled(event: Event) -> Rule:
    return Rule(event.name, event.cents)


def case(job: Job) -> None:
    events = job.source("events", Event).event_time(Event.at, monotonic())
    purchases = events.filter("is-purchase", lambda event: event.kind == "purchase").map("purchases", purchased)
    rules = events.filter("is-rule", lambda event: event.kind == "rule").map("rules", ruled)
    purchases.key_by(Purchase.user).connect_broadcast(rules).process("match", Match()).sink("hits")
