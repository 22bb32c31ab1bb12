//! The log of the job: `log::info!("{n} sensors")`, and `trace!`, `debug!`, `warn!` and `error!` alike.
//!
//! A line carries the operator that wrote it; the host cuts lines at 4 KiB and counts what comes too fast.

pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

#[doc(hidden)]
pub use crate::runtime::Level;

#[doc(hidden)]
pub fn write(level: Level, message: std::fmt::Arguments<'_>) {
    crate::runtime::with_current(|call| match message.as_str() {
        Some(fixed) => call.log(level, fixed),
        None => call.log(level, &message.to_string()),
    });
}

#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Trace, ::std::format_args!($($message)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Debug, ::std::format_args!($($message)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Info, ::std::format_args!($($message)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Warn, ::std::format_args!($($message)*)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($message:tt)*) => { $crate::log::write($crate::log::Level::Error, ::std::format_args!($($message)*)) };
}
