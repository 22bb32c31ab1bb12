//! The decisions one by one, on a log in memory that the test changes between two steps.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::checkpoint::{CheckpointId, Generation};

/// A log whose lines may be damaged and whose checkpoints may have damaged parts.
#[derive(Default)]
struct Log {
    lines: BTreeMap<Line, Record>,
    torn: BTreeSet<Line>,
    unsound: BTreeSet<Line>,
}

impl Log {
    fn found(&self, line: Line) -> Found {
        match self.lines.get(&line) {
            Some(_) if self.torn.contains(&line) => Found::Damaged(format!("log/{line}: too short")),
            Some(record) => Found::Record(record.clone()),
            None => Found::Missing,
        }
    }

    fn create(&mut self, line: Line, record: Record) -> Created {
        match self.lines.get(&line) {
            None => {
                self.lines.insert(line, record);
                Created::New
            }
            Some(same) if *same == record => Created::Same,
            Some(_) => Created::Other(self.found(line)),
        }
    }

    fn answer(&mut self, step: Step) -> Answer {
        match step {
            Step::List => Answer::Listed(self.lines.keys().copied().collect()),
            Step::Read(line) => Answer::Read(self.found(line)),
            Step::Create(line, claim) => Answer::Created(self.create(line, Record::Claim(claim))),
            Step::Judge(line, _) if self.unsound.contains(&line) => {
                Answer::Judged(Verdict::Damaged(format!("a part of line {line} is too short")))
            }
            Step::Judge(..) => Answer::Judged(Verdict::Whole),
            end => panic!("{end:?} is no question"),
        }
    }

    /// Starts a job, calling `before` with the log and each step first.
    fn start(&mut self, runner: u64, mut before: impl FnMut(&mut Log, &Step)) -> Result<Opened, Refused> {
        let mut opening = Opening::new(RunnerId(runner));
        loop {
            match opening.step() {
                Step::Opened(opened) => return Ok(opened),
                Step::Refused(refused) => return Err(refused),
                step => {
                    before(self, &step);
                    let answer = self.answer(step);
                    opening.answer(answer);
                }
            }
        }
    }

    fn open(&mut self, runner: u64) -> Opened {
        self.start(runner, |_, _| {}).expect("the job starts")
    }

    /// Makes a checkpoint with one part of its own; keeps the given number.
    fn checkpoint(&mut self, runner: &mut Runner) -> (Line, Checkpoint) {
        let (stamp, line) = (runner.begin(), runner.next());
        let record = runner.record(stamp, vec![part(stamp)]);
        let created = self.create(line, Record::Checkpoint(record.clone()));
        assert_eq!(runner.created(&record, &created), Outcome::Completed(line));
        (line, record)
    }
}

fn part(stamp: Stamp) -> Part {
    Part { stamp, hash: [stamp.checkpoint.0 as u8; 32] }
}

fn stamp(generation: u64, checkpoint: u64) -> Stamp {
    Stamp { generation: Generation(generation), checkpoint: CheckpointId(checkpoint) }
}

fn base(opened: &Opened) -> Option<u64> {
    assert_eq!(opened.claim.base, opened.base.as_ref().map(|(line, _)| *line));
    opened.claim.base.map(|line| line.0)
}

fn skipped(opened: &Opened) -> Vec<u64> {
    opened.claim.skipped.iter().map(|line| line.0).collect()
}

/// A log with the claim of runner 1 at line 1 and this many checkpoints after it.
fn log_with(checkpoints: usize) -> (Log, Runner) {
    let mut log = Log::default();
    let mut runner = Runner::new(&log.open(1), 3);
    for _ in 0..checkpoints {
        log.checkpoint(&mut runner);
    }
    (log, runner)
}

#[test]
fn the_first_start_claims_the_first_line_and_begins_from_nothing() {
    let opened = Log::default().open(1);
    assert_eq!((opened.line, base(&opened), opened.fell_back()), (Line::FIRST, None, false));
    assert_eq!(Runner::new(&opened, 1).begin(), stamp(1, 1));
}

#[test]
fn a_start_takes_the_newest_checkpoint_and_numbers_go_on_above_it() {
    let (mut log, _) = log_with(2);
    let opened = log.open(2);
    assert_eq!((opened.line, base(&opened)), (Line(4), Some(3)));
    assert_eq!(Runner::new(&opened, 3).begin(), stamp(4, 3));
    let after_a_claim = log.open(3);
    assert_eq!((after_a_claim.line, base(&after_a_claim)), (Line(5), Some(3)));
    assert_eq!(Runner::new(&after_a_claim, 3).begin(), stamp(5, 3));
}

#[test]
fn a_runner_whose_line_is_taken_is_superseded() {
    let (mut log, mut old) = log_with(1);
    assert!(!old.is_superseded(&log.found(old.next())));
    log.open(2);
    assert!(old.is_superseded(&log.found(old.next())));
    assert!(old.is_superseded(&Found::Damaged("log/3: flipped".into())));
    let record = old.record(old.clone().begin(), Vec::new());
    let created = log.create(old.next(), Record::Checkpoint(record.clone()));
    assert_eq!(old.created(&record, &created), Outcome::Superseded);
    assert_eq!(old.created(&record, &Created::Other(Found::Damaged("log/3: flipped".into()))), Outcome::Superseded);
}

#[test]
fn a_record_whose_reply_was_lost_is_ours_when_the_bytes_are() {
    let (mut log, mut runner) = log_with(1);
    let record = runner.record(runner.clone().begin(), Vec::new());
    log.create(runner.next(), Record::Checkpoint(record.clone()));
    let created = log.create(runner.next(), Record::Checkpoint(record.clone()));
    assert_eq!(created, Created::Same);
    assert_eq!(runner.created(&record, &Created::Other(Found::Missing)), Outcome::Again);
    assert_eq!(runner.created(&record, &created), Outcome::Completed(Line(3)));
}

#[test]
fn two_runners_that_claim_the_same_line_do_not_both_get_it() {
    let (mut log, _) = log_with(1);
    let opened = log.start(2, |log, step| {
        if let Step::Create(Line(3), claim) = step {
            let claim = Claim { runner: RunnerId(3), ..claim.clone() };
            log.create(Line(3), Record::Claim(claim));
        }
    });
    assert_eq!(opened.expect("the next line is free").line, Line(4));
}

#[test]
fn a_checkpoint_made_while_we_claim_is_our_base() {
    let (mut log, mut runner) = log_with(1);
    let opened = log.start(2, |log, step| {
        if matches!(step, Step::Create(Line(3), _)) {
            log.checkpoint(&mut runner);
        }
    });
    assert_eq!(opened.map(|opened| (opened.line, base(&opened))), Ok((Line(4), Some(3))));
}

#[test]
fn a_line_that_clean_up_has_freed_is_no_claim() {
    let (mut log, mut runner) = log_with(2);
    let mut late = true;
    let opened = log.start(2, |log, step| {
        if matches!(step, Step::Create(Line(4), _)) && std::mem::take(&mut late) {
            for _ in 0..4 {
                log.checkpoint(&mut runner);
            }
            (2..6).for_each(|line| drop(log.lines.remove(&Line(line))));
        }
    });
    assert_eq!(opened.map(|opened| (opened.line, base(&opened))), Ok((Line(8), Some(7))));
    assert!(log.lines.contains_key(&Line(4)), "the claim that came too late stands there");
}

#[test]
fn a_listed_line_that_is_gone_makes_the_start_look_again() {
    let (mut log, mut runner) = log_with(1);
    let mut late = true;
    let opened = log.start(2, |log, step| {
        if matches!(step, Step::Read(Line(2))) && std::mem::take(&mut late) {
            log.checkpoint(&mut runner);
            log.lines.remove(&Line(2));
        }
    });
    assert_eq!(opened.map(|opened| (opened.line, base(&opened))), Ok((Line(4), Some(3))));
}

#[test]
fn a_start_gives_up_when_others_keep_taking_the_job() {
    let (mut log, _) = log_with(0);
    let mut rounds = 0;
    let refused = log.start(2, |log, step| match step {
        Step::Create(line, claim) => {
            rounds += 1;
            log.create(line.next(), Record::Claim(Claim { runner: RunnerId(3), ..claim.clone() }));
        }
        _ => assert!(rounds <= ROUNDS_MAX),
    });
    assert_eq!((refused, rounds), (Err(Refused::Contended), ROUNDS_MAX));
}

#[test]
fn a_damaged_checkpoint_is_left_behind_by_a_second_claim() {
    let (mut log, _) = log_with(3);
    log.unsound.insert(Line(4));
    let opened = log.open(2);
    assert_eq!((opened.line, base(&opened), skipped(&opened)), (Line(6), Some(3), vec![4]));
    assert_eq!(opened.said[0].to_string(), "line 4 of the log cannot be used: a part of line 4 is too short");
    assert_eq!(Runner::new(&opened, 3).begin(), stamp(6, 4), "numbers go on above what was left behind");
    assert_eq!(opened.base.map(|(_, base)| base.kept), Some(vec![Line(2)]));
}

#[test]
fn what_was_left_behind_stays_behind_though_it_is_whole_again() {
    let (mut log, _) = log_with(3);
    log.unsound.insert(Line(4));
    log.open(2);
    log.unsound.clear();
    let mut opened = log.open(3);
    assert_eq!((opened.line, base(&opened), skipped(&opened)), (Line(7), Some(3), vec![4]));
    log.checkpoint(&mut Runner::new(&opened, 3));
    opened = log.open(4);
    assert_eq!((base(&opened), opened.fell_back()), (Some(8), false), "the next checkpoint ends the fall back");
}

#[test]
fn a_search_for_an_older_checkpoint_does_not_enter_what_an_earlier_one_left_behind() {
    let (mut log, _) = log_with(3);
    log.unsound.insert(Line(4));
    let opened = log.open(2);
    log.checkpoint(&mut Runner::new(&opened, 3));
    log.unsound = BTreeSet::from([Line(7)]);
    let opened = log.open(3);
    assert_eq!((base(&opened), skipped(&opened)), (Some(3), vec![7]), "line 4 is whole again, but out");
}

#[test]
fn a_damaged_record_is_passed_over_whatever_it_was() {
    let (mut log, _) = log_with(3);
    log.torn.insert(Line(4));
    let opened = log.open(2);
    assert_eq!((opened.line, base(&opened), skipped(&opened)), (Line(5), Some(3), vec![4]));
    assert_eq!(opened.said[0].to_string(), "line 4 of the log cannot be used: log/4: too short");
    let again = log.open(3);
    assert_eq!((base(&again), skipped(&again), again.said.len()), (Some(3), vec![4], 0), "said once, known for ever");
}

#[test]
fn a_job_none_of_whose_checkpoints_can_be_used_is_refused_with_all_reasons() {
    let (mut log, _) = log_with(2);
    log.unsound.insert(Line(3));
    log.torn.insert(Line(2));
    let Err(Refused::NothingUsable(said)) = log.start(2, |_, _| {}) else { panic!("it is refused") };
    assert_eq!(said.iter().map(|skipped| skipped.line.0).collect::<Vec<_>>(), [3, 2]);
    log.torn.extend([Line(1), Line(3), Line(4)]);
    let Err(Refused::NothingUsable(said)) = log.start(3, |_, _| {}) else { panic!("it is refused") };
    assert_eq!(said.len(), 4, "also when not even a claim can be read");
}

#[test]
fn a_start_that_was_overtaken_does_not_refuse_what_its_successor_has_cleaned_up() {
    let (mut log, _) = log_with(1);
    let mut late = true;
    let opened = log.start(2, |log, step| {
        if matches!(step, Step::Read(Line(2))) && log.lines.len() == 3 && std::mem::take(&mut late) {
            let mut successor = Runner::new(&log.open(3), 1);
            log.checkpoint(&mut successor);
            log.lines.remove(&Line(2));
        }
    });
    assert_eq!(opened.map(|opened| (opened.line, base(&opened))), Ok((Line(6), Some(5))));
}

#[test]
fn a_missing_checkpoint_is_passed_over() {
    let (mut log, _) = log_with(2);
    log.open(2);
    log.lines.remove(&Line(3));
    let opened = log.open(3);
    assert_eq!((base(&opened), skipped(&opened)), (Some(2), vec![3]));
    assert_eq!(opened.said[0].to_string(), "line 3 of the log is missing");
}

#[test]
fn staged_output_is_committed_removed_or_left() {
    let (mut log, _) = log_with(2);
    let opened = log.open(2);
    assert_eq!(opened.staged(stamp(1, 2), true), Staged::Commit);
    assert_eq!(opened.staged(stamp(1, 3), false), Staged::Remove);
    assert_eq!(opened.staged(stamp(1, 1), false), Staged::Remove, "committed or given up: the base would list it else");
    assert_eq!(opened.staged(stamp(9, 1), false), Staged::Leave);
}

#[test]
fn visible_output_is_taken_back_from_the_base_to_ourselves() {
    let (mut log, _) = log_with(3);
    log.unsound.insert(Line(4));
    let opened = log.open(2);
    assert_eq!(opened.visible(stamp(1, 2)), Visible::Keep);
    assert_eq!(opened.visible(stamp(1, 3)), Visible::TakeBack);
    assert_eq!(opened.visible(stamp(5, 1)), Visible::TakeBack);
    assert_eq!(opened.visible(stamp(6, 1)), Visible::Keep, "our own");
    assert_eq!(opened.visible(stamp(9, 1)), Visible::Keep, "a later runner's");
}

#[test]
fn a_runner_keeps_as_many_checkpoints_as_it_is_told() {
    for (retain, kept) in [(0, vec![]), (1, vec![]), (2, vec![4]), (3, vec![3, 4]), (9, vec![2, 3, 4])] {
        let mut log = Log::default();
        let mut runner = Runner::new(&log.open(1), retain);
        let last = (0..4).map(|_| log.checkpoint(&mut runner).1).last().expect("four were made");
        assert_eq!(last.kept, kept.into_iter().map(Line).collect::<Vec<_>>(), "retain {retain}");
    }
}

#[test]
fn an_attempt_that_failed_does_not_give_its_number_to_the_next() {
    let (_, mut runner) = log_with(1);
    assert_eq!([runner.begin(), runner.begin()], [stamp(1, 2), stamp(1, 3)]);
    assert_eq!(runner.next(), Line(3));
}

/// Deletes what the cleaner says, reading for it what it asks for.
fn clean(cleaner: &mut Cleaner, log: &Log, others: &[Object]) -> Vec<Object> {
    cleaner.begin();
    let mut listed: Vec<Object> = log.lines.keys().map(|line| Object::Record(*line)).collect();
    listed.extend_from_slice(others);
    loop {
        match cleaner.plan(&listed) {
            Plan::Delete(delete) => return delete,
            Plan::Read(objects) => {
                for object in &objects {
                    let Object::Record(line) = object else { panic!("{object:?} is for the test to tell") };
                    cleaner.learn(object, &log.found(*line));
                }
            }
        }
    }
}

/// A log of two generations with kept checkpoints, all parts listed, and the cleaner of the second.
fn grown() -> (Log, Runner, Cleaner, Vec<Object>) {
    let (mut log, _) = log_with(4);
    let opened = log.open(2);
    let (mut runner, mut cleaner) = (Runner::new(&opened, 2), Cleaner::new(&opened));
    let (line, record) = log.checkpoint(&mut runner);
    cleaner.completed(line, &record);
    let parts = [stamp(1, 1), stamp(1, 2), stamp(1, 3), stamp(1, 4), stamp(6, 5)].map(|stamp| Object::Part(part(stamp)));
    (log, runner, cleaner, parts.to_vec())
}

#[test]
fn clean_up_deletes_records_from_old_to_new_then_parts_nobody_refers_to() {
    let (log, _, mut cleaner, parts) = grown();
    let delete = clean(&mut cleaner, &log, &parts);
    let records = [2, 3, 4].map(|line| Object::Record(Line(line)));
    assert_eq!(delete, [&records[..], &parts[..3]].concat(), "line 1 is a claim, 5 and 7 are kept, 6 is our claim");
}

#[test]
fn parts_of_attempts_under_way_and_of_later_generations_stay() {
    let (log, mut runner, mut cleaner, mut parts) = grown();
    parts.extend([runner.begin(), stamp(8, 1)].map(|stamp| Object::Part(part(stamp))));
    let given_up = Object::Part(part(stamp(5, 9)));
    parts.push(given_up.clone());
    let delete = clean(&mut cleaner, &log, &parts);
    assert_eq!(&delete[3..], [&parts[..3], &[given_up]].concat());
}

#[test]
fn nothing_is_deleted_before_a_checkpoint_of_our_own() {
    let (mut log, _) = log_with(5);
    let mut cleaner = Cleaner::new(&log.open(2));
    assert_eq!(clean(&mut cleaner, &log, &[Object::Part(part(stamp(1, 1)))]), []);
}

#[test]
fn what_a_savepoint_refers_to_stays_until_the_savepoint_is_deleted() {
    let (log, _, mut cleaner, mut listed) = grown();
    let savepoint = Object::Savepoint("keep".parse().unwrap());
    listed.push(savepoint.clone());
    cleaner.begin();
    let Plan::Read(read) = cleaner.plan(&listed) else { panic!("there is something to read") };
    assert!(read.contains(&savepoint));
    cleaner.learn(&savepoint, &log.found(Line(3)));
    let delete = clean(&mut cleaner, &log, &listed);
    assert!(!delete.contains(&Object::Part(part(stamp(1, 2)))) && delete.contains(&Object::Part(part(stamp(1, 1)))));
    listed.pop();
    assert!(clean(&mut cleaner, &log, &listed).contains(&Object::Part(part(stamp(1, 2)))));
}

#[test]
fn a_savepoint_made_after_the_listing_loses_nothing() {
    let (mut log, mut runner, mut cleaner, mut listed) = grown();
    clean(&mut cleaner, &log, &listed);
    for _ in 0..3 {
        let (line, record) = log.checkpoint(&mut runner);
        cleaner.completed(line, &record);
        listed.extend(record.parts.into_iter().map(Object::Part));
    }
    let Plan::Delete(delete) = cleaner.plan(&listed) else { panic!("everything is known") };
    assert!(!delete.contains(&Object::Part(part(stamp(6, 5)))), "its checkpoint was the last when the clean-up began");
    assert!(clean(&mut cleaner, &log, &listed).contains(&Object::Part(part(stamp(6, 5)))));
}

#[test]
fn no_part_goes_while_something_that_may_refer_to_it_cannot_be_read() {
    let (mut log, _, mut cleaner, mut listed) = grown();
    let savepoint = Object::Savepoint("keep".parse().unwrap());
    listed.push(savepoint.clone());
    cleaner.learn(&savepoint, &Found::Damaged("savepoints/keep: flipped".into()));
    assert_eq!(clean(&mut cleaner, &log, &listed).len(), 3, "records only");
    assert_eq!(cleaner.unreadable(&listed), [savepoint]);

    let opened = log.open(3);
    let (mut runner, mut cleaner) = (Runner::new(&opened, 3), Cleaner::new(&opened));
    let (line, record) = log.checkpoint(&mut runner);
    cleaner.completed(line, &record);
    log.torn.insert(Line(5));
    listed.pop();
    assert!(clean(&mut cleaner, &log, &listed).iter().all(|object| matches!(object, Object::Record(_))));
    assert_eq!(cleaner.unreadable(&listed), [Object::Record(Line(5))]);
}

#[test]
fn a_damaged_old_record_stays_since_it_may_be_a_claim() {
    let (mut log, _, mut cleaner, parts) = grown();
    log.torn.insert(Line(3));
    let delete = clean(&mut cleaner, &log, &parts);
    assert_eq!(&delete[..2], [Object::Record(Line(2)), Object::Record(Line(4))]);
    assert!(!delete.contains(&Object::Record(Line(3))));
}
