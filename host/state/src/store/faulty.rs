//! A backend that fails when it is told to: for tests of everything that is written over a [`super::Store`].

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Backend, Entry, Put};
use crate::error::Error;

/// A call to a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Listing a folder.
    List(String),
    /// Reading a file or a part of one.
    Read(String),
    /// Writing a file of so many bytes.
    Put(String, u64, Put),
    /// Deleting a file.
    Delete(String),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out and answered.
    None,
    /// It is not carried out, and the answer says so.
    Refused,
    /// It is not carried out because the device is full.
    Full,
    /// It is carried out, but the answer is lost.
    ReplyLost,
}

type Judge = dyn FnMut(u64, &Operation) -> Fault + Send;

/// A backend whose calls are judged first: the judge is told the number of the call, from 0, and the call.
pub struct Faulty {
    inner: Arc<dyn Backend>,
    judge: Mutex<(u64, Box<Judge>)>,
}

impl Faulty {
    /// A backend over `inner`.
    pub fn new(inner: Arc<dyn Backend>, judge: impl FnMut(u64, &Operation) -> Fault + Send + 'static) -> Faulty {
        Faulty { inner, judge: Mutex::new((0, Box::new(judge))) }
    }

    fn call<T>(&self, operation: &Operation, carry_out: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let fault = {
            let (count, judge) = &mut *self.judge.lock().unwrap_or_else(PoisonError::into_inner);
            let fault = judge(*count, operation);
            *count += 1;
            fault
        };
        let (Operation::List(file) | Operation::Read(file) | Operation::Put(file, ..) | Operation::Delete(file)) = operation;
        match fault {
            Fault::None => carry_out(),
            Fault::Refused => Err(Error::storage(file, "refused")),
            Fault::Full => Err(Error::storage(file, std::io::Error::from_raw_os_error(NO_SPACE).to_string())),
            Fault::ReplyLost => carry_out().and_then(|_| Err(Error::storage(file, "the answer was lost"))),
        }
    }
}

/// ENOSPC.
const NO_SPACE: i32 = 28;

impl Backend for Faulty {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Error> {
        self.call(&Operation::List(folder.to_owned()), || self.inner.list(folder))
    }

    fn read(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        self.call(&Operation::Read(name.to_owned()), || self.inner.read(name, range))
    }

    fn put(&self, name: &str, bytes: Bytes, how: Put) -> Result<(), Error> {
        self.call(&Operation::Put(name.to_owned(), bytes.len() as u64, how), || self.inner.put(name, bytes, how))
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        self.call(&Operation::Delete(name.to_owned()), || self.inner.delete(name))
    }

    fn sweep(&self, folder: &str) -> Result<(), Error> {
        self.inner.sweep(folder)
    }
}
