//! The call in progress: who runs, on which row, and what went wrong so far.
//!
//! One [`Call`] belongs to an instance and is shared by everything in it. While the host is inside the instance it is also the
//! thread's current one, which is how log lines and the panic hook find the host.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Once;

use super::{AnyPort, Failure, Host, Level};

/// No row is in flight.
const NO_ROW: u32 = u32::MAX;

pub(crate) struct Call {
    host: Rc<dyn Host>,
    operator: Cell<u32>,
    row: Cell<u32>,
    /// Whether a port is to be looked after when the row in flight is through.
    attention: Cell<bool>,
    failures: RefCell<Vec<Failure>>,
    /// The outputs of the chain that runs.
    ports: RefCell<Rc<[Rc<dyn AnyPort>]>>,
    /// Whether refused records are taken back: not where one fails the job anyway.
    undo: Cell<bool>,
    /// Rows in each port where the attempts that are open began, the innermost last.
    marks: RefCell<Vec<usize>>,
}

/// An operator's work on one record, which can be taken back: what it and everything behind it in the chain emitted and refused. Attempts
/// of the members of a chain nest.
#[must_use]
pub(crate) struct Attempt {
    failures: usize,
    marks: usize,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
}

impl Call {
    pub(crate) fn new(host: Rc<dyn Host>) -> Rc<Call> {
        install_hook();
        Rc::new(Call {
            host,
            operator: Cell::new(0),
            row: Cell::new(NO_ROW),
            attention: Cell::new(false),
            failures: RefCell::default(),
            ports: RefCell::new(Rc::new([])),
            undo: Cell::new(false),
            marks: RefCell::default(),
        })
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Runs `body` with this call as the thread's current one.
    pub(crate) fn enter<R>(self: &Rc<Self>, body: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(Some(self.clone()));
        let result = body();
        self.row.set(NO_ROW);
        CURRENT.set(before);
        result
    }

    /// Says that `operator` runs now.
    #[inline]
    pub(crate) fn at(&self, operator: u32) {
        self.operator.set(operator);
    }

    /// Says which row of the block is in flight.
    #[inline]
    pub(crate) fn row(&self, row: usize) {
        self.row.set(row as u32);
    }

    #[inline]
    pub(crate) fn attention(&self) -> bool {
        self.attention.get()
    }

    pub(crate) fn call_attention(&self) {
        self.attention.set(true);
    }

    pub(crate) fn attended(&self) {
        self.attention.set(false);
    }

    /// Says which chain runs: its outputs, and whether refused records are taken back.
    pub(crate) fn chain(&self, ports: &Rc<[Rc<dyn AnyPort>]>, undo: bool) {
        *self.ports.borrow_mut() = ports.clone();
        self.undo.set(undo);
    }

    /// Begins an operator's work on a record; `None` where nothing is ever taken back.
    #[inline]
    pub(crate) fn attempt(&self) -> Option<Attempt> {
        self.undo.get().then(|| {
            let mut marks = self.marks.borrow_mut();
            let attempt = Attempt { failures: self.failures.borrow().len(), marks: marks.len() };
            marks.extend(self.ports.borrow().iter().map(|port| port.rows()));
            attempt
        })
    }

    /// Ends an operator's work: what it did stands.
    #[inline]
    pub(crate) fn stand(&self, attempt: Option<Attempt>) {
        if let Some(attempt) = attempt {
            self.marks.borrow_mut().truncate(attempt.marks);
        }
    }

    /// Ends an operator's work by taking it back: `operator` refuses the record.
    #[cold]
    pub(crate) fn refuse_all(&self, attempt: Option<Attempt>, operator: u32, message: String) {
        if let Some(attempt) = attempt {
            let mut marks = self.marks.borrow_mut();
            self.ports.borrow().iter().zip(&marks[attempt.marks..]).for_each(|(port, &rows)| port.truncate(rows));
            marks.truncate(attempt.marks);
            self.failures.borrow_mut().truncate(attempt.failures);
        }
        self.refuse(operator, message);
    }

    /// Whether what is emitted now may still be taken back.
    pub(crate) fn attempting(&self) -> bool {
        !self.marks.borrow().is_empty()
    }

    /// Notes that `operator` refuses a record of the row in flight, of which it has emitted nothing.
    #[cold]
    pub(crate) fn refuse(&self, operator: u32, message: String) {
        self.failures.borrow_mut().push(Failure { row: self.row.get(), operator, message });
    }

    pub(crate) fn take_failures(&self) -> Vec<Failure> {
        self.failures.take()
    }

    fn report_panic(&self, message: &str) {
        match self.row.get() {
            NO_ROW => self.host.log(Level::Error, self.operator.get(), message),
            row => self.host.report_failure(self.operator.get(), row, message),
        }
    }

    pub(crate) fn log(&self, level: Level, message: &str) {
        self.host.log(level, self.operator.get(), message);
    }
}

/// Runs `body` with the current call, if the host is inside an instance.
pub(crate) fn with_current(body: impl FnOnce(&Call)) {
    let current = CURRENT.try_with(|current| current.try_borrow().ok().and_then(|current| current.clone())).ok().flatten();
    if let Some(call) = current {
        body(&call);
    }
}

/// Before a panic becomes a trap, the host is told which record caused it.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            with_current(|call| call.report_panic(&info.to_string()));
            before(info);
        }));
    });
}
