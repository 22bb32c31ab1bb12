//! State used without the context that knows the key.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

struct Count {
    count: Value<i64>,
}

impl Process for Count {
    type Key = String;
    type In = Reading;
    type Out = i64;

    fn on_record(&self, ctx: &mut Ctx<String, i64>, _: Reading) -> Result {
        let count = self.count.get().map_or(0, |count| *count) + 1;
        self.count.set(count);
        ctx.emit(count);
        Ok(())
    }
}

fn main() {}
