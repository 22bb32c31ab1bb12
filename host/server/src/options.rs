//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything that whoever starts a server decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens. Beyond loopback only with a token.
    pub listen: SocketAddr,
    /// Where everything is kept. One server at a time has it.
    pub data_dir: PathBuf,
    /// The program that is also `runner` and `examine`.
    pub program: PathBuf,
    /// The environment of the processes it starts; nothing else is handed on.
    pub environment: Vec<(String, String)>,
    /// The file that holds the token; made, with a new one, where there is none.
    pub token_file: Option<PathBuf>,
    /// Names beside the loopback ones by which clients may call it.
    pub hosts: Vec<String>,
    /// Folders below which `file:` bindings may lie.
    pub allow_files: Vec<PathBuf>,
    /// `HOST:PORT` to which `socket:` bindings may connect.
    pub allow_sockets: Vec<String>,
    /// What jobs may use together.
    pub capacity: Capacity,
    /// The most memory that a job may ask for, for each instance.
    pub instance_bytes_max: u64,
    /// Whether the end of the server is the end of its jobs.
    pub stop_jobs: bool,
}

/// What jobs may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Workers. A slot is a thread, not a core: streams wait for input most of the time.
    pub slots: u64,
    /// Memory.
    pub bytes: u64,
}

/// Slots for each core, unless it is said.
const SLOTS_PER_CORE: u64 = 8;

impl Capacity {
    /// Eight slots a core, and four fifths of the memory.
    pub fn of_machine(cores: u64, memory_bytes: u64) -> Capacity {
        Capacity { slots: cores.max(1) * SLOTS_PER_CORE, bytes: memory_bytes / 5 * 4 }
    }
}

/// The folders of a data directory.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
}

/// Bytes of the path of a socket at most, by the system.
const SOCKET_PATH_MAX: usize = 107;

impl Places {
    pub(crate) fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    pub(crate) fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    pub(crate) fn sockets(&self) -> PathBuf {
        self.root.join("sockets")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    pub(crate) fn all(&self) -> [PathBuf; 5] {
        [self.components(), self.jobs(), self.incoming(), self.sockets(), self.cache()]
    }

    /// The socket of a job.
    pub(crate) fn socket(&self, job: &crate::JobId) -> PathBuf {
        self.sockets().join(format!("{job}.sock"))
    }

    /// Whether sockets can be made in it.
    pub(crate) fn fits(&self) -> Result<(), String> {
        let longest = self.sockets().as_os_str().len() + "/j0123456789abcdef.sock".len();
        match longest > SOCKET_PATH_MAX {
            true => Err(format!(
                "its path is {} bytes too long for the sockets in it, of which a system takes {SOCKET_PATH_MAX}",
                longest - SOCKET_PATH_MAX
            )),
            false => Ok(()),
        }
    }
}

impl Options {
    pub(crate) fn places(&self) -> Places {
        Places { root: self.data_dir.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_greatest_length_takes_sockets() {
        let rest = "/sockets/j0123456789abcdef.sock".len();
        let places = |bytes: usize| Places { root: PathBuf::from(format!("/{}", "x".repeat(bytes - 1))) };
        assert_eq!(places(SOCKET_PATH_MAX - rest).fits(), Ok(()));
        assert!(places(SOCKET_PATH_MAX - rest + 1).fits().unwrap_err().contains("1 bytes too long"));
    }

    #[test]
    fn a_machine_has_eight_slots_a_core_and_keeps_memory_back() {
        assert_eq!(Capacity::of_machine(2, 10 << 30), Capacity { slots: 16, bytes: 8 << 30 });
        assert_eq!(Capacity::of_machine(0, 0).slots, 8);
    }
}
