//! Two components that write down what they are asked, behind one guest.

#![allow(clippy::unwrap_used)]
use std::sync::Mutex;

use super::*;
use crate::guest::{Emission, Failure};

/// Every call in words, and what a component answers to `process`.
#[derive(Clone, Default)]
struct Spoken(Arc<Mutex<Vec<String>>>);

impl Spoken {
    fn note(&self, words: String) {
        self.0.lock().unwrap().push(words);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct One {
    name: &'static str,
    spoken: Spoken,
    answer: Result<Outcome, Error>,
}

impl Guest for One {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.spoken.note(format!("{} links {chain} as {members:?}", self.name));
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, _: Moment, _: &Block, _: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.spoken.note(format!("{} processes {chain}, input {input}, slots {slots:?}", self.name));
        self.answer.clone()
    }

    fn on_timer(&mut self, chain: ChainId, _: Moment, _: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.spoken.note(format!("{} has timers of {chain} at {slots:?}", self.name));
        self.answer.clone()
    }

    fn fire(&mut self, chain: ChainId, _: Moment, _: &Block, _: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.spoken.note(format!("{} fires {chain} of {slots:?}", self.name));
        self.answer.clone()
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.spoken.note(format!("{} merges {sources:?} into {targets:?} of {operator}", self.name));
        Ok(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        self.spoken.note(format!("{} exports {slots:?} of {operator}", self.name));
        Ok(block())
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], _: &Block) -> Result<(), Error> {
        self.spoken.note(format!("{} imports {slots:?} of {operator}", self.name));
        Ok(())
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.spoken.note(format!("{} drops {slots:?} of {operator}", self.name));
        Ok(())
    }
}

struct Makes {
    name: &'static str,
    spoken: Spoken,
    answer: Result<Outcome, Error>,
    fails: bool,
}

impl Factory for Makes {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        self.spoken.note(format!("{} is made", self.name));
        if self.fails {
            return Err(Error::Refused { export: "plan", message: "no".to_owned() });
        }
        Ok(Box::new(One { name: self.name, spoken: self.spoken.clone(), answer: self.answer.clone() }))
    }
}

fn block() -> Block {
    let mut builder = crate::block::Builder::new(&Schema::default());
    builder.push_time(0);
    builder.finish().unwrap()
}

/// `a` has operators 0 to 2 of which 0 is wired away, `b` has one that is number 2 there; they stand mixed in the whole.
fn several(answer: Result<Outcome, Error>, fails: bool) -> (Box<dyn Guest>, Spoken) {
    let spoken = Spoken::default();
    let make = |name, fails| {
        let made = Makes { name, spoken: spoken.clone(), answer: answer.clone(), fails };
        (name.to_owned(), Arc::new(made) as Arc<dyn Factory>)
    };
    let place = |component, operator| Place { component, operator };
    let factories = Factories::new(vec![make("a", false), make("b", fails)], vec![place(0, 1), place(1, 2), place(0, 2)]);
    (factories.instantiate().unwrap(), spoken)
}

const NOW: Moment = Moment { watermark: 0, now: 0 };

#[test]
fn calls_reach_the_component_in_its_own_numbers() {
    let (mut guest, spoken) = several(Ok(Outcome::default()), false);
    guest.link(0, &[0]).unwrap();
    guest.link(1, &[1]).unwrap();
    guest.link(2, &[2]).unwrap();
    assert_eq!(spoken.take(), ["a is made", "a links 0 as [1]", "b is made", "b links 0 as [2]", "a links 1 as [2]"]);
    let block = block();
    guest.process(2, 3, NOW, &block, &[], &[7]).unwrap();
    guest.on_timer(1, NOW, &block, &[8]).unwrap();
    guest.fire(0, NOW, &block, &[], &[9]).unwrap();
    guest.merge(1, &[1], &[2]).unwrap();
    guest.export_state(2, &[3]).unwrap();
    guest.import_state(0, &[4], &block).unwrap();
    guest.drop_state(1, &[5]).unwrap();
    let expected = [
        "a processes 1, input 3, slots [7]",
        "b has timers of 0 at [8]",
        "a fires 0 of [9]",
        "b merges [2] into [1] of 2",
        "a exports [3] of 2",
        "a imports [4] of 1",
        "b drops [5] of 2",
    ];
    assert_eq!(spoken.take(), expected);
}

#[test]
fn what_a_component_says_comes_back_in_the_numbers_of_the_whole() {
    let outcome = Outcome {
        emitted: vec![Emission { operator: 1, port: 1, block: block() }],
        failures: vec![Failure { row: 4, operator: 1, message: "no".to_owned() }],
        ..Outcome::default()
    };
    let (mut guest, _) = several(Ok(outcome), false);
    guest.link(0, &[0]).unwrap();
    let outcome = guest.process(0, 0, NOW, &block(), &[], &[]).unwrap();
    assert_eq!((outcome.emitted[0].operator, outcome.emitted[0].port), (0, 1));
    assert_eq!((outcome.failures[0].operator, outcome.failures[0].row), (0, 4));
}

#[test]
fn a_trap_names_the_operator_of_the_whole() {
    let trap = Error::Trap { export: "process", message: "oh".to_owned(), backtrace: Vec::new(), at: Some((2, 5)) };
    let (mut guest, _) = several(Err(trap), false);
    guest.link(0, &[1]).unwrap();
    let Err(Error::Trap { at, .. }) = guest.process(0, 0, NOW, &block(), &[], &[]) else { panic!("no trap") };
    assert_eq!(at, Some((1, 5)));
}

#[test]
fn a_chain_of_two_components_and_one_that_is_not_linked_are_refused() {
    let (mut guest, spoken) = several(Ok(Outcome::default()), false);
    assert!(guest.link(0, &[0, 1]).unwrap_err().to_string().ends_with("chain 0 is not of one component"));
    assert!(guest.link(0, &[9]).unwrap_err().to_string().ends_with("there is no operator 9"));
    assert!(guest.process(0, 0, NOW, &block(), &[], &[]).unwrap_err().to_string().ends_with("chain 0 is not linked"));
    assert!(spoken.take().is_empty(), "nothing was made for it");
}

#[test]
fn a_component_that_cannot_begin_is_named() {
    let (mut guest, _) = several(Ok(Outcome::default()), true);
    let error = guest.link(0, &[1]).unwrap_err();
    assert_eq!(error.to_string(), "the component refused plan: component \"b\": no");
}
