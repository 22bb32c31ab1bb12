//! `tidemill explain watermark`: the answer in a sentence, then every operator.

use serde_json::json;
use tidemill_core::explain::Facts;
use tidemill_core::explain::watermark::{Standing, all, foremost};

use super::words;
use crate::commands::checkpoint::table;

/// The answer: what the foremost operator waits for.
fn answer(facts: &Facts, standings: &[Standing]) -> String {
    match foremost(facts) {
        Some(place) => words::standing(facts, &standings[place]),
        None => "the job has no operators".to_owned(),
    }
}

/// For people.
pub(super) fn text(facts: &Facts) -> String {
    let standings = all(facts);
    let mut text = format!("{}\n\n", answer(facts, &standings));
    let mut rows = vec![["OPERATOR", "KIND", "WATERMARK", "FOR", "HELD BY"].map(str::to_owned).to_vec()];
    rows.extend(standings.iter().map(|standing| {
        let operator = &facts.operators[standing.operator];
        vec![
            operator.name.clone(),
            operator.kind.clone(),
            words::time(standing.watermark),
            standing.age_ms.map_or_else(|| "-".to_owned(), words::span),
            words::holder(facts, &standing.holder),
        ]
    }));
    text.push_str(&table(&rows));
    let idle = words::idle(facts, 0..facts.operators.len());
    let silent = facts.operators.iter().filter(|operator| operator.workers.iter().any(|worker| worker.silent));
    let silent = silent.map(|operator| format!("`{}` has not answered: what is shown of it may be old", operator.name));
    let notes: String = idle.into_iter().chain(silent).map(|line| format!("{line}\n")).collect();
    if !notes.is_empty() {
        text.push_str(&format!("\n{notes}"));
    }
    text
}

/// For programs.
pub(super) fn json(facts: &Facts) -> serde_json::Value {
    let standings = all(facts);
    json!({"answer": answer(facts, &standings), "foremost": foremost(facts), "watermarks": standings, "facts": facts})
}
