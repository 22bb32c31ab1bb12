//! Co-groups: windows over two inputs, whose records are kept until a window fires.

use std::marker::PhantomData;
use std::rc::Rc;

use super::chain::{Erased, Operator, restore};
use super::stateless::open;
use super::windowed::each_window;
use super::{AnyPort, Call, Exits, Head, Moment, Outcome, Port, Push, Slots, ValueTable, erase};
use crate::block::Block;
use crate::record::{Key, List, Record};
use crate::stream::Emit;
use crate::window::Window;

/// The records of the two inputs.
type Kept<A, B> = (Rc<ValueTable<List<A>>>, Rc<ValueTable<List<B>>>);

/// The operator of a co-group.
pub(crate) struct CoGroupOperator<K, A: Record + Clone, B: Record + Clone, Out: Record, F> {
    pub(crate) id: u32,
    pub(crate) call: Rc<Call>,
    pub(crate) function: Rc<F>,
    pub(crate) out: Rc<Port<Out>>,
    pub(crate) kept: Kept<A, B>,
    pub(crate) slots: Rc<Slots>,
    pub(crate) key: PhantomData<fn() -> K>,
}

impl<K, A, B, Out, F> Operator for CoGroupOperator<K, A, B, Out, F>
where
    K: Key,
    A: Record + Clone,
    B: Record + Clone,
    Out: Record,
    F: Fn(&Window<'_, K>, &[A], &[B], &mut Emit<'_, Out>) + 'static,
{
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        vec![self.out.clone()]
    }

    fn tail(&self) -> Erased {
        erase(Push::Port(self.out.clone()))
    }

    fn stage(&self, _: Erased) -> Option<Erased> {
        None
    }

    fn head(&self, down: Option<Erased>) -> Box<dyn Head> {
        Box::new(Linked {
            id: self.id,
            call: self.call.clone(),
            function: self.function.clone(),
            kept: self.kept.clone(),
            slots: self.slots.clone(),
            down: down.map_or_else(|| Push::Port(self.out.clone()), restore),
            key: self.key,
        })
    }

    fn slots(&self) -> Option<&Slots> {
        Some(&self.slots)
    }

    fn merge(&self, target: u32, source: u32) {
        self.slots.reserve(&[target, source]);
        merge(&self.kept.0, target, source);
        merge(&self.kept.1, target, source);
    }

    fn purge(&self, slots: &[u32]) {
        slots.iter().for_each(|&slot| self.slots.clear(slot));
    }
}

fn merge<T: Record + Clone>(table: &ValueTable<List<T>>, target: u32, source: u32) {
    let from = table.0.entry(source).take();
    if let Some(from) = from {
        table.0.entry(target).get_or_insert_with(|| List(Vec::new())).0.extend(from.0);
    }
}

struct Linked<K, A: Record + Clone, B: Record + Clone, Out: Record, F> {
    id: u32,
    call: Rc<Call>,
    function: Rc<F>,
    kept: Kept<A, B>,
    slots: Rc<Slots>,
    down: Push<Out>,
    key: PhantomData<fn() -> K>,
}

impl<K, A, B, Out, F> Head for Linked<K, A, B, Out, F>
where
    K: Key,
    A: Record + Clone,
    B: Record + Clone,
    Out: Record,
    F: Fn(&Window<'_, K>, &[A], &[B], &mut Emit<'_, Out>) + 'static,
{
    fn process(&mut self, input: u32, _: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        self.slots.reserve(slots);
        exits.call.at(self.id);
        match input {
            0 => keep(&self.kept.0, block, rows, slots),
            _ => keep(&self.kept.1, block, rows, slots),
        }
        Outcome::default()
    }

    fn fire(&mut self, _: Moment, block: &Block<'_>, offsets: &[u32], slots: &[u32], exits: &Exits) -> Outcome {
        self.slots.reserve(slots);
        each_window::<K>(block, |row, window, time| {
            exits.call.row(row);
            exits.call.at(self.id);
            let range = &slots[offsets[row] as usize..offsets[row + 1] as usize];
            let (first, second) = (gather(&self.kept.0, range), gather(&self.kept.1, range));
            (self.function)(window, &first, &second, &mut Emit::new(&mut self.down, time, self.id, &self.call));
            exits.end();
        });
        Outcome::default()
    }
}

/// Keeps the rows of a call, each in its slots.
fn keep<T: Record + Clone>(table: &ValueTable<List<T>>, block: &Block<'_>, rows: &[u32], slots: &[u32]) {
    let readers = open::<T>(block);
    for (entry, &slot) in slots.iter().enumerate() {
        let row = rows.get(entry).map_or(entry, |&row| row as usize);
        table.0.entry(slot).get_or_insert_with(|| List(Vec::new())).0.push(T::read(&readers, row));
    }
}

/// What the slots of a window have of an input.
fn gather<T: Record + Clone>(table: &ValueTable<List<T>>, slots: &[u32]) -> Vec<T> {
    slots.iter().filter_map(|&slot| table.0.read(slot).as_ref().map(|list| list.0.clone())).flatten().collect()
}
