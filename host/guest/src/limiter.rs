//! One limit on what a whole store may allocate.
//!
//! wasmtime's own limiter counts per memory and per table; a component may have many of either, so the sum is counted here,
//! initial sizes included. Passing the limit ends the instance with an error that names the limit, where a mere refusal
//! would end in whatever the guest's allocator does then.

use wasmtime::ResourceLimiter;

use crate::fault::Stop;

/// Core instances of a store: Python's runtime has about thirty libraries, linked as instances of their own.
const INSTANCES_MAX: usize = 128;
/// Memories of a store; a component has one, adapters a second.
const MEMORIES_MAX: usize = 16;
/// Tables of a store.
const TABLES_MAX: usize = 64;
/// Bytes that wasmtime keeps per table element.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Counts memory and tables of a store against one limit.
pub(crate) struct Limiter {
    used: usize,
    max: usize,
}

impl Limiter {
    pub(crate) fn new(max: usize) -> Limiter {
        Limiter { used: 0, max }
    }

    /// Bytes of all memories and tables.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    fn grow(&mut self, bytes: usize) -> wasmtime::Result<bool> {
        match self.used.checked_add(bytes).filter(|&sum| sum <= self.max) {
            Some(sum) => self.used = sum,
            None => {
                let (max, used, more) = (mib(self.max), mib(self.used), mib(bytes));
                return Err(Stop::Limit(format!("memory of {max} MiB ({used} in use, {more} more asked for)")).into());
            }
        }
        Ok(true)
    }
}

/// Mebibytes, with one decimal where they are not whole.
fn mib(bytes: usize) -> String {
    let tenths = bytes / ((1 << 20) / 10);
    match bytes % (1 << 20) {
        0 => (bytes >> 20).to_string(),
        _ => format!("{}.{}", tenths / 10, tenths % 10),
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut limiter = Limiter::new(1 << 20);
        assert!(limiter.memory_growing(0, 512 << 10, None).unwrap());
        assert!(limiter.table_growing(0, (512 << 10) / TABLE_ELEMENT_BYTES, None).unwrap());
        let error = limiter.memory_growing(0, 1, None).unwrap_err();
        assert_eq!(error.to_string(), "memory of 1 MiB (1 in use, 0.0 more asked for)");
        assert_eq!(limiter.used(), 1 << 20);
    }

    #[test]
    fn growth_over_a_declared_maximum_is_refused_and_not_counted() {
        let mut limiter = Limiter::new(1 << 20);
        assert!(!limiter.memory_growing(0, 2 << 16, Some(1 << 16)).unwrap());
        assert_eq!(limiter.used(), 0);
        assert!(limiter.table_growing(0, usize::MAX, None).is_err());
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!([mib(0), mib(64 << 10), mib(3 << 19), mib(512 << 20)], ["0", "0.0", "1.5", "512"]);
    }
}
