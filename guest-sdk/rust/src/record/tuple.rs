//! Tuples as records: fields `f0` to `f7`. The empty tuple has no column and is the key of what has no key.

use super::{Cell, Column, Cursor, Record};
use crate::block::{Error, Writer};

#[diagnostic::do_not_recommend]
impl Record for () {
    const COLUMNS: usize = 0;
    type Readers<'a> = ();
    type Writers = ();

    fn fields(_: &mut Vec<Column>) {}

    fn open<'a>(_: &mut Cursor<'_, 'a>) -> Result<(), Error> {
        Ok(())
    }

    fn read((): &(), _: usize) {}

    fn write(&self, (): &mut ()) {}

    fn each_writer((): &mut (), _: &mut dyn FnMut(&mut dyn Writer)) {}

    fn heap_len((): &()) -> usize {
        0
    }
}

macro_rules! tuple {
    ($count:literal: $($ty:ident $at:tt $name:literal),*) => {
        #[diagnostic::do_not_recommend]
        impl<$($ty: Cell),*> Record for ($($ty,)*) {
            const COLUMNS: usize = $count;
            type Readers<'a> = ($($ty::Reader<'a>,)*);
            type Writers = ($($ty::Writer,)*);

            fn fields(fields: &mut Vec<Column>) {
                $(fields.push(Column::of::<$ty>($name));)*
            }

            fn open<'a>(columns: &mut Cursor<'_, 'a>) -> Result<Self::Readers<'a>, Error> {
                Ok(($(columns.open::<$ty>()?,)*))
            }

            #[inline]
            fn read(readers: &Self::Readers<'_>, row: usize) -> Self {
                ($($ty::read(&readers.$at, row),)*)
            }

            #[inline]
            fn write(&self, writers: &mut Self::Writers) {
                $(self.$at.write(&mut writers.$at);)*
            }

            fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
                $(each(&mut writers.$at);)*
            }

            #[inline]
            fn heap_len(writers: &Self::Writers) -> usize {
                0 $(+ writers.$at.heap_len())*
            }
        }
    };
}

tuple!(1: A 0 "f0");
tuple!(2: A 0 "f0", B 1 "f1");
tuple!(3: A 0 "f0", B 1 "f1", C 2 "f2");
tuple!(4: A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3");
tuple!(5: A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4");
tuple!(6: A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4", F 5 "f5");
tuple!(7: A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4", F 5 "f5", G 6 "f6");
tuple!(8: A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4", F 5 "f5", G 6 "f6", H 7 "f7");
