//! Operators that keep nothing between records: map, filter, flat_map, key_by and timestamps.

use std::marker::PhantomData;
use std::rc::Rc;

use super::chain::{Erased, Operator, restore};
use super::{AnyPort, Call, Exits, Head, Moment, Outcome, Port, Push, erase};
use crate::block::Block;
use crate::record::{Cursor, Record};

/// Any of them but a filter: `compose` puts the operator in front of what follows it.
pub(crate) struct StatelessOperator<In: Record, Out: Record> {
    pub(crate) out: Rc<Port<Out>>,
    pub(crate) sides: Vec<Rc<dyn AnyPort>>,
    pub(crate) compose: Box<dyn Fn(Push<Out>) -> Push<In>>,
}

impl<In: Record, Out: Record> Operator for StatelessOperator<In, Out> {
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        std::iter::once(self.out.clone() as Rc<dyn AnyPort>).chain(self.sides.iter().cloned()).collect()
    }

    fn tail(&self) -> Erased {
        erase(Push::Port(self.out.clone()))
    }

    fn stage(&self, down: Erased) -> Option<Erased> {
        Some(erase((self.compose)(restore(down))))
    }

    fn head(&self, down: Option<Erased>) -> Box<dyn Head> {
        let down = down.map_or_else(|| Push::Port(self.out.clone()), restore);
        Box::new(StatelessHead { push: (self.compose)(down) })
    }
}

/// Makes records of blocks and pushes them into a chain.
struct StatelessHead<In: Record> {
    push: Push<In>,
}

impl<In: Record> Head for StatelessHead<In> {
    fn process(&mut self, _: u32, _: Moment, block: &Block<'_>, _: &[u32], _: &[u32], exits: &Exits) -> Outcome {
        let readers = open::<In>(block);
        for (row, time) in block.times().iter().enumerate() {
            exits.call.row(row);
            self.push.push(In::read(&readers, row), i64::from_le_bytes(*time));
            exits.end();
        }
        Outcome::default()
    }
}

/// Opens the columns of a record in a block that the host gave.
pub(super) fn open<'a, T: Record>(block: &Block<'a>) -> T::Readers<'a> {
    T::open(&mut Cursor::new(block)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"))
}

/// A filter. Alone in its chain it copies the columns of what it keeps rather than writing records again.
pub(crate) struct FilterOperator<T: Record, F> {
    pub(crate) id: u32,
    pub(crate) call: Rc<Call>,
    pub(crate) out: Rc<Port<T>>,
    pub(crate) keep: Rc<F>,
}

impl<T: Record, F: Fn(&T) -> bool + 'static> Operator for FilterOperator<T, F> {
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        vec![self.out.clone()]
    }

    fn tail(&self) -> Erased {
        erase(Push::Port(self.out.clone()))
    }

    fn stage(&self, down: Erased) -> Option<Erased> {
        let mut down = restore::<T>(down);
        let (id, call, keep) = (self.id, self.call.clone(), self.keep.clone());
        Some(erase(Push::stage(move |record: T, time| {
            call.at(id);
            if keep(&record) {
                down.push(record, time);
            }
        })))
    }

    fn head(&self, down: Option<Erased>) -> Box<dyn Head> {
        match down.and_then(|down| self.stage(down)) {
            Some(push) => Box::new(StatelessHead { push: restore::<T>(push) }),
            None => {
                Box::new(FilterHead { out: self.out.clone(), keep: self.keep.clone(), kept: Vec::new(), id: self.id, _type: PhantomData })
            }
        }
    }
}

struct FilterHead<T: Record, F> {
    id: u32,
    out: Rc<Port<T>>,
    keep: Rc<F>,
    kept: Vec<u32>,
    _type: PhantomData<fn(&T)>,
}

impl<T: Record, F: Fn(&T) -> bool> Head for FilterHead<T, F> {
    fn process(&mut self, _: u32, _: Moment, block: &Block<'_>, _: &[u32], _: &[u32], exits: &Exits) -> Outcome {
        let readers = open::<T>(block);
        exits.call.at(self.id);
        self.kept.clear();
        for row in 0..block.rows() {
            exits.call.row(row);
            if (self.keep)(&T::read(&readers, row)) {
                self.kept.push(row as u32);
            }
        }
        self.out.copy(block, &self.kept);
        Outcome::default()
    }
}
