//! The protocol under a great many seeds, and the checker under faults that it must find.
//!
//! `TIDEMILL_SIM_SEED=n` prints the run of a seed instead, with `TIDEMILL_SIM_MUTANT=name` that of the seed under a mutant.
//! `TIDEMILL_TEST_FULL` makes a million runs.

use std::env;

use tidemill_sim::{Mark, Mutant, Report, Setting, Tally, Violation, run};

/// Runs that go with every change: about half a minute.
const SEEDS: u64 = 100_000;

/// Runs of the full test.
const SEEDS_FULL: u64 = 1_000_000;

/// A mutant must be found within so many seeds.
const MUTANT_SEEDS_MAX: u64 = 50_000;

/// A situation that is met less often than this in [`SEEDS`] is as good as never met.
const MET_MIN: u64 = 10;

/// Prints one run when that is asked for.
fn replay() -> bool {
    let Ok(seed) = env::var("TIDEMILL_SIM_SEED") else { return false };
    let seed = seed.parse().expect("TIDEMILL_SIM_SEED is a number");
    let name = env::var("TIDEMILL_SIM_MUTANT").unwrap_or_default();
    let mutant = Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}") == name);
    let report = run(seed, Setting { mutant, text: true, ..Setting::default() });
    eprintln!("{}seed {seed}, {mutant:?}: {:?}, hash {:016x}", report.text, report.violation, report.hash);
    true
}

fn good(seed: u64, setting: Setting) -> Report {
    let report = run(seed, setting);
    assert_eq!(report.violation, None, "seed {seed}: see it with TIDEMILL_SIM_SEED={seed}");
    report
}

#[test]
fn nothing_is_lost_and_nothing_is_doubled() {
    if replay() {
        return;
    }
    let seeds = if env::var_os("TIDEMILL_TEST_FULL").is_some() { SEEDS_FULL } else { SEEDS };
    let mut tally = Tally::default();
    (0..seeds).for_each(|seed| tally.add(&good(seed, Setting::default()).tally));
    for mark in Mark::ALL {
        let met = tally.count(mark);
        eprintln!("{mark:?}: {met}");
        assert!(met >= MET_MIN, "{mark:?} was met {met} times only: the runs do not test what they should");
    }
}

#[test]
fn equal_seeds_give_equal_traces() {
    let mut hashes = std::collections::HashSet::new();
    for seed in 0..2_000 {
        let first = good(seed, Setting::default());
        let again = good(seed, Setting { text: true, ..Setting::default() });
        assert_eq!((first.hash, first.ticks), (again.hash, again.ticks), "seed {seed}");
        assert!(first.text.is_empty() && !again.text.is_empty());
        assert!(hashes.insert(first.hash), "seed {seed} does what another one did");
    }
}

/// What each mutant may be found by.
fn symptoms(mutant: Mutant) -> &'static [Violation] {
    use Violation::*;
    match mutant {
        Mutant::PartsNotSynced => &[WrongBase, WronglyRefused],
        Mutant::RecordsNotSynced => &[WrongBase, WronglyRefused, StaleClaim, Lost, Doubled],
        Mutant::StagedNotSynced => &[Lost, WrongRows],
        Mutant::CommitsNotSynced => &[Lost],
        Mutant::RecordsOverwrite => &[LineReused, StaleClaim],
        Mutant::CommitBeforeRecord => &[CommittedEarly],
        Mutant::IgnoreSuccessor => &[StaleCheckpoint],
        Mutant::EqualRunners => &[Doubled, Lost, StaleCheckpoint],
        Mutant::IgnoreClaims => &[WrongBase, Lost],
        Mutant::NoConfirmation => &[StaleClaim],
        Mutant::BaseNotJudged => &[WrongState],
        Mutant::DoubtIsFailure => &[Lost, Doubled, WrongRows],
        Mutant::RecordBeforeParts => &[HalfMade],
        Mutant::UncommittedForgotten => &[Lost],
        Mutant::NoRecommit => &[Lost],
        Mutant::StagedLeft => &[StagingLeaked],
        Mutant::AllStagedRemoved => &[Lost],
        Mutant::NothingTakenBack => &[Lost, Doubled],
        Mutant::TakenBackFirst => &[Lost, Doubled],
        Mutant::OldPartsAfterFallBack => &[HalfMade, PartNeeded],
        Mutant::YoungPartsDeleted => &[HalfMade, PartNeeded],
        Mutant::KeptForgotten => &[PartNeeded],
        Mutant::SavepointsForgotten => &[PartNeeded],
        Mutant::SavepointUnconfirmed => &[HalfMade, PartNeeded],
        Mutant::ClaimsDeleted => &[LineReused],
        Mutant::PartsLeft => &[ObjectLeaked],
    }
}

/// Each fault is found, by what it must lead to, in a run that is good without it. Where it has not changed anything, the run is the very
/// same as without it: it is the fault that is found and not a side effect of putting it in.
#[test]
fn every_mutant_is_found() {
    for mutant in Mutant::ALL {
        let setting = Setting { mutant: Some(mutant), ..Setting::default() };
        let found = (0..MUTANT_SEEDS_MAX).find_map(|seed| {
            let report = run(seed, setting);
            if report.fired == 0 {
                assert_eq!(report.hash, run(seed, Setting::default()).hash, "{mutant:?} changes seed {seed} without doing anything");
            }
            report.violation.map(|violation| (seed, violation, report.fired))
        });
        let (seed, violation, fired) = found.unwrap_or_else(|| panic!("{mutant:?} is not found in {MUTANT_SEEDS_MAX} seeds"));
        eprintln!("{mutant:?}: found by seed {seed} as {violation:?}");
        assert!(fired > 0 && symptoms(mutant).contains(&violation), "{mutant:?} shows as {violation:?} at seed {seed}");
        good(seed, Setting::default());
    }
}

/// What the protocol asks of a store's listings: with clean-up, that they lag behind nothing.
#[test]
fn listings_that_lag_are_dangerous_exactly_with_clean_up() {
    let lagging = Setting { lag_max: 300, no_damage: true, ..Setting::default() };
    for seed in 0..5_000 {
        good(seed, Setting { no_clean_up: true, ..lagging });
    }
    let leaked = Some(Violation::ObjectLeaked);
    let mut harm = (0..5_000).filter_map(|seed| run(seed, lagging).violation.filter(|found| Some(*found) != leaked));
    assert!(harm.next().is_some(), "a lagging listing must do harm somewhere, or the store may lag after all");
}
