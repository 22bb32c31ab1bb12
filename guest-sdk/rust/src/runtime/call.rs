//! The call in progress: who runs, on which row, and what went wrong so far.
//!
//! One [`Call`] belongs to an instance and is shared by everything in it. While the host is inside the instance it is also the
//! thread's current one, which is how log lines and the panic hook find the host.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Once;

use super::{Failure, Host, Level};

/// No row is in flight.
const NO_ROW: u32 = u32::MAX;

pub(crate) struct Call {
    host: Rc<dyn Host>,
    operator: Cell<u32>,
    row: Cell<u32>,
    /// Whether something is to be looked after when the record in flight is through.
    attention: Cell<bool>,
    failed: Cell<bool>,
    failures: RefCell<Vec<Failure>>,
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
            failed: Cell::new(false),
            failures: RefCell::default(),
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

    /// Ends the attention; tells whether the record in flight was refused.
    pub(crate) fn attended(&self) -> bool {
        self.attention.set(false);
        self.failed.replace(false)
    }

    /// Notes that `operator` refuses the record in flight. Only the first refusal of a record counts.
    #[cold]
    pub(crate) fn refuse(&self, operator: u32, message: String) {
        self.attention.set(true);
        if !self.failed.replace(true) {
            self.failures.borrow_mut().push(Failure { row: self.row.get(), operator, message });
        }
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
