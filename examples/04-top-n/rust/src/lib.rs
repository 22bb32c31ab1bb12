//! The most viewed articles of every minute: `--arg n=3` of them, in lines `until,rank,article,views`.
//!
//! In two steps, so that all workers share the counting: the host counts the views of each article, then the counts of one
//! minute come together and the greatest are kept.

use std::cmp::Reverse;

use tidemill::prelude::*;

#[derive(Record)]
struct View {
    article: String,
    at: i64,
}

/// How often an article was viewed in the minute that ends at `until`.
#[derive(Clone, Debug, PartialEq, Record)]
struct Views {
    until: i64,
    article: String,
    views: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Rank {
    until: i64,
    rank: i64,
    article: String,
    views: i64,
}

/// The `n` most viewed, the first in the alphabet before its equals.
struct Top {
    n: usize,
}

impl Aggregate for Top {
    type In = Views;
    type Acc = List<Views>;
    type Out = Vec<Views>;

    fn start(&self) -> List<Views> {
        List(Vec::new())
    }

    fn add(&self, top: &mut List<Views>, views: &Views) {
        fn place(views: &Views) -> (Reverse<i64>, &str) {
            (Reverse(views.views), &views.article)
        }
        let at = top.partition_point(|other| place(other) < place(views));
        if at < self.n {
            top.insert(at, views.clone());
            top.truncate(self.n);
        }
    }

    fn merge(&self, into: &mut List<Views>, from: &List<Views>) {
        from.iter().for_each(|views| self.add(into, views));
    }

    fn finish(&self, top: &List<Views>) -> Vec<Views> {
        top.to_vec()
    }
}

/// The job.
#[tidemill::job]
pub fn top_n(job: &mut Job) -> Result {
    let n = job.arg_parse_or("n", 3)?;
    job.source::<View>("views", csv().default("stdin:"))
        .event_time(View::AT, out_of_order(seconds(5)))
        .key_by(View::ARTICLE)
        .window(tumbling(minutes(1)))
        .count("count")
        .map("views-of", |c| Views { until: c.end, article: c.key, views: c.count })
        .key_by(Views::UNTIL)
        .window(tumbling(minutes(1)))
        .aggregate_flat("top", Top { n }, |window, top, out| {
            for (rank, views) in (1..).zip(top) {
                out.emit(Rank { until: window.key(), rank, article: views.article, views: views.views });
            }
        })
        .sink("ranking", csv().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::{Rank, View, Views, top_n};

    fn views(article: &str, views: i64) -> Views {
        Views { until: 60_000, article: article.to_owned(), views }
    }

    #[test]
    fn the_greatest_are_ranked_and_equals_stand_in_the_order_of_the_alphabet() {
        let mut test = testing::operator_with(top_n, &[("n", "2")], "top");
        for (article, n) in [("c", 5), ("b", 7), ("a", 5), ("d", 1)] {
            test.push(views(article, n), 59_999);
        }
        test.restart();
        test.watermark(59_999);
        let ranking: Vec<_> = test.output::<Rank>().into_iter().map(|(rank, _)| (rank.rank, rank.article)).collect();
        assert_eq!(ranking, [(1, "b".to_owned()), (2, "a".to_owned())]);
    }

    #[test]
    fn each_minute_has_a_ranking_of_its_own() {
        let mut test = testing::job(top_n).start();
        for (article, at) in [("a", 0), ("b", 59_999), ("b", 1), ("a", 60_000)] {
            test.push("views", View { article: article.to_owned(), at });
        }
        test.finish();
        assert_eq!(test.sink_lines("ranking"), ["60000,1,b,2", "60000,2,a,1", "120000,1,a,1"]);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let error = testing::job(top_n).arg("n", "three").error().expect("a refusal");
        assert!(error.contains("n=\"three\""), "{error}");
        let error = testing::job(top_n).arg("m", "3").error().expect("a refusal");
        assert_eq!(error, "unknown argument \"m\": this job takes n");
    }

    #[test]
    fn the_sample_is_ranked() {
        let mut test = testing::job(top_n).start();
        let sample = include_str!("../../input.csv");
        test.push_lines("views", sample.split_once('\n').expect("a header").1);
        test.finish();
        let mut lines = test.sink_lines("ranking");
        lines.sort();
        assert_eq!(lines, include_str!("../../expected.csv").lines().collect::<Vec<_>>());
    }
}
