//! Every limit of the server in one place, each with its reason; docs/isolation.md lists them for users.

use std::time::Duration;

/// Bytes of an uploaded component at most: as many as a component may have at all. A Python one with its interpreter has 18 MiB.
pub const UPLOAD_BYTES_MAX: usize = 64 << 20;
/// Bytes of any other body at most: a job with every argument at its limit has less.
pub const JSON_BYTES_MAX: usize = 256 << 10;
/// Bytes of the head of a request, after which no more of it is read.
pub const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers of a request at most; browsers and proxies send about thirty.
pub const HEADERS_MAX: usize = 64;
/// How long a connection may take over the head of a request, also of its next one.
pub const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How long a body may stand still.
pub const BODY_IDLE_WAIT: Duration = Duration::from_secs(30);
/// How long a whole upload may take: 64 MiB over a slow line.
pub const UPLOAD_WAIT: Duration = Duration::from_secs(600);
/// How long any other request is worked on before it is answered; what it began goes on.
pub const REQUEST_WAIT: Duration = Duration::from_secs(120);
/// Connections at once; one more is closed at once.
pub const CONNECTIONS_MAX: usize = 256;
/// Requests worked on at once; one more is told to come again.
pub const REQUESTS_MAX: usize = 64;
/// Uploads at once: each has a file of its own on the disk.
pub const UPLOADS_MAX: usize = 8;
/// Answers without an end (events, followed logs) at once.
pub const STREAMS_MAX: usize = 64;
/// Processes that compile or plan at once: each may take a core and gigabytes.
pub const CHILDREN_MAX: usize = 2;
/// Uploads and submits that wait for one of them; one more is told to come again.
pub const CHILDREN_WAITING_MAX: usize = 16;
/// Memory that a process which compiles may address.
pub const COMPILE_MEMORY_BYTES: u64 = 4 << 30;
/// Processor time that a process which compiles or plans may take.
pub const CHILD_CPU: Duration = Duration::from_secs(60);
/// Time by the clock that it may take, on a machine that is busy.
pub const CHILD_WAIT: Duration = Duration::from_secs(90);
/// Bytes that it may answer: a plan with everything resolved.
pub const CHILD_ANSWER_BYTES_MAX: usize = 16 << 20;
/// Bytes of all components together; one more is refused until others are deleted.
pub const COMPONENTS_BYTES_MAX: u64 = 4 << 30;
/// Components at most, so that a list is an answer of bounded size.
pub const COMPONENTS_MAX: usize = 1000;
/// Jobs that have not ended, at most. Slots and memory end before.
pub const JOBS_MAX: usize = 1000;
/// Jobs that have ended and are still shown; the oldest beyond are deleted with their folders.
pub const JOBS_ENDED_MAX: usize = 100;
/// Arguments of a job, and bindings.
pub const PAIRS_MAX: usize = 64;
/// Bytes of the name or the value of one of them.
pub const PAIR_BYTES_MAX: usize = 4 << 10;
/// Components of a job at most: each worker has an instance of each.
pub const PARTS_MAX: usize = 16;
/// Bytes of the name that one of several components has in its job; it stands in front of every operator's.
pub const PART_NAME_BYTES_MAX: usize = 64;
/// Workers of a job at most: each is a thread with an instance of the component.
pub const WORKERS_MAX: usize = 256;
/// Versions of a job that are remembered.
pub const VERSIONS_MAX: usize = 50;
/// Events that a slow reader of the stream may be behind before it loses the oldest, which it is told.
pub const EVENTS_BUFFER: usize = 1024;
/// Lines of a log shown at most before it is followed.
pub const LOG_LINES_MAX: usize = 10_000;
/// Bytes of one file of a job's log before the next is begun.
pub const LOG_FILE_BYTES_MAX: u64 = 8 << 20;
/// Files of a job's log that are kept.
pub const LOG_FILES_MAX: usize = 3;
/// Bytes of the log of changes before the next file is begun; the last one is kept beside.
pub const AUDIT_BYTES_MAX: u64 = 16 << 20;
/// How often a runner is asked for its figures.
pub const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// How long a runner may take to answer; a worker that computes does not delay the thread that answers.
pub const STATUS_WAIT: Duration = Duration::from_secs(5);
/// How long a runner may take from its start to its first answer: a component is loaded and a checkpoint read before.
pub const START_WAIT: Duration = Duration::from_secs(300);
/// How long a shadow may take, from its savepoint to the comparison: a request that waits for it and for the swap has to have time left.
pub const SHADOW_WAIT: Duration = Duration::from_secs(60);
/// Bytes that a version may write to a sink in its shadow: both sides are compared in memory.
pub const SHADOW_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a record that are shown where two versions differ.
pub const SHADOW_RECORD_BYTES_MAX: usize = 4 << 10;
/// How long a runner that is to stop may take before it is killed; its last checkpoint is tried again for 30 s where storage fails.
pub const STOP_WAIT: Duration = Duration::from_secs(600);
/// Bytes that a runner takes beside its instances: the host, compiled code, blocks in flight.
pub const RUNNER_BYTES: u64 = 256 << 20;
/// Files and sockets that a runner may have open.
pub const RUNNER_FILES_MAX: u64 = 4096;
/// Memory of each instance when nobody says.
pub const INSTANCE_BYTES: u64 = 512 << 20;

/// How often a job is started again after failures in a row.
pub const RESTARTS_MAX: u32 = 10;
/// The wait before the first start after a failure: long enough not to spin, short enough for recovery within a second.
pub const RESTART_DELAY: Duration = Duration::from_millis(500);
/// The longest delay before a start.
pub const RESTART_DELAY_MAX: Duration = Duration::from_secs(60);
/// A runner that has run this long has not failed at its start: delay and budget begin anew.
pub const RESTART_RESET: Duration = Duration::from_secs(60);
