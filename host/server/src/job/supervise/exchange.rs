//! A version that waits is tried in place first: its code is exchanged while the job runs. What cannot go that way stops the job.

use std::io;

use tokio::task::JoinHandle;

use super::super::record::{Next, Record, Taken};
use super::super::{ask, in_place};
use super::{Runner, Task, Watch, lost};
use crate::control::{Exchange, NOT_UNDERSTOOD, Reply, Request};
use crate::error::{Code, Error};
use crate::limits::{STATUS_WAIT, STOP_WAIT};

/// The try for one version.
pub(super) struct Exchanging {
    version: u32,
    asked: Option<JoinHandle<io::Result<Reply>>>,
    /// It has to go another way.
    given_up: bool,
}

impl Exchanging {
    /// Whether the runner may come to run the version.
    pub(super) fn is_under_way(&self) -> bool {
        self.asked.is_some()
    }
}

impl Task {
    /// Whether the version that waits is seen to while the runner goes on; else that has to stop for it.
    pub(super) async fn exchange(&mut self, runner: &Runner, watch: &mut Watch, record: &Record, next: &Next) -> bool {
        let version = next.version.number;
        let mut exchanging = watch.exchange.take().filter(|exchanging| exchanging.version == version).unwrap_or(Exchanging {
            version,
            asked: None,
            given_up: false,
        });
        if !exchanging.given_up && exchanging.asked.is_none() {
            match in_place::obstacle(record, next) {
                Some(why) => self.give_up(&mut exchanging, why.to_owned()).await,
                None => exchanging.asked = Some(self.ask_exchange(next)),
            }
        }
        if let Some(asked) = exchanging.asked.take_if(|asked| asked.is_finished()) {
            match asked.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(Reply::Exchanged { pause_us, lasted_us }) => {
                    self.exchanged(version, pause_us, lasted_us).await;
                    return true;
                }
                Ok(Reply::Elsewhere { why }) => self.give_up(&mut exchanging, why).await,
                Ok(Reply::Refused { message, .. }) if message == NOT_UNDERSTOOD => {
                    self.give_up(&mut exchanging, "its process is of an earlier release".to_owned()).await;
                }
                Ok(Reply::Refused { message, causes, hint, .. }) => {
                    self.refuse(Error { code: Code::RunnerRefused, message, causes, hint }, false).await;
                    return true;
                }
                // What becomes of the version follows from how the runner ends.
                Ok(Reply::Ended) => {}
                Ok(_) => {
                    self.refuse(Error::new(Code::Internal, "the runner has answered something else"), false).await;
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    watch.kill(runner, format!("the job did not take up its new version within {} s", STOP_WAIT.as_secs()));
                }
                // It does not listen yet, or no longer. Where it has switched it says so when it is asked again.
                Err(_) => {}
            }
        }
        let goes_on = !exchanging.given_up;
        watch.exchange = Some(exchanging);
        goes_on
    }

    fn ask_exchange(&self, next: &Next) -> JoinHandle<io::Result<Reply>> {
        let mut program = next.version.program(&self.context.options.places().components());
        program.extend(next.version.args.iter().map(|(name, value)| format!("--arg={name}={value}").into()));
        let program = program.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let request = Request::Exchange(Exchange { version: next.version.number, program });
        let job = std::sync::Arc::clone(&self.job);
        tokio::spawn(async move {
            let answer = ask(&job.socket, &request, STOP_WAIT).await;
            job.nudge.notify_one();
            answer
        })
    }

    async fn give_up(&self, exchanging: &mut Exchanging, why: String) {
        (exchanging.given_up, exchanging.asked) = (true, None);
        self.tell("job-restart-for-version", format!("version {}: {why}", exchanging.version));
        self.note_taken(exchanging.version, Taken::Restart { why }).await;
    }

    /// The runner runs the version: writes it down.
    async fn exchanged(&mut self, version: u32, pause_us: u64, lasted_us: u64) {
        // What was heard of it last may be a second old, in which the code before may have lost more than the new one is allowed to.
        let lost_before = match ask(&self.job.socket, &Request::Status, STATUS_WAIT).await {
            Ok(Reply::Status(status)) => lost(&status),
            _ => self.job.live().status.as_ref().map_or(0, lost),
        };
        self.note_taken(version, Taken::InPlace { pause_us, lasted_us }).await;
        self.advance(lost_before).await;
        let (pause, lasted) = (pause_us as f64 / 1e3, lasted_us as f64 / 1e3);
        let detail = format!("version {version}, in place: workers paused {pause:.1} ms at most, all had switched after {lasted:.1} ms");
        self.tell("job-switched", detail);
    }

    async fn note_taken(&self, version: u32, taken: Taken) {
        self.update(move |record| {
            if let Some(next) = record.next.as_mut().filter(|next| next.version.number == version) {
                next.version.taken = Some(taken.clone());
            }
        })
        .await;
    }
}
