//! Faults that are put into the protocol on purpose: a checker that finds none of them checks nothing.
//!
//! A mutant lives where the runs put the decisions of the core together, or between the core and the store; the core itself is never
//! changed. Each is caught by what goes wrong in consequence, and each test says what that may be.

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Parts are written without fsync.
    PartsNotSynced,
    /// Records are created without fsync.
    RecordsNotSynced,
    /// Staged output is written without fsync.
    StagedNotSynced,
    /// Output becomes visible by a rename that is not synced.
    CommitsNotSynced,
    /// A record overwrites what stands at its line.
    RecordsOverwrite,
    /// Output is committed before the record is created.
    CommitBeforeRecord,
    /// A superseded runner takes the next free line and goes on.
    IgnoreSuccessor,
    /// Claims of different runners look the same.
    EqualRunners,
    /// A start takes the newest checkpoint, whatever the claims say.
    IgnoreClaims,
    /// A start does not look at the log again after its claim.
    NoConfirmation,
    /// A start takes its base unseen.
    BaseNotJudged,
    /// An attempt whose record may or may not stand there is given up, and its number used again.
    DoubtIsFailure,
    /// A record is created before all its parts are written.
    RecordBeforeParts,
    /// A record forgets output that was listed before and could not be committed yet.
    UncommittedForgotten,
    /// A start commits nothing.
    NoRecommit,
    /// A start leaves what others have staged.
    StagedLeft,
    /// A start removes what its successors have staged, too.
    AllStagedRemoved,
    /// After a fall back nothing is taken back.
    NothingTakenBack,
    /// After a fall back visible output is looked at before staged output is removed.
    TakenBackFirst,
    /// After a fall back the first checkpoint refers to parts of its base.
    OldPartsAfterFallBack,
    /// Clean-up deletes parts of attempts that are not complete.
    YoungPartsDeleted,
    /// Clean-up looks at the newest checkpoint only.
    KeptForgotten,
    /// Clean-up forgets savepoints.
    SavepointsForgotten,
    /// A savepoint is told without a look whether the job is still ours.
    SavepointUnconfirmed,
    /// Clean-up deletes claims.
    ClaimsDeleted,
    /// Clean-up deletes records but no parts.
    PartsLeft,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 26] = [
        Mutant::PartsNotSynced,
        Mutant::RecordsNotSynced,
        Mutant::StagedNotSynced,
        Mutant::CommitsNotSynced,
        Mutant::RecordsOverwrite,
        Mutant::CommitBeforeRecord,
        Mutant::IgnoreSuccessor,
        Mutant::EqualRunners,
        Mutant::IgnoreClaims,
        Mutant::NoConfirmation,
        Mutant::BaseNotJudged,
        Mutant::DoubtIsFailure,
        Mutant::RecordBeforeParts,
        Mutant::UncommittedForgotten,
        Mutant::NoRecommit,
        Mutant::StagedLeft,
        Mutant::AllStagedRemoved,
        Mutant::NothingTakenBack,
        Mutant::TakenBackFirst,
        Mutant::OldPartsAfterFallBack,
        Mutant::YoungPartsDeleted,
        Mutant::KeptForgotten,
        Mutant::SavepointsForgotten,
        Mutant::SavepointUnconfirmed,
        Mutant::ClaimsDeleted,
        Mutant::PartsLeft,
    ];
}
