//! What happens to bad records, chosen by `--arg on-bad=fail|skip|dead-letter`: lines the source cannot decode, and negative
//! numbers, which the operator `positive` refuses.

use tidemill::prelude::*;

#[derive(Record)]
struct Number {
    n: i64,
}

#[tidemill::job]
fn policy(job: &mut Job) -> Result {
    let on_bad = job.arg_or("on-bad", "fail");
    let numbers = job.source::<Number>("numbers", json().default("stdin:"));
    let positive = numbers.try_map("positive", |number| match number.n {
        0.. => Ok(number),
        n => Err(format!("{n} is negative")),
    });
    match on_bad.as_str() {
        "fail" => {}
        "skip" => {
            let _ = (numbers.on_error(OnError::Skip), positive.on_error(OnError::Skip));
        }
        "dead-letter" => numbers.dead_letters().union("letters", [&positive.dead_letters()]).sink("bad", json().default("discard:")),
        other => bail!("on-bad={other:?} is no choice: fail, skip or dead-letter"),
    }
    positive.sink("results", json().default("stdout:"));
    Ok(())
}
