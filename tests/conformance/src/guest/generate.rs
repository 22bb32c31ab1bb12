//! Generators of watermarks: punctuated by what stands in the records, or by the clock.

use serde_json::Value as Json;
use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::guest::{Error, OperatorId};

use super::Interpreter;

impl Interpreter {
    /// The watermark of a split, behind a block or by the clock.
    pub(super) fn generate(
        &mut self,
        operator: OperatorId,
        split: u32,
        now: TimeMs,
        block: Option<&Block>,
    ) -> Result<Option<TimeMs>, Error> {
        let behaviour = self.behaviour(operator);
        let Some(block) = block else { return self.told(operator, split, now, None, &behaviour.on_clock) };
        let schema = self.plan.operators[operator as usize].outputs[0].schema.clone();
        let mut greatest = None;
        for (row, record) in (0..).zip(crate::record::rows(block, &schema)) {
            let text = behaviour.generate.as_ref().and_then(|field| record.record.get(field)).and_then(Json::as_str);
            let said = self.told(operator, split, now, Some(row), text.unwrap_or_default())?;
            greatest = greatest.max(said);
        }
        Ok(greatest)
    }

    /// Does what a text says; words with `;` between them.
    fn told(&mut self, operator: OperatorId, split: u32, now: TimeMs, row: Option<u32>, text: &str) -> Result<Option<TimeMs>, Error> {
        let mut said = None;
        for command in text.split(';').map(str::trim).filter(|command| !command.is_empty()) {
            let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
            let kept = self.kept.entry((operator, split)).or_default();
            match (word, rest.parse::<TimeMs>()) {
                ("watermark", Ok(time)) => said = Some(time),
                ("keep", Ok(time)) => *kept = time,
                ("add", Ok(time)) => {
                    *kept += time;
                    said = Some(*kept);
                }
                ("kept", _) => said = Some(*kept),
                ("now", Ok(behind)) => said = Some(now - behind),
                ("trap", _) => {
                    let at = row.map(|row| (operator, row));
                    return Err(Error::Trap { export: "watermark", message: rest.to_owned(), backtrace: Vec::new(), at });
                }
                _ => return Err(Error::Contract { export: "watermark", message: format!("there is no command {command:?}") }),
            }
        }
        Ok(said)
    }
}
