//! The operator that gives event time, with a generator of watermarks for each split where the job has one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::chain::{Erased, Operator};
use super::stateless::{StatelessOperator, open};
use super::{AnyPort, Call, Head};
use crate::block::Block;
use crate::record::Record;
use crate::watermark::{Make, WatermarkGenerator};

/// See the module.
pub(crate) struct TimestampsOperator<T: Record> {
    pub(crate) stamps: StatelessOperator<T, T>,
    pub(crate) call: Rc<Call>,
    pub(crate) make: Make<T>,
    pub(crate) splits: RefCell<BTreeMap<u32, Box<dyn WatermarkGenerator<T>>>>,
}

impl<T: Record> Operator for TimestampsOperator<T> {
    fn ports(&self) -> Vec<Rc<dyn AnyPort>> {
        self.stamps.ports()
    }

    fn tail(&self) -> Erased {
        self.stamps.tail()
    }

    fn stage(&self, down: Erased) -> Option<Erased> {
        self.stamps.stage(down)
    }

    fn head(&self, down: Option<Erased>) -> Box<dyn Head> {
        self.stamps.head(down)
    }

    fn watermark(&self, split: u32, now: i64, block: Option<&Block<'_>>) -> Option<i64> {
        let mut splits = self.splits.borrow_mut();
        let generator = splits.entry(split).or_insert_with(|| (self.make)());
        let Some(block) = block else { return generator.on_periodic(now) };
        let readers = open::<T>(block);
        let said = block.times().iter().enumerate().filter_map(|(row, time)| {
            self.call.row(row);
            generator.on_record(&T::read(&readers, row), i64::from_le_bytes(*time))
        });
        said.max()
    }

    fn forget_splits(&self) {
        self.splits.borrow_mut().clear();
    }
}
