//! A start: claims the job and finds the checkpoint to begin with.
//!
//! [`Opening`] says what to ask of the store and is told what came of it; it never asks itself. The numbered steps:
//!
//! 1. **List** the log. **Read** its newest line that can be read: a checkpoint is our base, a claim names its own.
//! 2. **Create** our claim on the line after the last. Taken: the record that stands there tells the base instead, try the next line.
//! 3. **List** again. A later line than ours says that we have been overtaken, or that ours was an old line which clean-up had
//!    freed between 1 and 2 while the runner before us went on. Either way begin again.
//! 4. **Read** and **judge** the base. What cannot be used is passed over for the next older checkpoint of the same lineage.
//! 5. Passed over: **create** a second claim on the line after the first, which names the older base and what is left behind, before
//!    anything is done on the strength of it. Nothing left to take: **list** once more, and refuse if the log still ends where it did;
//!    what has moved on may have cleaned up what we looked for.
//!
//! A start takes the job from whoever has it, also from one that began later but came first. Yielding instead would be no safer, and a
//! claim that lands after its runner has died would keep everybody out.
//!
//! Invariant: when step 5 is through, everything that a later start will decide follows from records that cannot change.

use super::name::{Line, Stamp};
use super::record::{Checkpoint, Claim, Created, Found, Record, RunnerId, Skipped, Unusable};
use crate::checkpoint::{CheckpointId, Generation};

/// How often a start looks for the end of the log because others move it meanwhile. A runner of before that is quick makes for one more
/// round or two; more are starts that take the job from each other. Since all of them stop here, the last claim among them wins.
pub const ROUNDS_MAX: u32 = 4;

/// What to ask of the store next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lines of the log, in any order. What was created before the listing began must be in it.
    List,
    /// A line.
    Read(Line),
    /// Create a claim, if the line is free.
    Create(Line, Claim),
    /// Look at every part of a checkpoint: there, of the right length, with the right checksum.
    Judge(Line, Checkpoint),
    /// The job is ours.
    Opened(Opened),
    /// The job cannot start.
    Refused(Refused),
}

/// What came of a step. A store that could not be reached is no answer; take the step again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Step::List`].
    Listed(Vec<Line>),
    /// To [`Step::Read`].
    Read(Found),
    /// To [`Step::Create`].
    Created(Created),
    /// To [`Step::Judge`].
    Judged(Verdict),
}

/// Whether a checkpoint can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every part is there and whole.
    Whole,
    /// One is not; the text names file and place.
    Damaged(String),
}

/// Why a job cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are checkpoints, and none of them can be used. Beginning from nothing would double what they have committed.
    #[error("none of the job's checkpoints can be used")]
    NothingUsable(Vec<Skipped>),
    /// Other starts kept taking the job over; one of them has it. As good as superseded.
    #[error("other runners, started at the same time, keep taking the job over")]
    Contended,
}

/// A job that is ours until somebody else claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where our claim stands.
    pub line: Line,
    /// Our claim.
    pub claim: Claim,
    /// The checkpoint to begin with, none for a job without one.
    pub base: Option<(Line, Checkpoint)>,
    /// What this start passed over, to be said.
    pub said: Vec<Skipped>,
}

/// What to do with staged output that lies around at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// The base lists it: make it visible, unless that has been done.
    Commit,
    /// It belongs to nobody who may commit it.
    Remove,
    /// It is none of our business: somebody later than us made it.
    Leave,
}

/// What to do with visible output at a start that fell back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visible {
    /// It is of the base or before.
    Keep,
    /// It is of a checkpoint that was left behind and will be made again.
    TakeBack,
}

impl Opened {
    /// Our generation.
    pub fn generation(&self) -> Generation {
        Claim::generation(self.line)
    }

    /// Whether checkpoints after the base were left behind. If so, visible output is taken back where the sink can ([`Opened::visible`]),
    /// and the first checkpoint refers to no part of the base: a runner of before, which knows the later checkpoints only, may be
    /// deleting them.
    pub fn fell_back(&self) -> bool {
        !self.claim.skipped.is_empty()
    }

    /// Judges staged output; `listed` says whether the base lists it.
    pub fn staged(&self, stamp: Stamp, listed: bool) -> Staged {
        match listed {
            true => Staged::Commit,
            false if stamp.generation < self.generation() => Staged::Remove,
            false => Staged::Leave,
        }
    }

    /// Judges visible output. To be asked after a fall back only, and after staged output has been removed: a runner of before that
    /// is still committing finds nothing to commit then, or has committed what is looked at now.
    pub fn visible(&self, stamp: Stamp) -> Visible {
        let after_base = self.base.as_ref().is_none_or(|(_, base)| base.stamp < stamp);
        if after_base && stamp.generation < self.generation() { Visible::TakeBack } else { Visible::Keep }
    }
}

#[derive(Clone, Debug)]
enum Phase {
    /// Step 1.
    Listing,
    /// Step 1, at an index of the listing.
    Resolving(usize),
    /// Step 2.
    Claiming(Line),
    /// Step 3, with our line.
    Confirming(Line),
    /// Step 4, with our line and a candidate.
    Reading(Line, Line),
    /// Step 4.
    Judging(Line, Line, Checkpoint),
    /// Step 5.
    Reclaiming(Line, (Line, Checkpoint)),
    /// Step 5, with the last line we know.
    Refusing(Line),
    Opened(Opened),
    Refused(Refused),
}

/// A start under way. See the module.
#[derive(Clone, Debug)]
pub struct Opening {
    rounds: u32,
    phase: Phase,
    /// The lines that the last listing showed, from new to old.
    lines: Vec<Line>,
    /// What we claim or will claim.
    claim: Claim,
    said: Vec<Skipped>,
}

impl Opening {
    /// A start by a runner.
    pub fn new(runner: RunnerId) -> Opening {
        let claim = Claim { runner, base: None, skipped: Vec::new(), last: CheckpointId(0) };
        Opening { rounds: 1, phase: Phase::Listing, lines: Vec::new(), claim, said: Vec::new() }
    }

    /// What to do now; the same until it is answered.
    pub fn step(&self) -> Step {
        match &self.phase {
            Phase::Listing | Phase::Confirming(_) | Phase::Refusing(_) => Step::List,
            Phase::Resolving(index) => Step::Read(self.lines[*index]),
            Phase::Reading(_, candidate) => Step::Read(*candidate),
            Phase::Claiming(line) | Phase::Reclaiming(line, _) => Step::Create(*line, self.claim.clone()),
            Phase::Judging(_, line, checkpoint) => Step::Judge(*line, checkpoint.clone()),
            Phase::Opened(opened) => Step::Opened(opened.clone()),
            Phase::Refused(refused) => Step::Refused(refused.clone()),
        }
    }

    /// Goes on with what came of the step.
    ///
    /// # Panics
    /// When the answer is to another kind of step.
    pub fn answer(&mut self, answer: Answer) {
        let phase = std::mem::replace(&mut self.phase, Phase::Listing);
        self.phase = match (phase, answer) {
            (Phase::Listing, Answer::Listed(lines)) => self.look(lines),
            (Phase::Resolving(index), Answer::Read(found)) => self.resolve(index, found),
            (Phase::Claiming(line), Answer::Created(created)) => self.claimed(line, created),
            (Phase::Confirming(line), Answer::Listed(lines)) => self.confirm(line, lines),
            (Phase::Reading(ours, candidate), Answer::Read(found)) => self.weigh(ours, candidate, found),
            (Phase::Judging(ours, line, checkpoint), Answer::Judged(verdict)) => self.judge(ours, line, checkpoint, verdict),
            (Phase::Reclaiming(line, base), Answer::Created(created)) if created.is_ours() => self.opened(line, Some(base)),
            (Phase::Reclaiming(..), Answer::Created(_)) => self.again(),
            (Phase::Refusing(end), Answer::Listed(lines)) if lines.iter().any(|line| *line > end) => self.again(),
            (Phase::Refusing(_), Answer::Listed(_)) => Phase::Refused(Refused::NothingUsable(std::mem::take(&mut self.said))),
            (phase, answer) => panic!("{answer:?} does not answer {phase:?}"),
        };
    }

    fn look(&mut self, lines: Vec<Line>) -> Phase {
        self.claim = Opening::new(self.claim.runner).claim;
        self.said.clear();
        self.lines = lines;
        self.lines.sort_unstable_by(|a, b| b.cmp(a));
        if self.lines.is_empty() { Phase::Claiming(Line::FIRST) } else { Phase::Resolving(0) }
    }

    fn resolve(&mut self, index: usize, found: Found) -> Phase {
        let line = self.lines[index];
        match found {
            Found::Record(record) => self.inherit(line, record),
            // It was there a moment ago, so the log has moved on.
            Found::Missing => return self.again(),
            Found::Damaged(place) => {
                self.skip(line, Unusable::Damaged(place));
                if index + 1 < self.lines.len() {
                    return Phase::Resolving(index + 1);
                }
                return Phase::Refusing(self.lines[0]);
            }
        }
        Phase::Claiming(self.lines[0].next())
    }

    fn claimed(&mut self, line: Line, created: Created) -> Phase {
        match created {
            Created::New | Created::Same => return Phase::Confirming(line),
            Created::Other(Found::Record(record)) => self.inherit(line, record),
            Created::Other(Found::Damaged(place)) => self.skip(line, Unusable::Damaged(place)),
            Created::Other(Found::Missing) => return self.again(),
        }
        Phase::Claiming(line.next())
    }

    fn confirm(&mut self, ours: Line, lines: Vec<Line>) -> Phase {
        if lines.iter().any(|line| *line > ours) {
            return self.again();
        }
        self.lines = lines;
        self.lines.sort_unstable_by(|a, b| b.cmp(a));
        match self.claim.base {
            Some(base) => Phase::Reading(ours, base),
            None => self.opened(ours, None),
        }
    }

    fn weigh(&mut self, ours: Line, candidate: Line, found: Found) -> Phase {
        match found {
            Found::Record(Record::Checkpoint(checkpoint)) => Phase::Judging(ours, candidate, checkpoint),
            // What lies between a claim and its base is of another lineage.
            Found::Record(Record::Claim(claim)) => match claim.base.filter(|base| *base < candidate) {
                Some(base) => Phase::Reading(ours, base),
                None => Phase::Refusing(ours),
            },
            Found::Missing => self.older(ours, candidate, Unusable::Missing),
            Found::Damaged(place) => self.older(ours, candidate, Unusable::Damaged(place)),
        }
    }

    fn judge(&mut self, ours: Line, line: Line, checkpoint: Checkpoint, verdict: Verdict) -> Phase {
        self.claim.last = self.claim.last.max(checkpoint.stamp.checkpoint);
        match verdict {
            Verdict::Whole if self.claim.base == Some(line) => self.opened(ours, Some((line, checkpoint))),
            Verdict::Whole => {
                self.claim.base = Some(line);
                Phase::Reclaiming(ours.next(), (line, checkpoint))
            }
            Verdict::Damaged(place) => self.older(ours, line, Unusable::Damaged(place)),
        }
    }

    /// Takes what a record says as the state of the job.
    fn inherit(&mut self, line: Line, record: Record) {
        let (base, older, last) = match record {
            Record::Claim(claim) => (claim.base, claim.skipped, claim.last),
            Record::Checkpoint(checkpoint) => (Some(line), Vec::new(), checkpoint.stamp.checkpoint),
        };
        self.claim.base = base;
        self.claim.skipped.retain(|skipped| *skipped > line);
        self.claim.skipped.extend(older);
        self.claim.last = self.claim.last.max(last);
    }

    fn skip(&mut self, line: Line, why: Unusable) {
        self.claim.skipped.push(line);
        self.said.push(Skipped { line, why });
    }

    fn older(&mut self, ours: Line, line: Line, why: Unusable) -> Phase {
        self.skip(line, why);
        match self.lines.iter().find(|older| **older < line) {
            Some(older) => Phase::Reading(ours, *older),
            None => Phase::Refusing(ours),
        }
    }

    fn opened(&mut self, line: Line, base: Option<(Line, Checkpoint)>) -> Phase {
        Phase::Opened(Opened { line, claim: self.claim.clone(), base, said: std::mem::take(&mut self.said) })
    }

    fn again(&mut self) -> Phase {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX { Phase::Refused(Refused::Contended) } else { Phase::Listing }
    }
}
