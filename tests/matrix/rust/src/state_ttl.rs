//! What users looked at, for ten seconds of event time: a value that reading renews, a list and a map whose entries expire one by one.

use tidemill::prelude::*;

const LIFE: i64 = 10;
/// Every user is told about one second before the end of each twelve.
const TELL_EVERY_MS: i64 = 12_000;
const TELL_BEFORE_MS: i64 = 1_000;

/// A look at an item; without one, a user asks what is known.
#[derive(Record)]
struct Look {
    user: String,
    item: String,
    at: i64,
}

#[derive(Record)]
struct Told {
    user: String,
    at: i64,
    since: Option<i64>,
    recent: String,
    counts: String,
}

struct Looks {
    since: ExpiringValue<i64>,
    recent: ExpiringList<String>,
    counts: ExpiringMap<String, i64>,
    tell: Timer,
}

impl Process for Looks {
    type Key = String;
    type In = Look;
    type Out = Told;

    fn on_record(&self, ctx: &mut Ctx<String, Told>, look: Look) -> Result {
        if look.item.is_empty() {
            self.tell(ctx, look.at);
            return Ok(());
        }
        if ctx.state(&self.since).get().is_none() {
            ctx.state(&self.since).set(look.at);
        }
        let count = ctx.state(&self.counts).get(&look.item).map_or(0, |count| *count);
        ctx.state(&self.counts).insert(look.item.clone(), count + 1);
        ctx.state(&self.recent).push(look.item);
        let next = (look.at / TELL_EVERY_MS + 1) * TELL_EVERY_MS;
        ctx.timer(&self.tell).replace(next - TELL_BEFORE_MS);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<String, Told>, event: TimerEvent) -> Result {
        self.tell(ctx, event.time());
        Ok(())
    }
}

impl Looks {
    fn tell(&self, ctx: &mut Ctx<String, Told>, at: i64) {
        let since = ctx.state(&self.since).cloned();
        let recent = ctx.state(&self.recent).get().join(",");
        let counts: Vec<String> = ctx.state(&self.counts).entries().iter().map(|(item, count)| format!("{item}={count}")).collect();
        ctx.emit(Told { user: ctx.key(), at, since, recent, counts: counts.join(",") });
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    let ttl = Ttl::event_time(seconds(LIFE));
    job.source::<Look>("looks", json())
        .event_time(Look::AT, monotonic())
        .key_by(Look::USER)
        .process("looks-of", |declare| Looks {
            since: declare.expiring_value("since", ttl.renewed_by_reads()),
            recent: declare.expiring_list("recent", ttl),
            counts: declare.expiring_map("counts", ttl),
            tell: declare.event_timer("tell"),
        })
        .sink("told", json());
    Ok(())
}
