//! The average temperature of every sensor in windows of ten seconds.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Average {
    sensor: String,
    celsius: f64,
    until: i64,
}

#[tidemill::job]
fn averages(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json().default("stdin:"))
        .event_time(Reading::AT, out_of_order(seconds(2)))
        .key_by(Reading::SENSOR)
        .window(tumbling(seconds(10)))
        .aggregate("average", mean(Reading::CELSIUS), |w, celsius| Average { sensor: w.key(), celsius, until: w.end() })
        .sink("averages", json().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    #[test]
    fn a_window_is_averaged_once_event_time_has_passed_it() {
        let mut test = testing::job(averages).start();
        let reading = |celsius, at| Reading { sensor: "cellar".to_owned(), celsius, at };
        test.push("readings", reading(20.0, 1_000));
        test.push("readings", reading(22.0, 9_999));
        test.push("readings", reading(30.0, 12_000));
        let average = Average { sensor: "cellar".to_owned(), celsius: 21.0, until: 10_000 };
        assert_eq!(test.sink::<Average>("averages"), [average]);
    }
}
