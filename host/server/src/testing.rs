//! What tests of this crate share.

use std::path::PathBuf;

use crate::options::{Capacity, Options};

/// A server that allows nothing.
pub(crate) fn options() -> Options {
    Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: PathBuf::from("/nowhere"),
        program: PathBuf::from("/nowhere/tidemill"),
        environment: Vec::new(),
        token_file: None,
        hosts: Vec::new(),
        allow_files: Vec::new(),
        allow_sockets: Vec::new(),
        capacity: Capacity { slots: 4, bytes: 8 << 30 },
        instance_bytes_max: 1 << 30,
        stop_jobs: false,
    }
}
