"""Ways to fail at one certain record, for ``tests/e2e/tests/errors.rs``.

What each says, and at which line, is compared over the languages.
"""

from tidemill import Ctx, Job, Process, Refusal, Value, record


@record
class Number:
    sensor: str
    n: int


# Shorter than what is asked of it.
WORDS = ["zero", "one", "two"]


def thrown(number: Number) -> Number:
    if number.n == 13:
        raise ValueError("thirteen is bad luck")
    return number


def fault(number: Number) -> Number:
    if number.n != 14:
        return number
    word = WORDS[number.n]  # fourteen is beyond the words
    return Number(word, number.n)


def refused(number: Number) -> Number:
    if number.n == 15:
        raise Refusal("fifteen is refused")
    return number


def aside(number: Number) -> Number:
    if number.n == 16:
        raise Refusal("sixteen is put aside")
    return number


class Counting(Process[str, Number, Number]):
    seen: Value[int]

    def on_record(self, ctx: Ctx[str, Number], number: Number) -> None:
        seen = self.seen.get(0)
        self.seen.set(seen + 1)
        if number.n == 17:
            raise ValueError(f"seventeen after {seen} of its key")
        ctx.emit(number)


def case(job: Job) -> None:
    numbers = job.source("numbers", Number).map("thrown", thrown).map("fault", fault).map("refused", refused)
    kept = numbers.map("aside", aside).on_error("dead-letter")
    kept.dead_letters().sink("letters")
    kept.key_by(Number.sensor).process("counting", Counting()).sink("results")
