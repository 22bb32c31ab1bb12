//! What follows the end of a runner: a pure decision over what the record says and how it ended.

use std::time::Duration;

use tidemill_core::checkpoint::poison::{Hunt, Verdict};
use tidemill_core::checkpoint::restart::{self, Policy, Restarts};

use super::record::{EndState, Record, Wanted};
use crate::control::Outcome;
use crate::limits::{RESTART_DELAY, RESTART_DELAY_MAX, RESTART_RESET, RESTARTS_MAX};

/// How a runner ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ended {
    /// There has not been one yet.
    Fresh,
    /// It has said how.
    Said(Box<Outcome>),
    /// It was killed or crashed; what is known of that.
    Died(String),
    /// Another runner has the job.
    Taken,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start a runner after this long.
    Start(Duration),
    /// Put `next` in place, then start.
    Advance,
    /// End the probation, then start: what the new version keeps is saved, and the old one could not read it.
    Settle,
    /// Go back to the version before the probation, then start.
    RollBack(String),
    /// Give the change up: the old version failed before it had stopped.
    Forgo(String, Box<Step>),
    /// Find the runner that has the job.
    Adopt,
    /// The job is over.
    Over(EndState),
}

/// How jobs of a server are started again.
pub(crate) fn policy() -> Policy {
    Policy {
        delay: restart::Delay::Exponential { first: RESTART_DELAY, longest: RESTART_DELAY_MAX },
        starts_max: Some(RESTARTS_MAX),
        reset_after: RESTART_RESET,
    }
}

impl Ended {
    /// Whether it ended as it should.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Ended::Said(outcome) if outcome.exit == 0)
    }

    /// What went wrong.
    pub(crate) fn reason(&self) -> String {
        match self {
            Ended::Said(outcome) if outcome.exit == 0 => "the job's process was told to end, and not by this server".to_owned(),
            Ended::Said(outcome) => outcome.message.clone().unwrap_or_default(),
            Ended::Died(how) => how.clone(),
            Ended::Fresh | Ended::Taken => String::new(),
        }
    }
}

/// Exit codes of a runner that could not begin: a start would not mend that (docs/cli.md).
const REFUSED: [u8; 2] = [2, 3];

/// What the end of a runner in a call of user code means; none where a version on probation gives its place back, or where it does not
/// matter any more.
pub(crate) fn judge(record: &Record, ended: &Ended, hunt: &mut Hunt, now_ms: u64) -> Option<Verdict> {
    let Ended::Said(outcome) = ended else { return None };
    let watched = on_probation(record, now_ms) || has_exchanged(record, ended);
    let matters = record.wanted == Wanted::Run && !watched && !REFUSED.contains(&outcome.exit);
    outcome.suspect.clone().filter(|_| matters).map(|suspect| hunt.ended(suspect))
}

/// Decides. `ran` is how long the runner did; `verdict` what [`judge`] has said.
pub(crate) fn decide(
    record: &Record,
    ended: &Ended,
    verdict: Option<&Verdict>,
    restarts: &mut Restarts,
    ran: Duration,
    now_ms: u64,
) -> Step {
    if record.wanted == Wanted::Cancel {
        return Step::Over(EndState::Cancelled);
    }
    match ended {
        Ended::Taken => Step::Adopt,
        Ended::Fresh => match record.wanted {
            Wanted::Run => Step::Start(Duration::ZERO),
            _ => Step::Over(EndState::Stopped),
        },
        Ended::Said(outcome) if outcome.exit == 0 => match (outcome.stopped, &record.next) {
            (false, _) => Step::Over(EndState::Finished),
            (true, Some(_)) if record.wanted == Wanted::Run => Step::Advance,
            // Nobody has asked the server for that: the machine goes down, or somebody has sent a signal. An end in order saves
            // the state, also one that migrated and was to wait.
            (true, None) if record.wanted == Wanted::Run && record.probation.is_some() && record.version.hold_ms > 0 => Step::Settle,
            (true, None) if record.wanted == Wanted::Run => Step::Start(Duration::ZERO),
            (true, _) => Step::Over(EndState::Stopped),
        },
        Ended::Said(_) | Ended::Died(_) => failed(record, ended, verdict, restarts, ran, now_ms),
    }
}

/// A probation that is over may not have been noted yet; the state may have been saved in the new form since.
fn on_probation(record: &Record, now_ms: u64) -> bool {
    record.probation.as_ref().is_some_and(|probation| now_ms < probation.until_ms)
}

/// Whether the runner had come to run the version that waits: what ended was that one.
pub(crate) fn has_exchanged(record: &Record, ended: &Ended) -> bool {
    match (ended, &record.next) {
        (Ended::Said(outcome), Some(next)) => outcome.version == Some(next.version.number),
        _ => false,
    }
}

fn failed(record: &Record, ended: &Ended, verdict: Option<&Verdict>, restarts: &mut Restarts, ran: Duration, now_ms: u64) -> Step {
    if on_probation(record, now_ms) || record.wanted == Wanted::Run && has_exchanged(record, ended) {
        return Step::RollBack(ended.reason());
    }
    if record.wanted != Wanted::Run {
        return Step::Over(EndState::Failed);
    }
    match verdict {
        Some(Verdict::Fail(_)) => return Step::Over(EndState::Failed),
        Some(Verdict::SetAside(_)) => restarts.found(),
        Some(Verdict::Watch) | None => {}
    }
    let refused = matches!(ended, Ended::Said(outcome) if REFUSED.contains(&outcome.exit));
    let end = if refused { restart::End::Refused } else { restart::End::Failed };
    let step = match restarts.ended(end, ran) {
        restart::Next::Start { after, .. } => Step::Start(after),
        restart::Next::GiveUp(_) | restart::Next::Leave => Step::Over(EndState::Failed),
    };
    match record.next {
        Some(_) => Step::Forgo(ended.reason(), Box::new(step)),
        None => step,
    }
}

#[cfg(test)]
mod tests {
    use tidemill_core::checkpoint::poison::{Kind, Suspect};
    use tidemill_core::connect::OnError;

    use super::super::record::tests::{record, version};
    use super::super::record::{Next, Probation};
    use super::*;

    fn said(exit: u8, stopped: bool) -> Ended {
        let message = (exit != 0).then(|| "operator \"a\" failed".to_owned());
        Ended::Said(Box::new(Outcome {
            exit,
            stopped,
            message,
            causes: Vec::new(),
            hint: None,
            status: None,
            suspect: None,
            version: None,
        }))
    }

    fn step(record: &Record, ended: &Ended) -> Step {
        decide(record, ended, None, &mut Restarts::new(policy()), Duration::ZERO, 8)
    }

    fn stopping() -> Record {
        Record { wanted: Wanted::Stop { drain: false, savepoint: None }, ..record() }
    }

    fn changing() -> Record {
        let next = Next { version: version(2, 2), probation_ms: 0, errors_max: None };
        Record { next: Some(next), ..record() }
    }

    fn on_probation() -> Record {
        let probation = Probation { until_ms: 9, before: Box::new(version(1, 1)), errors_max: None, lost_before: 0 };
        Record { version: version(2, 1), probation: Some(probation), ..record() }
    }

    #[test]
    fn what_ends_well_is_over_unless_a_version_waits() {
        assert_eq!(step(&record(), &said(0, false)), Step::Over(EndState::Finished));
        assert_eq!(step(&stopping(), &said(0, true)), Step::Over(EndState::Stopped));
        assert_eq!(step(&record(), &said(0, true)), Step::Start(Duration::ZERO));
        assert_eq!(step(&changing(), &said(0, true)), Step::Advance);
        assert_eq!(step(&changing(), &said(0, false)), Step::Over(EndState::Finished));
        // Somebody has asked for the end of a job while it changes.
        let both = Record { next: changing().next, ..stopping() };
        assert_eq!(step(&both, &said(0, true)), Step::Over(EndState::Stopped));
    }

    #[test]
    fn a_failure_is_answered_by_starts_until_the_budget_is_used_up() {
        let mut restarts = Restarts::new(policy());
        let mut delays = Vec::new();
        let last = loop {
            match decide(&record(), &Ended::Died("killed".to_owned()), None, &mut restarts, Duration::ZERO, 8) {
                Step::Start(after) => delays.push(after),
                other => break other,
            }
        };
        assert_eq!((last, delays.len()), (Step::Over(EndState::Failed), RESTARTS_MAX as usize));
        assert_eq!((delays[0], delays[9]), (RESTART_DELAY, RESTART_DELAY_MAX));
    }

    #[test]
    fn a_job_that_is_refused_is_not_started_again() {
        assert_eq!(step(&record(), &said(3, false)), Step::Over(EndState::Failed));
        assert_eq!(step(&record(), &said(1, false)), Step::Start(RESTART_DELAY));
        assert_eq!(step(&stopping(), &said(1, false)), Step::Over(EndState::Failed));
    }

    #[test]
    fn a_new_version_that_fails_gives_its_place_back() {
        let back = Step::RollBack("operator \"a\" failed".to_owned());
        assert_eq!(step(&on_probation(), &said(1, false)), back);
        assert_eq!(step(&on_probation(), &said(3, false)), back);
        assert_eq!(step(&on_probation(), &Ended::Died("killed".to_owned())), Step::RollBack("killed".to_owned()));
        assert_eq!(step(&on_probation(), &said(0, false)), Step::Over(EndState::Finished));
    }

    fn trapped() -> Ended {
        let Ended::Said(mut outcome) = said(1, false) else { unreachable!() };
        let kind = Kind::Trap;
        let (entry, operator, call) = ("a".to_owned(), "a".to_owned(), "process".to_owned());
        let (reason, record, content) = ("unreachable".to_owned(), None, Some(13));
        outcome.suspect =
            Some(Suspect { entry, call, input: 0, content, operator, on_error: OnError::Skip, kind, reason, record, seen: 1 });
        Ended::Said(outcome)
    }

    #[test]
    fn a_record_at_which_it_traps_twice_is_set_aside_and_the_budget_begins_anew() {
        let (mut hunt, mut restarts) = (Hunt::default(), Restarts::new(policy()));
        let mut next = |ended: &Ended| {
            let verdict = judge(&record(), ended, &mut hunt, 8);
            (decide(&record(), ended, verdict.as_ref(), &mut restarts, Duration::ZERO, 8), verdict)
        };
        assert_eq!(next(&trapped()), (Step::Start(RESTART_DELAY), Some(Verdict::Watch)));
        assert!(matches!(next(&trapped()), (Step::Start(RESTART_DELAY), Some(Verdict::SetAside(_)))));
        assert!(matches!(next(&trapped()), (Step::Over(EndState::Failed), Some(Verdict::Fail(_)))), "it had been set aside");
        assert_eq!(judge(&on_probation(), &trapped(), &mut hunt, 8), None, "the version gives its place back");
        assert_eq!(judge(&stopping(), &trapped(), &mut hunt, 8), None);
        assert_eq!(judge(&record(), &said(1, false), &mut hunt, 8), None);
    }

    /// The old version cannot read what a migrated one has saved: neither may be left to go back to it.
    #[test]
    fn nobody_goes_back_behind_state_that_was_saved_in_the_new_form() {
        let mut migrated = on_probation();
        migrated.version.hold_ms = 10;
        assert_eq!(step(&migrated, &said(0, true)), Step::Settle);
        assert_eq!(step(&on_probation(), &said(0, true)), Step::Start(Duration::ZERO), "the old one reads the same state");
        // The server slept over the end of the probation.
        let late = |record: &Record| decide(record, &said(1, false), None, &mut Restarts::new(policy()), Duration::ZERO, 9);
        assert_eq!(late(&migrated), Step::Start(RESTART_DELAY));
    }

    #[test]
    fn an_old_version_that_fails_while_it_stops_goes_on_alone() {
        assert!(matches!(step(&changing(), &said(1, false)), Step::Forgo(_, next) if *next == Step::Start(RESTART_DELAY)));
    }

    /// The server had not yet heard that the runner had switched.
    #[test]
    fn a_version_that_fails_right_after_it_took_over_gives_its_place_back() {
        let of = |version: Option<u32>| {
            let Ended::Said(mut outcome) = said(1, false) else { unreachable!() };
            outcome.version = version;
            Ended::Said(outcome)
        };
        assert_eq!(step(&changing(), &of(Some(2))), Step::RollBack("operator \"a\" failed".to_owned()));
        assert!(has_exchanged(&changing(), &of(Some(2))) && !has_exchanged(&record(), &of(Some(2))));
        // What failed was the version before, also where that had come to run in place itself.
        assert!(matches!(step(&changing(), &of(Some(1))), Step::Forgo(..)));
        assert_eq!(step(&stopping(), &of(Some(2))), Step::Over(EndState::Failed));
    }

    #[test]
    fn cancelling_wins_over_everything() {
        for ended in [Ended::Fresh, said(0, true), said(1, false), Ended::Died(String::new()), Ended::Taken] {
            let cancelled = Record { wanted: Wanted::Cancel, ..changing() };
            assert_eq!(step(&cancelled, &ended), Step::Over(EndState::Cancelled));
        }
    }

    #[test]
    fn a_job_without_a_runner_starts_one_or_looks_for_the_one_there_is() {
        assert_eq!(step(&record(), &Ended::Fresh), Step::Start(Duration::ZERO));
        assert_eq!(step(&stopping(), &Ended::Fresh), Step::Over(EndState::Stopped));
        assert_eq!(step(&record(), &Ended::Taken), Step::Adopt);
    }
}
