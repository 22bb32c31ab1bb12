"""What users looked at, for ten seconds of event time: a value that reading renews, a list and a map that expire entry by entry."""

from typing import Annotated

from tidemill import Ctx, EventTimer, Job, ListState, MapState, Process, TimerEvent, Ttl, Value, monotonic, record, seconds

LIFE = Ttl.event_time(seconds(10))
TELL_EVERY_MS = 12_000
"""Every user is told about one second before the end of each twelve."""
TELL_BEFORE_MS = 1_000


@record
class Look:
    """A look at an item; without one, a user asks what is known."""

    user: str
    item: str
    at: int


@record
class Told:
    user: str
    at: int
    since: int | None
    recent: str
    counts: str


class Looks(Process[str, Look, Told]):
    since: Annotated[Value[int], LIFE.renewed_by_reads()]
    recent: Annotated[ListState[str], LIFE]
    counts: Annotated[MapState[str, int], LIFE]
    told: EventTimer

    def on_record(self, ctx: Ctx[str, Told], look: Look) -> None:
        if not look.item:
            self.tell(ctx, look.at)
            return
        if self.since.get() is None:
            self.since.set(look.at)
        self.counts[look.item] = self.counts.get(look.item, 0) + 1
        self.recent.append(look.item)
        self.told.replace((look.at // TELL_EVERY_MS + 1) * TELL_EVERY_MS - TELL_BEFORE_MS)

    def on_timer(self, ctx: Ctx[str, Told], event: TimerEvent) -> None:
        self.tell(ctx, event.time)

    def tell(self, ctx: Ctx[str, Told], at: int) -> None:
        counts = ",".join(f"{item}={count}" for item, count in self.counts.items())
        ctx.emit(Told(ctx.key, at, self.since.get(), ",".join(self.recent), counts))


def case(job: Job) -> None:
    looks = job.source("looks", Look).event_time(Look.at, monotonic()).key_by(Look.user)
    looks.process("looks-of", Looks()).sink("told")
