"""Dead letters of a source, of a stateless function and of one with state, which forgets what it did for a record it refuses."""

from tidemill import Ctx, DeadLetter, Job, ListState, Process, Refusal, Value, record


@record
class Reading:
    sensor: str
    text: str


@record
class Number:
    sensor: str
    value: int


@record
class Step:
    sensor: str
    value: int
    seen: int


@record
class Refused:
    """A dead letter without its place, which depends on how blocks are cut."""

    operator: str
    reason: str
    record: str


class Rising(Process[str, Number, Step]):
    last: Value[int]
    seen: ListState[int]

    def on_record(self, ctx: Ctx[str, Step], number: Number) -> None:
        last = self.last.get(0)
        self.last.set(number.value)
        self.seen.append(number.value)
        ctx.emit(Step(ctx.key, number.value, len(self.seen)))
        if number.value < last:
            raise Refusal(f"{number.value} falls below {last}")


def parse(reading: Reading) -> Number:
    try:
        return Number(reading.sensor, int(reading.text))
    except ValueError:
        raise Refusal(f"'{reading.text}' is no number") from None


def refused(letter: DeadLetter) -> Refused:
    return Refused(letter.operator, letter.reason, letter.record)


def case(job: Job) -> None:
    readings = job.source("readings", Reading).on_error("dead-letter")
    readings.dead_letters().sink("unread")
    numbers = readings.map("numbers", parse)
    rising = numbers.key_by(Number.sensor).process("rising", Rising())
    numbers.dead_letters().union("letters", rising.dead_letters()).map("refused", refused).sink("refused-out")
    rising.sink("steps")
