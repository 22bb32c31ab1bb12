//! A generator of watermarks under test.

use crate::watermark::{Generated, Strategy, WatermarkGenerator};

/// Tests watermarks that a job makes itself, of one split.
pub fn watermarks<T: 'static>(generated: Generated<T>) -> WatermarkTest<T> {
    let strategy = Strategy::from(generated);
    let every = match strategy.in_plan() {
        crate::plan::Watermarks::Guest { every_ms } => every_ms,
        _ => None,
    };
    let make = strategy.make().expect("a generated strategy makes generators");
    WatermarkTest { generator: make(), every, due: every, watermark: None }
}

/// A generator under test. The clock stands at 0 unless the test moves it.
pub struct WatermarkTest<T> {
    generator: Box<dyn WatermarkGenerator<T>>,
    every: Option<i64>,
    due: Option<i64>,
    watermark: Option<i64>,
}

impl<T> WatermarkTest<T> {
    /// Shows the generator a record with its event time.
    pub fn push(&mut self, record: T, time: i64) {
        let said = self.generator.on_record(&record, time);
        self.watermark = self.watermark.max(said);
    }

    /// Sets the processing time, and asks the generator where that is due.
    pub fn set_processing_time(&mut self, now: i64) {
        if self.due.is_some_and(|due| now >= due) {
            self.due = self.every.map(|every| now.saturating_add(every));
            let said = self.generator.on_periodic(now);
            self.watermark = self.watermark.max(said);
        }
    }

    /// The watermark; none before the first.
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }
}
