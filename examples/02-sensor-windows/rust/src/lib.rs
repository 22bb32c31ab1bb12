//! The average temperature of every sensor in windows of ten seconds.

use tidemill::prelude::*;

#[derive(Clone, Debug, Record)]
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

/// The job.
#[tidemill::job]
pub fn sensor_averages(job: &mut Job) -> Result {
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

    use super::{Average, Reading, sensor_averages};

    fn reading(celsius: f64, at: i64) -> Reading {
        Reading { sensor: "mill".to_owned(), celsius, at }
    }

    fn average(celsius: f64, until: i64) -> Average {
        Average { sensor: "mill".to_owned(), celsius, until }
    }

    #[test]
    fn a_reading_within_two_seconds_is_not_late() {
        let mut test = testing::job(sensor_averages).start();
        test.push("readings", reading(10.0, 9_000));
        test.push("readings", reading(99.0, 11_999));
        test.push("readings", reading(20.0, 9_999));
        test.push("readings", reading(99.0, 12_000));
        assert_eq!(test.sink::<Average>("averages"), [average(15.0, 10_000)]);
    }

    #[test]
    fn a_reading_that_comes_later_goes_to_the_late_port() {
        let mut test = testing::job(sensor_averages).start();
        test.push("readings", reading(10.0, 9_000));
        test.push("readings", reading(99.0, 12_000));
        test.push("readings", reading(20.0, 9_999));
        test.finish();
        assert_eq!(test.sink::<Average>("averages"), [average(10.0, 10_000), average(99.0, 20_000)]);
        assert_eq!(test.output::<Reading>("average", "late").len(), 1);
    }

    #[test]
    fn the_average_alone() {
        let mut test = testing::operator(sensor_averages, "average");
        test.push(reading(-1.0, -5), -5);
        test.push(reading(3.0, -1), -1);
        test.restart();
        test.watermark(-1);
        assert_eq!(test.output::<Average>(), [(average(1.0, 0), -1)]);
    }

    #[test]
    fn the_sample_is_averaged() {
        let mut test = testing::job(sensor_averages).start();
        test.push_lines("readings", include_str!("../../input.json"));
        test.finish();
        let mut lines = test.sink_lines("averages");
        lines.sort();
        assert_eq!(lines, include_str!("../../expected.json").lines().collect::<Vec<_>>());
    }
}
