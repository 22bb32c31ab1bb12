//! The task of one job: starts its runner or takes over the one that runs, watches it, and does what the record wants.

mod exchange;
mod stop;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_core::checkpoint::poison::{Hunt, Verdict};
use tidemill_core::checkpoint::restart::Restarts;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::decide::{self, Ended, Step, decide, judge, policy};
use super::record::{End, EndState, Next, Probation, Record, Version, Wanted};
use super::runner::{self, Runner};
use super::{Job, Live, Phase, ask, is_absent};
use crate::control::{Made, Reply, Request, Status};
use crate::error::{Code, Error, tell};
use crate::events::Events;
use crate::limits::{START_WAIT, STATUS_INTERVAL, STATUS_WAIT, STOP_WAIT};
use crate::options::Options;
use crate::process::now_ms;
use exchange::Exchanging;
pub(crate) use stop::made;
use stop::{Stopped, answer, stop};

/// How often a runner is asked that has not answered yet.
const STARTING_INTERVAL: Duration = Duration::from_millis(20);

/// What every job's task needs of the server.
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) events: Arc<Events>,
}

/// Supervises a job until it is over.
pub(crate) async fn supervise(job: Arc<Job>, context: Arc<Context>) {
    let task = Task { restarts: Restarts::new(policy()), hunt: Hunt::default(), given_up: None, job, context, savepoint: None };
    task.run().await;
}

struct Task {
    job: Arc<Job>,
    context: Arc<Context>,
    restarts: Restarts,
    /// For the record at which user code traps again and again. It begins anew with each version and each server.
    hunt: Hunt,
    /// Why it ended.
    given_up: Option<String>,
    /// The savepoint of the stop that was asked for.
    savepoint: Option<Made>,
}

impl Task {
    async fn run(mut self) {
        let (mut ended, mut ran) = self.begin().await;
        loop {
            let (record, now) = (self.job.record(), now_ms());
            let verdict = judge(&record, &ended, &mut self.hunt, now);
            let step = decide(&record, &ended, verdict.as_ref(), &mut self.restarts, ran, now);
            self.speak(verdict);
            let Some(runner) = self.take(step, &ended).await else { return };
            let begun = Instant::now();
            ended = match runner {
                Ok(runner) => self.follow(runner).await,
                Err(error) => Ended::Died(format!("the job's process cannot be started: {error}")),
            };
            ran = begun.elapsed();
        }
    }

    /// Says what was found out about a record.
    fn speak(&mut self, verdict: Option<Verdict>) {
        match verdict {
            None | Some(Verdict::Watch) => {}
            Some(Verdict::SetAside(which)) => {
                let text = format!("a record is set aside, because user code has trapped at it twice, {which}");
                self.note("warn", &text);
                self.tell("job-record-set-aside", text);
            }
            Some(Verdict::Fail(why)) => self.given_up = Some(why),
        }
    }

    /// A runner that an earlier server has started is followed first.
    async fn begin(&mut self) -> (Ended, Duration) {
        match Runner::find(&self.job) {
            Ok(Some(runner)) => {
                self.tell("job-adopted", format!("process {} goes on", runner.process.pid));
                let begun = Instant::now();
                (self.follow(runner).await, begun.elapsed())
            }
            Ok(None) if self.job.record().begun => (runner::ended_unseen(&self.job.folder), Duration::ZERO),
            Ok(None) => (Ended::Fresh, Duration::ZERO),
            Err(error) => (Ended::Died(format!("the lock of the job cannot be read: {error}")), Duration::ZERO),
        }
    }

    /// Does what was decided; none when the job is over.
    async fn take(&mut self, step: Step, ended: &Ended) -> Option<io::Result<Runner>> {
        match step {
            Step::Over(state) => {
                if decide::has_exchanged(&self.job.record(), ended) {
                    self.advance(0).await;
                }
                self.over(state, ended).await;
                return None;
            }
            Step::Adopt => {
                // Whoever has the lock may be on its way out; then there is nobody to find, and the files say how it ended.
                if let Ok(Some(runner)) = Runner::find(&self.job) {
                    return Some(Ok(runner));
                }
            }
            Step::Start(after) => self.pause(after, ended).await,
            Step::Advance => self.advance(0).await,
            Step::Settle => self.settle("the new version stays: it has saved its state when it was told to end").await,
            Step::RollBack(why) => {
                if decide::has_exchanged(&self.job.record(), ended) {
                    self.advance(0).await;
                }
                self.roll_back(why).await;
            }
            Step::Forgo(why, step) => {
                let text = format!("the change is given up: the job failed before it had stopped: {why}");
                self.refuse(Error::new(Code::JobState, text), false).await;
                return Box::pin(self.take(*step, ended)).await;
            }
        }
        self.start().await
    }

    /// Waits before a start, unless somebody wants something else meanwhile.
    async fn pause(&self, after: Duration, ended: &Ended) {
        if *ended == Ended::Fresh {
            return;
        }
        let why = ended.reason();
        self.tell("job-restarting", format!("in {} ms: {why}", after.as_millis()));
        self.note("warn", &format!("{why}; it is started again in {} ms, from the last checkpoint", after.as_millis()));
        let at = now_ms() + after.as_millis() as u64;
        self.job.set_live(|live| *live = Live { phase: Phase::Restarting(at), last_failure: Some(why), ..Live::default() });
        self.update(|record| record.restarts = record.restarts.saturating_add(1)).await;
        let other = self.job.until(|record, _| (record.wanted != Wanted::Run || record.next.is_some()).then_some(()));
        // Either way the next thing is to look at the record.
        let _ = timeout(after, other).await;
    }

    async fn start(&mut self) -> Option<io::Result<Runner>> {
        let record = self.job.record();
        match record.wanted {
            Wanted::Run => {}
            // Asked for between two runners: there is nobody to ask.
            Wanted::Cancel => {
                self.over(EndState::Cancelled, &Ended::Fresh).await;
                return None;
            }
            Wanted::Stop { .. } => {
                self.over(EndState::Stopped, &Ended::Fresh).await;
                return None;
            }
        }
        if record.next.is_some() {
            self.advance(0).await;
        }
        self.update(|record| record.begun = true).await;
        let record = self.job.record();
        self.job.set_live(|live| *live = Live { last_failure: live.last_failure.take(), refusal: live.refusal.take(), ..Live::default() });
        self.tell("job-starting", format!("version {}", record.version.number));
        Some(Runner::start(&self.job, &record, self.hunt.watchlist(), &self.context.options))
    }

    /// The version that waits is the present one; `lost_before` records had been lost by the code before in the same process.
    async fn advance(&mut self, lost_before: u64) {
        self.hunt = Hunt::default();
        self.update(move |record| {
            let Some(Next { version, probation_ms, errors_max }) = record.next.take() else { return };
            let (before, why) = (Box::new(record.version.clone()), version.why.clone());
            record.advance(version, now_ms(), &why);
            record.probation = Some(Probation { until_ms: now_ms() + probation_ms, before, errors_max, lost_before });
        })
        .await;
        let record = self.job.record();
        self.tell("job-version", format!("version {}: {}", record.version.number, record.version.why));
    }

    async fn roll_back(&mut self, why: String) {
        self.hunt = Hunt::default();
        let text = format!("rolled back: {why}");
        let outcome = text.clone();
        self.update(move |record| {
            let Some(Probation { before, .. }) = record.probation.take() else { return };
            let (number, why) = (record.next_number(), format!("back to version {}", before.number));
            record.advance(Version { number, since_ms: now_ms(), why, taken: None, ..*before }, now_ms(), &outcome);
        })
        .await;
        self.copy_plan().await;
        self.note("warn", &text);
        self.job.set_live(|live| live.refusal = Some(Error::new(Code::SwapRefused, text.clone())));
        self.tell("job-rolled-back", text);
    }

    /// The plan of a version that came back is that of the version it was.
    async fn copy_plan(&self) {
        let record = self.job.record();
        let before = record.history.iter().rev().find(|past| same(&past.version, &record.version)).map(|past| past.version.number);
        let Some(before) = before else { return };
        let (from, to) = (self.job.plan_file(before), self.job.plan_file(record.version.number));
        let copied = tokio::task::spawn_blocking(move || std::fs::copy(from, to)).await;
        if !matches!(copied, Ok(Ok(_))) {
            tell(&format!("job {}: the plan of version {before} cannot be copied", self.job.id));
        }
    }

    /// Watches a runner to its end.
    async fn follow(&mut self, runner: Runner) -> Ended {
        self.job.set_live(|live| live.pid = Some(runner.process.pid));
        let mut watch = Watch { begun: Instant::now(), answered: false, stop: None, killed: None, exchange: None };
        loop {
            let interval = if watch.answered { STATUS_INTERVAL } else { STARTING_INTERVAL };
            tokio::select! {
                () = runner.process.ended() => break,
                () = self.job.nudge.notified() => {}
                () = sleep(interval) => {
                    tokio::select! {
                        () = runner.process.ended() => break,
                        answer = ask(&self.job.socket, &Request::Status, STATUS_WAIT) => self.heard(&runner, &mut watch, answer).await,
                    }
                }
            }
            self.obey(&runner, &mut watch).await;
        }
        self.savepoint = match watch.stop {
            Some((_, asked)) => answer(asked, STATUS_WAIT).await,
            None => None,
        };
        let ended = runner.ended(&self.job.folder);
        self.job.set_live(|live| {
            live.pid = None;
            live.rates = (0.0, 0.0);
        });
        match watch.killed {
            Some(why) if !ended.is_good() => Ended::Died(why),
            _ => ended,
        }
    }

    /// Takes what the runner says of itself.
    async fn heard(&self, runner: &Runner, watch: &mut Watch, answer: io::Result<Reply>) {
        match answer {
            Ok(Reply::Status(status)) => {
                if !watch.answered {
                    watch.answered = true;
                    self.tell("job-running", format!("process {}", runner.process.pid));
                }
                self.judge(runner, watch, &status);
                self.job.set_live(|live| live.hear(*status, watch.stop.is_some()));
                self.end_probation().await;
            }
            Ok(_) => {}
            Err(error) if !watch.answered && is_absent(&error) && watch.begun.elapsed() > START_WAIT => {
                watch.kill(runner, format!("the job has not begun within {} s", START_WAIT.as_secs()));
            }
            // A machine that is busy answers later.
            Err(_) => {}
        }
    }

    /// Ends a runner that takes more than it was given, or a new version that loses too much.
    fn judge(&self, runner: &Runner, watch: &mut Watch, status: &Status) {
        let record = self.job.record();
        let need = record.version.need();
        // An instance that is replaced is there twice for a moment.
        let most = need.bytes() + need.workers * need.components * need.instance_bytes;
        if status.rss_bytes > most {
            let (rss, most) = (crate::admission::mib(status.rss_bytes), crate::admission::mib(most));
            watch.kill(runner, format!("the job's process took {rss}, more than its limit of {most}"));
        }
        if let Some(probation) = record.probation
            && let Some(errors_max) = probation.errors_max
            && let lost = lost(status).saturating_sub(probation.lost_before)
            && lost > errors_max
        {
            watch.kill(runner, format!("{lost} records were skipped or dead-lettered in probation, more than {errors_max}"));
        }
    }

    async fn end_probation(&self) {
        let is_over = |probation: &Probation| probation.until_ms <= now_ms();
        if self.job.record().probation.as_ref().is_some_and(is_over) {
            self.settle("the new version stays").await;
        }
    }

    async fn settle(&self, why: &str) {
        self.update(|record| record.probation = None).await;
        self.tell("job-probation-passed", why);
    }

    /// Does what the record wants of a runner that lives.
    async fn obey(&mut self, runner: &Runner, watch: &mut Watch) {
        let record = self.job.record();
        let (drain, savepoint) = match record.wanted {
            Wanted::Cancel => return watch.kill(runner, "cancelled".to_owned()),
            Wanted::Stop { drain, savepoint } => (drain, savepoint),
            Wanted::Run => match record.next.clone() {
                Some(next) if watch.stop.is_some() || !self.exchange(runner, watch, &record, &next).await => (false, None),
                _ => return,
            },
        };
        match &mut watch.stop {
            None => {
                self.job.set_live(|live| live.phase = Phase::Stopping);
                self.tell("job-stopping", if drain { "draining" } else { "finishing what is in flight" });
                let (socket, request) = (self.job.socket.clone(), Request::Stop { savepoint, drain });
                watch.stop = Some((Instant::now(), tokio::spawn(async move { stop(&socket, request).await })));
            }
            Some((since, _)) if since.elapsed() > STOP_WAIT => {
                watch.kill(runner, format!("the job did not stop within {} s", STOP_WAIT.as_secs()));
            }
            Some((_, asked)) if asked.is_finished() => {
                // An answer while the process lives on is a refusal, or the end is a moment away.
                let answer = (&mut *asked).await.unwrap_or(Ok(None));
                watch.stop = Some((Instant::now(), tokio::spawn(std::future::ready(answer.clone()))));
                if let Err(error) = answer
                    && error.code == Code::RunnerRefused
                    && timeout(STATUS_INTERVAL, runner.process.ended()).await.is_err()
                {
                    watch.stop = None;
                    self.refuse(error, watch.exchange.as_ref().is_some_and(Exchanging::is_under_way)).await;
                }
            }
            Some(_) => {}
        }
    }

    /// The runner goes on as before: what was asked for is not wanted any more. `keep` the version that waits where it is being taken up.
    async fn refuse(&self, error: Error, keep: bool) {
        self.tell("job-refused", error.message.clone());
        self.update(move |record| {
            record.wanted = Wanted::Run;
            record.next.take_if(|_| !keep);
        })
        .await;
        self.job.set_live(|live| {
            live.phase = Phase::Running;
            live.refusal = Some(error);
        });
    }

    async fn over(&mut self, state: EndState, ended: &Ended) {
        let mut end =
            End { state, at_ms: now_ms(), message: None, causes: vec![], hint: None, savepoint: self.savepoint.take(), status: None };
        end.status = self.job.live().status;
        match ended {
            Ended::Said(outcome) => {
                end.message = outcome.message.clone();
                end.causes = outcome.causes.clone();
                end.hint = outcome.hint.clone();
                end.status = outcome.status.clone().or(end.status);
            }
            Ended::Died(how) if state == EndState::Failed => end.message = Some(how.clone()),
            _ => {}
        }
        end.causes.extend(self.given_up.take().map(|why| format!("the job is given up: {why}")));
        let detail = end.message.clone().unwrap_or_default();
        self.update(move |record| {
            record.end = Some(end.clone());
            record.probation = None;
            record.next = None;
        })
        .await;
        self.job.set_live(|live| *live = Live { refusal: live.refusal.take(), ..Live::default() });
        // A socket that a killed runner has left leads nowhere.
        let _ = std::fs::remove_file(&self.job.socket);
        self.tell(over_event(state), detail);
    }

    /// Changes the record, as soon as the disk takes it: nothing is done that is not written down.
    async fn update(&self, change: impl Fn(&mut Record) + Clone + Send + 'static) {
        let mut told = false;
        loop {
            let change = change.clone();
            let changed = self.job.update(move |record| {
                change(record);
                Ok(())
            });
            match changed.await {
                Ok(()) => return,
                Err(error) if !told => tell(&format!("job {} waits: {error}", self.job.id)),
                Err(_) => {}
            }
            told = true;
            sleep(STATUS_INTERVAL).await;
        }
    }

    fn tell(&self, event: &'static str, detail: impl Into<String>) {
        self.context.events.tell(event, Some((&self.job.id, &self.job.name)), detail);
    }

    /// Adds a line to the job's log, which no runner writes at that moment.
    fn note(&self, level: &str, message: &str) {
        let line = serde_json::json!({"time_ms": now_ms(), "level": level, "operator": "supervisor", "message": message});
        let file = std::fs::OpenOptions::new().append(true).create(true).open(self.job.log());
        if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())) {
            tell(&format!("job {}: its log cannot be written: {error}", self.job.id));
        }
    }
}

/// What a task keeps of the runner it follows.
struct Watch {
    begun: Instant,
    /// Whether it has answered once.
    answered: bool,
    /// The request to stop that is under way, and since when.
    stop: Option<(Instant, JoinHandle<Stopped>)>,
    /// Why it was killed.
    killed: Option<String>,
    /// The exchange of its code that is tried.
    exchange: Option<Exchanging>,
}

/// Records that user code refused.
fn lost(status: &Status) -> u64 {
    status.skipped + status.dead_lettered
}

impl Watch {
    fn kill(&mut self, runner: &Runner, why: String) {
        self.killed.get_or_insert(why);
        runner.process.kill();
    }
}

impl Live {
    fn hear(&mut self, status: Status, stopping: bool) {
        let now = Instant::now();
        if let (Some(before), Some(at)) = (&self.status, self.polled) {
            let seconds = now.saturating_duration_since(at).as_secs_f64().max(1e-3);
            let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds).round();
            self.rates = (rate(status.records_in, before.records_in), rate(status.records_out, before.records_out));
        }
        self.polled = Some(now);
        self.phase = if stopping || status.stopping { Phase::Stopping } else { Phase::Running };
        self.status = Some(status);
    }
}

/// Whether two versions run the same, whatever their numbers.
fn same(a: &Version, b: &Version) -> bool {
    let code = |version: &Version| (version.component.clone(), version.wires.clone());
    let rest = (&a.args, &a.bindings, a.parallelism, a.workers) == (&b.args, &b.bindings, b.parallelism, b.workers);
    rest && code(a) == code(b)
}

fn over_event(state: EndState) -> &'static str {
    match state {
        EndState::Finished => "job-finished",
        EndState::Stopped => "job-stopped",
        EndState::Failed => "job-failed",
        EndState::Cancelled => "job-cancelled",
    }
}
