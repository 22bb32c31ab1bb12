//! Broadcast state changed by a record of the other stream.

use tidemill::broadcast::*;
use tidemill::prelude::*;

struct Limited {
    limit: BroadcastValue<i64>,
}

impl BroadcastProcess for Limited {
    type Key = String;
    type In = i64;
    type Broadcast = i64;
    type Out = i64;

    fn on_record(&self, ctx: &mut Ctx<String, i64>, cents: i64) -> Result {
        ctx.shared(&self.limit).set(cents);
        ctx.state(&self.limit).set(cents);
        Ok(())
    }

    fn on_broadcast(&self, ctx: &mut BroadcastCtx<i64>, cents: i64) -> Result {
        ctx.shared(&self.limit).set(cents);
        Ok(())
    }
}

fn main() {}
