//! Input and output files of a test.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// A folder of a test's own, removed with it; commands run in it.
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl Folder {
    /// An empty folder.
    ///
    /// # Panics
    /// When the system gives none.
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("the system has room for a temporary folder"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the test's folder can be written");
        }
        fs::write(&path, content).expect("the test's folder can be written");
        path
    }

    /// The files of a folder in it; none where there is no such folder.
    pub fn entries(&self, name: &str) -> Vec<PathBuf> {
        fs::read_dir(self.join(name)).map_or_else(|_| Vec::new(), |entries| entries.flatten().map(|entry| entry.path()).collect())
    }

    /// The lines of all finished parts that a `file:` sink wrote here, sorted.
    ///
    /// # Panics
    /// When the folder is missing or a part is no text.
    pub fn sorted_lines(&self, sink: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.parts(sink).iter().flat_map(|part| read_lines(part)).collect();
        lines.sort_unstable();
        lines
    }

    /// The finished parts that a `file:` sink wrote here.
    ///
    /// # Panics
    /// When the folder is missing.
    pub fn parts(&self, sink: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.join(sink)).expect("the sink has made its folder");
        let mut parts: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
        parts.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")));
        parts.sort();
        parts
    }
}

fn read_lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a part is text");
    text.lines().map(str::to_owned).collect()
}

/// Writes a gzip file.
///
/// # Panics
/// When that fails.
pub fn write_gzip(path: &Path, content: &[u8]) {
    let file = fs::File::create(path).expect("the test's folder can be written");
    let mut gzip = GzEncoder::new(file, Compression::default());
    gzip.write_all(content).expect("the test's folder can be written");
    gzip.finish().expect("the test's folder can be written");
}
