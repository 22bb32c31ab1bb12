//! Other code for a job that runs here: loaded beside the present one, compared with it, and exchanged at a boundary.
//!
//! Only what has the same plan is exchanged; for the rest the job is started anew from a checkpoint, which is its server's work. Until the
//! boundary everything that goes wrong leaves the job as it was.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::guest::Factory;
use tidemill_core::plan::Plan;
use tidemill_dataflow::{Control, SwitchError, Switched};
use tidemill_server::control::{Exchange as Wanted, Reply};
use tidemill_state::{Coordinator, Wish};

use crate::fault::{Fault, Outcome};
use crate::loaded::Present;
use crate::prepare::{self, Prepared};
use crate::settings::Settings;

/// How long workers may take to make an instance of the new code, and once more until a boundary is announced: a checkpoint may be
/// under way, and instances of some languages take a second to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes what workers make instances with; the number of workers is the job's.
type MakeFactory = Box<dyn Fn(&Prepared, &Settings) -> Outcome<Arc<dyn Factory>> + Send + Sync>;

/// See the module.
pub(crate) struct Exchange {
    pub(crate) settings: Settings,
    pub(crate) plan: Arc<Plan>,
    pub(crate) present: Arc<Present>,
    pub(crate) control: Arc<Control>,
    pub(crate) coordinator: Option<Arc<Coordinator>>,
    pub(crate) factory: MakeFactory,
    /// Until then no checkpoint is taken.
    pub(crate) held_until: Instant,
    /// Whether some records are set aside, which is done for the code that the process began with.
    pub(crate) sets_aside: bool,
    /// The version that runs, or may: none while it is the one that the process began with. One exchange at a time.
    pub(crate) version: Mutex<Option<Taken>>,
}

/// A version that has taken over, or is about to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    wanted: Wanted,
    /// How, once it has.
    switched: Option<Switched>,
}

impl Exchange {
    /// The version that the process came to run after the one it began with, or was about to.
    pub(crate) fn version(&self) -> Option<u32> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|taken| taken.wanted.version)
    }

    /// Exchanges the code, or says why that has to go another way.
    ///
    /// # Errors
    /// When the new code is no good. The job goes on as before.
    pub(crate) fn exchange(&self, wanted: Wanted) -> Outcome<Reply> {
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Taken { wanted: before, switched: Some(switched) }) = &*version
            && *before == wanted
        {
            // A server that was killed asks again.
            return Ok(exchanged(switched));
        }
        if let Some(why) = self.obstacle() {
            return Ok(Reply::Elsewhere { why: why.to_owned() });
        }
        let settings = self.settings.with_program(&wanted.program)?;
        let prepared = prepare::prepare(&settings)?;
        if let Some(why) = difference(&self.plan, &prepared.plan) {
            return Ok(Reply::Elsewhere { why });
        }
        let factory = (self.factory)(&prepared, &settings)?;
        let before = version.replace(Taken { wanted: wanted.clone(), switched: None });
        let mut granted = None;
        let begin = || granted = self.coordinator.as_ref().map(|coordinator| coordinator.wish(Wish::Checkpoint));
        let switched = self.control.switch(factory, begin, PATIENCE);
        if !matches!(switched, Ok(_) | Err(SwitchError::Midway)) {
            *version = before;
        }
        match switched {
            Ok(switched) => {
                if let Some(coordinator) = &self.coordinator {
                    coordinator.relabel(prepared.components.digest());
                }
                self.present.replace(prepared.components);
                *version = Some(Taken { wanted, switched: Some(switched) });
                Ok(exchanged(&switched))
            }
            Err(error @ (SwitchError::Busy(_) | SwitchError::Late(_))) => Ok(Reply::Elsewhere { why: error.to_string() }),
            Err(SwitchError::Guest(error)) => Err(Fault::refused("the new version cannot begin").because(&error)),
            Err(SwitchError::Ended | SwitchError::Midway) => Ok(Reply::Ended),
        }
    }

    fn obstacle(&self) -> Option<&'static str> {
        if self.coordinator.is_none() {
            return Some("the job keeps no checkpoints");
        }
        if self.sets_aside {
            return Some("records are set aside at which the code before has trapped");
        }
        (Instant::now() < self.held_until).then_some("the version before is on probation and takes no checkpoint")
    }
}

fn exchanged(switched: &Switched) -> Reply {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Reply::Exchanged { pause_us: us(switched.pause), lasted_us: us(switched.lasted) }
}

/// What keeps a plan from going on with the state and the streams of another.
fn difference(before: &Plan, after: &Plan) -> Option<String> {
    if (&before.contract, before.fuse, before.operators.len()) != (&after.contract, after.fuse, after.operators.len()) {
        return Some("its plan has other operators".to_owned());
    }
    let other = before.operators.iter().zip(&after.operators).find(|(before, after)| before != after);
    other.map(|(before, _)| format!("operator {:?} differs in its plan", before.name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_may_differ_in_its_name_only() {
        let plan = |name: &str, more: &str| -> Plan {
            let text = format!(
                r#"{{"contract":"0.2.0","name":"{name}","operators":[{{"name":"a","kind":"map","inputs":[{{"from":"s"}}],"outputs":[{{"schema":"n:i64"}}]}}{more}]}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let (one, two) = (plan("one", ""), plan("two", ""));
        assert_eq!(difference(&one, &two), None);
        let more = plan("one", r#",{"name":"b","kind":"filter","inputs":[{"from":"a"}]}"#);
        assert_eq!(difference(&one, &more).unwrap(), "its plan has other operators");
        let mut other = plan("one", "");
        other.operators[0].outputs[0].schema = "n:i32".parse().unwrap();
        assert_eq!(difference(&one, &other).unwrap(), "operator \"a\" differs in its plan");
        other = plan("one", "");
        other.contract = "0.1.0".to_owned();
        assert!(difference(&one, &other).is_some());
    }
}
