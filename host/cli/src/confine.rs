//! Limits that a process sets on itself before it reads a byte of a component. They cannot be raised again.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::console;

/// For a process that runs a job: no core files, so many files, no way to more rights.
pub(crate) fn runner(files_max: u64) {
    limit(Resource::RLIMIT_CORE, 0, "core files");
    limit(Resource::RLIMIT_NOFILE, files_max, "open files");
    no_new_rights();
}

/// For a process that only looks at a component: processor time and address space besides. One that passes the first is ended by a
/// signal, one that passes the second by its allocator.
pub(crate) fn examiner(cpu_s: u64, memory_bytes: Option<u64>) {
    limit(Resource::RLIMIT_CORE, 0, "core files");
    limit(Resource::RLIMIT_NOFILE, EXAMINER_FILES_MAX, "open files");
    limit(Resource::RLIMIT_FSIZE, EXAMINER_FILE_BYTES_MAX, "the size of a file");
    limit(Resource::RLIMIT_CPU, cpu_s, "processor time");
    if let Some(bytes) = memory_bytes {
        limit(Resource::RLIMIT_AS, bytes, "memory");
    }
    no_new_rights();
}

/// For a process that runs a job for a moment: as much processor time as one that looks at a component, no more than so many bytes in a
/// file, and the files of a job.
pub(crate) fn shadow(cpu_s: u64, file_bytes_max: u64, files_max: u64) {
    runner(files_max);
    limit(Resource::RLIMIT_FSIZE, file_bytes_max, "the size of a file");
    limit(Resource::RLIMIT_CPU, cpu_s, "processor time");
}

/// Files that it may have open: the component, the cache, standard streams.
const EXAMINER_FILES_MAX: u64 = 64;
/// Bytes of a file that it may write: compiled code is several times the component.
const EXAMINER_FILE_BYTES_MAX: u64 = 1 << 30;

fn limit(resource: Resource, most: u64, what: &str) {
    // Who is no superuser can only lower the hard limit.
    let hard = getrlimit(resource).map_or(most, |(_, hard)| hard).min(most);
    if let Err(error) = setrlimit(resource, hard, hard) {
        console::log("warn", "limits", &format!("{what} cannot be limited: {error}"));
    }
}

fn no_new_rights() {
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        console::log("warn", "limits", &format!("the way to more rights cannot be closed: {error}"));
    }
}
