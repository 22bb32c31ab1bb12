//! Payments held against rules that change while the job runs: the rules are broadcast, every worker has all of them.

use tidemill::broadcast::{BroadcastCtx, BroadcastMap, BroadcastProcess};
use tidemill::prelude::*;

/// A payment.
#[derive(Clone, Record)]
pub struct Payment {
    id: i64,
    account: String,
    merchant: String,
    cents: i64,
    at: i64,
}

/// From `at` on, no payment to this merchant may be above the limit.
#[derive(Record)]
pub struct Rule {
    merchant: String,
    limit: i64,
    at: i64,
}

/// A payment that breaks the rule of its time.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Alert {
    payment: i64,
    account: String,
    cents: i64,
    limit: i64,
}

/// A payment waits until the watermark has come to its time, since a rule from before it may still be on its way: so the alerts are the same
/// whichever stream is ahead.
struct Screen {
    /// Limits by merchant and the time from which they hold.
    rules: BroadcastMap<(String, i64), i64>,
    waiting: ListState<Payment>,
    due: Timer,
}

impl BroadcastProcess for Screen {
    type Key = String;
    type In = Payment;
    type Broadcast = Rule;
    type Out = Alert;

    fn on_record(&self, ctx: &mut Ctx<String, Alert>, payment: Payment) -> Result {
        ctx.timer(&self.due).add(payment.at);
        ctx.state(&self.waiting).push(payment);
        Ok(())
    }

    fn on_broadcast(&self, ctx: &mut BroadcastCtx<Alert>, rule: Rule) -> Result {
        if rule.limit < 0 {
            bail!("a limit of {} cents", rule.limit);
        }
        ctx.shared(&self.rules).insert((rule.merchant, rule.at), rule.limit);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<String, Alert>, event: TimerEvent) -> Result {
        let (due, rest): (Vec<_>, Vec<_>) = ctx.state(&self.waiting).take().into_iter().partition(|payment| payment.at <= event.time());
        ctx.state(&self.waiting).set(rest);
        for payment in due {
            let first = (payment.merchant.clone(), i64::MIN);
            let last = (payment.merchant.clone(), payment.at);
            let limit = ctx.shared(&self.rules).range(first..=last).next_back().map(|(_, limit)| *limit);
            if let Some(limit) = limit.filter(|limit| payment.cents > *limit) {
                ctx.emit(Alert { payment: payment.id, account: ctx.key(), cents: payment.cents, limit });
            }
        }
        Ok(())
    }
}

#[tidemill::job]
fn dynamic_rules(job: &mut Job) -> Result {
    let rules = job.source::<Rule>("rules", json()).event_time(Rule::AT, out_of_order(seconds(5)));
    let screened = job
        .source::<Payment>("payments", json())
        .event_time(Payment::AT, out_of_order(seconds(5)))
        .key_by(Payment::ACCOUNT)
        .connect_broadcast(&rules)
        .process("screen", |d| Screen { rules: d.broadcast_map("rules"), waiting: d.list("waiting"), due: d.event_timer("due") });
    // A rule that makes no sense changes nothing.
    screened.on_error(OnError::Skip).sink("alerts", json().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    #[test]
    fn the_rule_of_its_time_holds_for_a_payment_whichever_comes_first() {
        let mut test = testing::job(dynamic_rules).start();
        let pay = |id, at| Payment { id, account: "a".to_owned(), merchant: "m".to_owned(), cents: 900, at };
        let rule = |limit, at| Rule { merchant: "m".to_owned(), limit, at };
        [pay(1, 10), pay(2, 20), pay(3, 30)].into_iter().for_each(|payment| test.push("payments", payment));
        [rule(1_000, 5), rule(500, 20), rule(-1, 25)].into_iter().for_each(|rule| test.push("rules", rule));
        test.restart();
        test.finish();
        let alert = |payment| Alert { payment, account: "a".to_owned(), cents: 900, limit: 500 };
        assert_eq!(test.sink::<Alert>("alerts"), [alert(2), alert(3)]);
        assert_eq!(test.refused(), ["a limit of -1 cents"]);
    }
}
