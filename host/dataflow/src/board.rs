//! Where operators say what `explain` asks of them: their watermark and what holds it, what they keep, what they read.
//!
//! Nobody writes here unless somebody asks. A question is a number that goes up; an operator looks at it once an activation, which comes
//! with every tick, and answers when it has changed; at its end it answers once and for all. An operator that does not answer is in
//! a call, or its worker is in another one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tidemill_core::explain::WorkerFacts;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

/// The worker is in no operator.
const NOWHERE: usize = usize::MAX;
/// The question that an operator answers at its end: it stays true.
const FOR_GOOD: u64 = u64::MAX;

/// Where a worker is; alone in its cache line, since its worker writes it at every activation.
#[derive(Debug)]
#[repr(align(64))]
struct At(AtomicUsize);

/// An answer, and to which question.
type Answer = (u64, WorkerFacts);

/// What has been answered.
#[derive(Debug, Default)]
struct Answers {
    /// By operator and worker.
    given: HashMap<(usize, usize), Answer>,
    /// The latest question.
    question: u64,
    /// Answers to it that are still to come.
    missing: usize,
}

impl Answers {
    fn lacks(&self, who: (usize, usize), question: u64) -> bool {
        self.given.get(&who).is_none_or(|(answer, _)| *answer < question)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Board {
    asked: AtomicU64,
    at: Vec<At>,
    answers: Mutex<Answers>,
    /// Nobody is missing any more.
    complete: Condvar,
}

impl Board {
    pub(crate) fn new(workers: usize) -> Board {
        Board {
            asked: AtomicU64::new(0),
            at: std::iter::repeat_with(|| At(AtomicUsize::new(NOWHERE))).take(workers).collect(),
            answers: Mutex::default(),
            complete: Condvar::new(),
        }
    }

    /// A worker begins with an operator.
    pub(crate) fn enter(&self, worker: usize, operator: usize) {
        self.at[worker].0.store(operator, Relaxed);
    }

    /// It has come back.
    pub(crate) fn leave(&self, worker: usize) {
        self.at[worker].0.store(NOWHERE, Relaxed);
    }

    fn tell(&self, operator: usize, question: u64, facts: WorkerFacts) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (operator, facts.worker);
        if question >= answers.question && answers.lacks(who, answers.question) {
            answers.missing = answers.missing.saturating_sub(1);
        }
        answers.given.insert(who, (question, facts));
        if answers.missing == 0 {
            self.complete.notify_all();
        }
    }

    /// What these operators say on all workers, in their order; waited for so long. One that says nothing is shown as it was when it
    /// last did.
    pub(crate) fn ask(&self, operators: &[usize], wait: Duration) -> Vec<Vec<WorkerFacts>> {
        let wanted = || operators.iter().flat_map(|&operator| (0..self.at.len()).map(move |worker| (operator, worker)));
        let deadline = Instant::now() + wait;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let question = self.asked.fetch_add(1, Relaxed) + 1;
        answers.question = question;
        answers.missing = wanted().filter(|who| answers.lacks(*who, question)).count();
        // Whoever asks meanwhile counts anew; an answer to that question is one to this.
        while answers.missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            answers = self.complete.wait_timeout(answers, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let of = |operator: usize, worker: usize| match answers.given.get(&(operator, worker)) {
            Some((answer, facts)) if *answer >= question => facts.clone(),
            earlier => WorkerFacts {
                worker,
                silent: true,
                at_work: self.at[worker].0.load(Relaxed) == operator,
                ..earlier.map(|(_, facts)| facts.clone()).unwrap_or_default()
            },
        };
        operators.iter().map(|&operator| (0..self.at.len()).map(|worker| of(operator, worker)).collect()).collect()
    }
}

/// An operator's side of the board on one worker.
#[derive(Debug)]
pub(crate) struct Teller {
    operator: usize,
    worker: usize,
    answered: u64,
    /// When the watermark rose last.
    rose: Option<Instant>,
    before_end: TimeMs,
}

impl Teller {
    pub(crate) fn new(operator: usize, worker: usize) -> Teller {
        Teller { operator, worker, answered: 0, rose: None, before_end: TIME_MIN }
    }

    /// The watermark rises.
    pub(crate) fn rises(&mut self, from: TimeMs, to: TimeMs, at: Instant) {
        self.rose = Some(at);
        if to == TIME_MAX {
            self.before_end = from;
        }
    }

    /// Answers, where somebody asks or the operator has come to its end. `facts` need not say what is known here.
    pub(crate) fn tell(&mut self, board: &Board, over: bool, facts: impl FnOnce() -> WorkerFacts) {
        let question = if over { FOR_GOOD } else { board.asked.load(Relaxed) };
        if question == self.answered {
            return;
        }
        self.answered = question;
        let facts = WorkerFacts { worker: self.worker, rose_ms: self.rose.map(by_clock), before_end: self.before_end, ..facts() };
        board.tell(self.operator, question, facts);
    }
}

/// A moment by the clock.
pub(crate) fn by_clock(at: Instant) -> TimeMs {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as TimeMs);
    now - at.elapsed().as_millis() as TimeMs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(watermark: TimeMs) -> WorkerFacts {
        WorkerFacts { watermark, ..WorkerFacts::default() }
    }

    #[test]
    fn nobody_says_anything_unasked_and_the_last_word_stays() {
        let board = Board::new(1);
        let mut teller = Teller::new(7, 0);
        teller.tell(&board, false, || unreachable!("nobody has asked"));
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| board.ask(&[7], Duration::from_secs(60)));
            while teller.answered == 0 {
                teller.tell(&board, false, || facts(5));
            }
            let heard = asked.join().expect("whoever asks gets an answer");
            assert_eq!((heard[0][0].watermark, heard[0][0].silent), (5, false));
        });
        teller.rises(5, TIME_MAX, Instant::now());
        teller.tell(&board, true, || facts(TIME_MAX));
        let last = &board.ask(&[7], Duration::from_secs(60))[0][0];
        assert_eq!((last.watermark, last.before_end, last.silent), (TIME_MAX, 5, false));
    }

    #[test]
    fn who_does_not_answer_is_shown_as_silent_and_where_the_worker_is() {
        let board = Board::new(2);
        board.enter(1, 3);
        let heard = board.ask(&[3], Duration::ZERO);
        assert_eq!(
            heard[0].iter().map(|worker| (worker.worker, worker.silent, worker.at_work)).collect::<Vec<_>>(),
            [(0, true, false), (1, true, true)]
        );
        board.leave(1);
        assert!(!board.ask(&[3], Duration::ZERO)[0][1].at_work);
    }
}
