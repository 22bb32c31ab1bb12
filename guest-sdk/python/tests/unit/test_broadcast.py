"""Broadcast state in the test kit and over the calls of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import AT, block, instance

from tidemill import (
    BroadcastCtx,
    BroadcastMap,
    BroadcastProcess,
    BroadcastValue,
    Ctx,
    EventTimer,
    Job,
    JobError,
    MapState,
    Process,
    Refusal,
    SideOutput,
    TimerEvent,
    Value,
    monotonic,
    record,
)
from tidemill.runtime import Failure, Outcome
from tidemill.testing import JobTest, OperatorTest

GREATEST = (1 << 63) - 1


@record
class Sale:
    shop: str
    item: str
    at: int


@record
class Rule:
    item: str
    most: int
    at: int


Told = tuple[str, str, int]


class Watch(BroadcastProcess[str, Sale, Rule, Told]):
    """Tells each sale above what its item's rule allows a shop, and what a new rule finds."""

    rules: BroadcastMap[str, int]
    sold: MapState[str, int]
    end: EventTimer

    def on_record(self, ctx: Ctx[str, Told], sale: Sale) -> None:
        sold = self.sold.get(sale.item, 0) + 1
        self.sold[sale.item] = sold
        if sale.item in self.rules and sold > self.rules[sale.item]:
            ctx.emit((ctx.key, sale.item, sold))
        self.end.replace(GREATEST)

    def on_broadcast(self, ctx: BroadcastCtx[Told], rule: Rule) -> None:
        ctx.change(self.rules)[rule.item] = rule.most
        if rule.most < 0:
            raise Refusal(f"a rule of {rule.most}")

    def on_key(self, ctx: Ctx[str, Told], rule: Rule) -> None:
        sold = self.sold.get(rule.item, 0)
        if sold > self.rules[rule.item]:
            ctx.emit((ctx.key, f"{rule.item} already", sold))

    def on_timer(self, ctx: Ctx[str, Told], event: TimerEvent) -> None:
        ctx.emit((ctx.key, "rules", len(self.rules)))


def both(job: Job) -> tuple[Any, Any]:
    rules = job.source("rules", Rule).event_time(Rule.at, monotonic())
    return rules, job.source("sales", Sale).event_time(Sale.at, monotonic())


def watched(job: Job) -> None:
    rules, sales = both(job)
    sales.key_by(Sale.shop).connect_broadcast(rules).process("watch", Watch()).on_error("skip").sink("told")


def test_every_key_reads_what_is_shared_and_a_rule_is_applied_to_each() -> None:
    test = JobTest(watched)
    for shop in "abb":
        test.push("sales", Sale(shop, "tea", 1))
    test.push("rules", Rule("tea", 1, 1))
    assert test.sink("told", Told) == [("b", "tea already", 2)]
    test.restart()
    test.push("sales", Sale("a", "tea", 1))
    test.push("sales", Sale("a", "milk", 1))
    assert test.sink("told", Told) == [("a", "tea", 2)]
    test.push("rules", Rule("tea", -1, 1))
    assert test.refused == ["a rule of -1"], "and what it did to what is shared is undone"
    test.push("sales", Sale("c", "tea", 1))
    test.push("rules", Rule("milk", 5, 1))
    test.finish()
    assert test.sink("told", Told) == [(shop, "rules", 2) for shop in "abc"]


def test_a_key_with_nothing_but_a_timer_is_given_rules_too() -> None:
    class Timed(BroadcastProcess[str, Sale, Rule, str]):
        end: EventTimer

        def on_record(self, ctx: Ctx[str, str], sale: Sale) -> None:
            if sale.item:
                self.end.add(GREATEST)

        def on_broadcast(self, ctx: BroadcastCtx[str], rule: Rule) -> None:
            pass

        def on_key(self, ctx: Ctx[str, str], rule: Rule) -> None:
            ctx.emit(ctx.key)

    def job(job: Job) -> None:
        rules, sales = both(job)
        sales.key_by(Sale.shop).connect_broadcast(rules).process("watch", Timed()).sink("told")

    test = OperatorTest(job, "watch")
    test.push(Sale("with", "tea", 1), 1)
    test.push(Sale("without", "", 1), 1)
    test.push(Rule("", 0, 1), 1, input=1)
    assert test.output(str) == [("with", 1)]


class Numbered(BroadcastProcess[tuple[()], Sale, Rule, tuple[str, int]]):
    """Numbers sales by the greatest rule so far."""

    most: BroadcastValue[int]
    rules: SideOutput[Rule]

    def on_record(self, ctx: Ctx[tuple[()], tuple[str, int]], sale: Sale) -> None:
        assert ctx.key == ()
        ctx.emit((sale.item, self.most.get(0)))

    def on_broadcast(self, ctx: BroadcastCtx[tuple[str, int]], rule: Rule) -> None:
        most = ctx.change(self.most)
        most.set(max(most.get(0), rule.most))
        self.rules.emit(rule)
        ctx.emit((f"{ctx.time} {ctx.now} {ctx.watermark}", self.most.get(0)))


def numbered(job: Job) -> None:
    rules, sales = both(job)
    numbered = sales.connect_broadcast(rules).process("number", Numbered())
    numbered.sink("told")
    numbered.side_output("rules", Rule).sink("rules-out")


def test_records_without_a_key_read_it_too() -> None:
    test = JobTest(numbered)
    test.push("sales", Sale("a", "tea", 1))
    test.push("rules", Rule("tea", 7, 1))
    test.push("rules", Rule("tea", 3, 2))
    test.restart()
    test.push("sales", Sale("b", "milk", 3))
    shared = [(f"1 0 {-1 << 63}", 7), ("2 0 0", 7)]
    assert test.sink("told", tuple[str, int]) == [("tea", 0), *shared, ("milk", 7)]
    assert [rule.most for rule in test.sink("rules-out", Rule)] == [7, 3]


def test_records_without_a_key_say_nothing_of_what_is_shared() -> None:
    job, _ = instance(numbered)
    job.link(0, [2])
    assert job.process(0, 0, AT, block(Sale, [Sale("a", "tea", 0)]), [], [9]) == Outcome()
    job.process(0, 1, AT, block(Rule, [Rule("tea", 7, 0)]), [], [9])
    assert job.process(0, 0, AT, block(Sale, [Sale("a", "tea", 0)]), [], [9]) == Outcome()


def test_the_slot_of_what_is_shared_stands_last_and_is_exported_behind_the_keys_columns() -> None:
    job, heard = instance(watched)
    job.link(0, [2])
    outcome = job.process(0, 0, AT, block(Sale, [Sale("a", "tea", 0), Sale("b", "tea", 0)]), [], [4, 2, 9])
    assert (outcome.cleared, outcome.unchanged) == ([], []), "a data call says nothing of what is shared"
    refused = Rule("tea", -5, 0)
    outcome = job.process(0, 1, AT, block(Rule, [refused, Rule("tea", 0, 0)]), [], [9])
    assert outcome == Outcome(failures=[Failure(0, 2, "a rule of -5")])
    keys = block(tuple[str], [("a",), ("b",)])
    outcome = job.apply(0, 1, AT, block(Rule, [Rule("tea", 0, 0)]), keys, [4, 2, 9])
    assert outcome == Outcome(unchanged=[4, 2])
    assert heard.take(Told) == [(("a", "tea already", 1), 100), (("b", "tea already", 1), 101)]
    kept = job.export_state(2, [4, 9])
    job.drop_state(2, [4, 2, 9])
    job.import_state(2, [0, 1], kept)
    outcome = job.process(0, 0, AT, block(Sale, [Sale("a", "tea", 0)]), [], [0, 1])
    assert heard.take(Told) == [(("a", "tea", 2), 100)]


def test_a_refusal_of_on_key_is_about_the_one_record() -> None:
    class Refusing(BroadcastProcess[str, Sale, Rule, str]):
        seen: Value[int]

        def on_record(self, ctx: Ctx[str, str], sale: Sale) -> None:
            self.seen.set(1)

        def on_broadcast(self, ctx: BroadcastCtx[str], rule: Rule) -> None:
            pass

        def on_key(self, ctx: Ctx[str, str], rule: Rule) -> None:
            self.seen.set(2)
            raise Refusal(f"{ctx.key} does not like {rule.item}")

    def job(job: Job) -> None:
        rules, sales = both(job)
        sales.key_by(Sale.shop).connect_broadcast(rules).process("watch", Refusing()).on_error("skip").sink("told")

    running, _ = instance(job)
    running.link(0, [2])
    running.process(0, 0, AT, block(Sale, [Sale("a", "", 0), Sale("b", "", 0)]), [], [1, 2, 0])
    before = running.export_state(2, [1, 2])
    outcome = running.apply(0, 1, AT, block(Rule, [Rule("tea", 0, 0)]), block(tuple[str], [("a",), ("b",)]), [1, 2, 0])
    assert [(failure.row, failure.message) for failure in outcome.failures] == [
        (0, "a does not like tea"),
        (0, "b does not like tea"),
    ]
    assert running.export_state(2, [1, 2]) == before


def fails(made: Any, act: Callable[[JobTest], None]) -> str:
    def job(job: Job) -> None:
        rules, sales = both(job)
        sales.key_by(Sale.shop).connect_broadcast(rules).process("watch", made).sink("told")

    test = JobTest(job)
    with pytest.raises(RuntimeError) as raised:
        act(test)
    return str(raised.value)


def test_only_broadcast_records_change_what_is_shared() -> None:
    kept: list[Value[int]] = []

    class Leaking(BroadcastProcess[str, Sale, Rule, str]):
        limit: BroadcastValue[int]

        def on_record(self, ctx: Ctx[str, str], sale: Sale) -> None:
            kept[0].set(5)

        def on_broadcast(self, ctx: BroadcastCtx[str], rule: Rule) -> None:
            kept.append(ctx.change(self.limit))

    def act(test: JobTest) -> None:
        test.push("rules", Rule("tea", 1, 1))
        test.push("sales", Sale("a", "tea", 1))

    assert fails(Leaking(), act) == "broadcast state 'limit' is changed in on_broadcast only"


def test_a_broadcast_record_has_no_key() -> None:
    class Keyless(BroadcastProcess[str, Sale, Rule, str]):
        count: Value[int]

        def on_record(self, ctx: Ctx[str, str], sale: Sale) -> None:
            pass

        def on_broadcast(self, ctx: BroadcastCtx[str], rule: Rule) -> None:
            self.count.set(1)

    said = fails(Keyless(), lambda test: test.push("rules", Rule("tea", 1, 1)))
    assert said == "state 'count' is that of one key: it can be used in on_record and on_timer only"


def test_what_is_read_of_it_is_a_copy() -> None:
    class Meddling(BroadcastProcess[str, Sale, Rule, int]):
        lists: BroadcastMap[str, list[int]]

        def on_record(self, ctx: Ctx[str, int], sale: Sale) -> None:
            self.lists["x"].append(1)
            ctx.emit(len(self.lists["x"]))

        def on_broadcast(self, ctx: BroadcastCtx[int], rule: Rule) -> None:
            ctx.change(self.lists)["x"] = []

    def job(job: Job) -> None:
        rules, sales = both(job)
        sales.key_by(Sale.shop).connect_broadcast(rules).process("watch", Meddling()).sink("told")

    test = JobTest(job)
    test.push("rules", Rule("tea", 1, 1))
    test.push("sales", Sale("a", "tea", 1))
    assert test.sink("told", int) == [0]


def error(build: Callable[[Any, Any], Any]) -> str:
    def job(job: Job) -> None:
        rules, sales = both(job)
        build(rules, sales)

    with pytest.raises(JobError) as raised:
        JobTest(job)
    return str(raised.value)


class Alone(Process[str, Sale, str]):
    limit: BroadcastValue[int]


class Stateful(BroadcastProcess[tuple[()], Sale, Rule, str]):
    count: Value[int]


class Bare(BroadcastProcess[str, Sale, Rule, str]):
    limit: BroadcastValue  # type: ignore[type-arg]


class Untyped(BroadcastProcess):  # type: ignore[type-arg]
    pass


def test_what_is_wrong_is_said() -> None:
    keyed = "no stream is broadcast to it: use connect_broadcast"
    assert keyed in error(lambda rules, sales: sales.key_by(Sale.shop).process("p", Alone()))
    unkeyed = "records without a key have no state but the broadcast one"
    assert unkeyed in error(lambda rules, sales: sales.connect_broadcast(rules).process("p", Stateful()))
    wrong = "the function takes `Rule`, the stream has `Sale`"
    assert wrong in error(lambda rules, sales: sales.key_by(Sale.shop).connect_broadcast(sales).process("p", Watch()))
    other = "connect_broadcast takes a stream without a key"
    assert other in error(lambda rules, sales: sales.connect_broadcast(rules.key_by(Rule.item)))
    bare = "say of what it is, as in BroadcastValue[int]"
    assert bare in error(lambda rules, sales: sales.key_by(Sale.shop).connect_broadcast(rules).process("p", Bare()))
    untyped = "BroadcastProcess[key, record, broadcast, result]"
    assert untyped in error(lambda rules, sales: sales.key_by(Sale.shop).connect_broadcast(rules).process("p", Untyped()))
