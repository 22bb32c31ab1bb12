//! Whether there is room for a job: decided at once, with the arithmetic shown and what would make room.

use crate::error::{Code, Error};
use crate::limits::RUNNER_BYTES;
use crate::options::Capacity;

/// What a job takes for as long as it is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) workers: u64,
    /// Of each worker there is an instance of each.
    pub(crate) components: u64,
    /// Memory of each instance.
    pub(crate) instance_bytes: u64,
}

/// A job that has room already.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) need: Need,
}

impl Need {
    pub(crate) fn bytes(self) -> u64 {
        self.instances().saturating_mul(self.instance_bytes).saturating_add(RUNNER_BYTES)
    }

    fn instances(self) -> u64 {
        self.workers.saturating_mul(self.components)
    }

    /// Each at its larger: a job never is two versions at once.
    pub(crate) fn or(self, other: Need) -> Need {
        Need {
            workers: self.workers.max(other.workers),
            components: self.components.max(other.components),
            instance_bytes: self.instance_bytes.max(other.instance_bytes),
        }
    }

    fn shown(self) -> String {
        let (workers, each) = (self.workers, mib(self.instance_bytes));
        let components = if self.components > 1 { format!(" x {} components", self.components) } else { String::new() };
        format!("{} and {} ({workers}{components} x {each} + {} for the runner)", slots(workers), mib(self.bytes()), mib(RUNNER_BYTES))
    }
}

/// What jobs take together.
pub(crate) fn used(holders: &[Holder]) -> Capacity {
    let sum = |f: fn(&Need) -> u64| holders.iter().map(|holder| f(&holder.need)).fold(0, u64::saturating_add);
    Capacity { slots: sum(|need| need.workers), bytes: sum(|need| need.bytes()) }
}

/// Admits a job or says why not.
pub(crate) fn admit(capacity: Capacity, holders: &[Holder], need: Need) -> Result<(), Error> {
    let used = used(holders);
    let free = Capacity { slots: capacity.slots.saturating_sub(used.slots), bytes: capacity.bytes.saturating_sub(used.bytes) };
    if fits(free, need) {
        return Ok(());
    }
    let error = Error::new(Code::NoRoom, format!("the job needs {}", need.shown())).because(format!(
        "{} of {} and {} of {} are free",
        free.slots,
        slots(capacity.slots),
        mib(free.bytes),
        mib(capacity.bytes)
    ));
    Err(error.hint(way_out(capacity, free, holders, need)))
}

fn fits(free: Capacity, need: Need) -> bool {
    need.workers <= free.slots && need.bytes() <= free.bytes
}

/// What would make room: a smaller job, else the end of the fewest others, else a larger server.
fn way_out(capacity: Capacity, free: Capacity, holders: &[Holder], need: Need) -> String {
    let mut ways = Vec::new();
    let narrower = (1..need.workers).rev().find(|workers| fits(free, Need { workers: *workers, ..need }));
    if let Some(workers) = narrower {
        ways.push(format!("parallelism {workers} fits"));
    }
    // Less than 64 MiB starts hardly any job; nobody is told to try.
    let share = free.bytes.saturating_sub(RUNNER_BYTES) / need.instances().max(1);
    let each = share - share % (1 << 20);
    if need.workers <= free.slots && each >= 64 << 20 && each < need.instance_bytes {
        ways.push(format!("memory {} for each {} fits", mib(each), if need.components > 1 { "instance" } else { "worker" }));
    }
    if fits(capacity, need) {
        ways.push(format!("so does the end of {}", leaving(free, holders, need)));
    } else if ways.is_empty() {
        return "no job of this size fits here even alone: start the server with more --slots or --memory".to_owned();
    }
    ways.join("; ")
}

/// The jobs that hold most, as few as are enough.
fn leaving(free: Capacity, holders: &[Holder], need: Need) -> String {
    let mut by_size: Vec<&Holder> = holders.iter().collect();
    by_size.sort_by_key(|holder| std::cmp::Reverse((holder.need.bytes(), holder.need.workers)));
    if let Some(one) = by_size.iter().rev().find(|holder| fits(plus(free, holder.need), need)) {
        return format!("{} ({})", one.name, one.need.shown());
    }
    let (mut free, mut names) = (free, Vec::new());
    for holder in by_size {
        free = plus(free, holder.need);
        names.push(holder.name.as_str());
        if fits(free, need) {
            break;
        }
    }
    names.join(" and ")
}

fn plus(free: Capacity, need: Need) -> Capacity {
    Capacity { slots: free.slots + need.workers, bytes: free.bytes + need.bytes() }
}

fn slots(n: u64) -> String {
    if n == 1 { "1 slot".to_owned() } else { format!("{n} slots") }
}

/// Mebibytes, rounded up: what is needed is never understated.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn need(workers: u64, mib: u64) -> Need {
        Need { workers, components: 1, instance_bytes: mib * MIB }
    }

    fn holder(name: &str, workers: u64, mib: u64) -> Holder {
        Holder { name: name.to_owned(), need: need(workers, mib) }
    }

    #[test]
    fn the_last_slot_and_the_last_byte_are_given() {
        let capacity = Capacity { slots: 4, bytes: need(4, 100).bytes() };
        assert_eq!(admit(capacity, &[], need(4, 100)), Ok(()));
        assert!(admit(capacity, &[], need(5, 1)).is_err());
        assert!(admit(Capacity { bytes: capacity.bytes - 1, ..capacity }, &[], need(4, 100)).is_err());
    }

    #[test]
    fn the_arithmetic_and_the_ways_out_are_shown() {
        let capacity = Capacity { slots: 8, bytes: 4096 * MIB };
        let holders = [holder("small", 1, 256), holder("large", 4, 512)];
        let error = admit(capacity, &holders, need(4, 512)).unwrap_err();
        assert_eq!(error.message, "the job needs 4 slots and 2304 MiB (4 x 512 MiB + 256 MiB for the runner)");
        assert_eq!(error.causes, ["3 of 8 slots and 1280 MiB of 4096 MiB are free"]);
        assert_eq!(
            error.hint.unwrap(),
            "parallelism 2 fits; so does the end of large (4 slots and 2304 MiB (4 x 512 MiB + 256 MiB for the runner))"
        );
    }

    #[test]
    fn less_memory_is_a_way_out_where_slots_are_free() {
        let error = admit(Capacity { slots: 8, bytes: 1280 * MIB }, &[], need(2, 1024)).unwrap_err();
        assert_eq!(error.hint.unwrap(), "parallelism 1 fits; memory 512 MiB for each worker fits");
    }

    #[test]
    fn every_component_of_a_worker_has_memory_of_its_own() {
        let three = Need { components: 3, ..need(2, 512) };
        assert_eq!(three.bytes(), 2 * 3 * 512 * MIB + RUNNER_BYTES);
        let error = admit(Capacity { slots: 8, bytes: 1280 * MIB }, &[], three).unwrap_err();
        assert_eq!(error.message, "the job needs 2 slots and 3328 MiB (2 x 3 components x 512 MiB + 256 MiB for the runner)");
        assert_eq!(error.hint.unwrap(), "memory 170 MiB for each instance fits");
        assert_eq!(need(4, 64).or(three), Need { components: 3, ..need(4, 512) });
    }

    #[test]
    fn what_never_fits_is_told_so() {
        let error = admit(Capacity { slots: 8, bytes: 100 * MIB }, &[], need(1, 512)).unwrap_err();
        assert!(error.hint.unwrap().contains("more --slots or --memory"));
    }

    #[test]
    fn several_jobs_are_named_where_one_is_not_enough() {
        let holders = [holder("a", 2, 64), holder("b", 2, 64)];
        let error = admit(Capacity { slots: 4, bytes: 9000 * MIB }, &holders, need(4, 64)).unwrap_err();
        assert!(error.hint.unwrap().contains("the end of a and b"));
    }
}
