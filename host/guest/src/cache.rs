//! Compiled artifacts on disk, found by the hash of everything that decided them.
//!
//! A cache that cannot be read or written costs time and nothing else: the component is compiled and what happened is kept as
//! a [`Use`]. A file is written under a name of its own and renamed, so that no reader sees half of one, and carries length and
//! checksum, so that a damaged one is replaced. The directory must be this user's alone, because machine code from it is run.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::xxh3_128;

use crate::artifact::deserialize;
use crate::error::LoadError;

/// Files kept; each is one component under one version and setting of the host.
const FILES_MAX: usize = 64;
/// Bytes kept: a Python component takes 31 MiB.
const BYTES_MAX: u64 = 1 << 30;
/// `TMCA` and the version of this file format.
const MAGIC: [u8; 8] = *b"TMCA\0\0\0\x01";
/// Magic, length of the artifact, XXH3-128 of the artifact.
const HEADER: usize = 8 + 8 + 16;
/// How the names of our files end.
const EXTENSION: &str = "cwasm";

/// How the cache was used for one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// There is no cache.
    Off,
    /// The artifact was there.
    Hit,
    /// It was not, and now is.
    Stored,
    /// One was there but could not be used, for this reason; it was replaced.
    Replaced(String),
    /// The artifact could not be kept, for this reason.
    Failed(String),
}

pub(crate) struct Cache<'a> {
    dir: &'a Path,
}

impl<'a> Cache<'a> {
    pub(crate) fn new(dir: &'a Path) -> Cache<'a> {
        Cache { dir }
    }

    /// The compiled component, from the cache or from `compile`.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        compile: impl FnOnce() -> Result<Component, LoadError>,
    ) -> Result<(Component, Use), LoadError> {
        if let Err(error) = self.prepare() {
            return Ok((compile()?, Use::Failed(format!("{}: {error}", self.dir.display()))));
        }
        let path = self.dir.join(key(engine, bytes)).with_extension(EXTENSION);
        let unusable = match read(&path) {
            Ok(Some(file)) => match unwrap(&file).and_then(|artifact| deserialize(engine, artifact).map_err(|e| e.to_string())) {
                Ok(component) => return Ok((component, Use::Hit)),
                Err(why) => Some(why),
            },
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        };
        let component = compile()?;
        let stored =
            component.serialize().map_err(|e| e.to_string()).and_then(|artifact| self.store(&path, &artifact).map_err(|e| e.to_string()));
        Ok((
            component,
            match (stored, unusable) {
                (Err(why), _) => Use::Failed(why),
                (Ok(()), Some(why)) => Use::Replaced(why),
                (Ok(()), None) => Use::Stored,
            },
        ))
    }

    /// Makes the directory, and refuses one that others may write.
    fn prepare(&self) -> io::Result<()> {
        if !self.dir.exists() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(self.dir)?;
        }
        private(&fs::metadata(self.dir)?)
    }

    fn store(&self, path: &Path, artifact: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(self.dir)?;
        file.write_all(&MAGIC)?;
        file.write_all(&(artifact.len() as u64).to_le_bytes())?;
        file.write_all(&xxh3_128(artifact).to_le_bytes())?;
        file.write_all(artifact)?;
        file.persist(path)?;
        self.trim(FILES_MAX, BYTES_MAX)
    }

    /// Removes the files that were used longest ago until the rest fits.
    fn trim(&self, files_max: usize, bytes_max: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == EXTENSION)
                && let Ok(meta) = fs::metadata(&path)
            {
                files.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), path));
            }
        }
        files.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (index, (_, len, path)) in files.into_iter().enumerate() {
            bytes += len;
            // The newest stays even where it alone is too large: it was just asked for.
            if index > 0 && (index >= files_max || bytes > bytes_max) {
                // Another process may have been faster.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// The file's bytes; `None` when there is none. Marks it as used now.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match fs::File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > BYTES_MAX {
        return Err(io::Error::other("it is larger than the whole cache may be"));
    }
    file.set_modified(SystemTime::now())?;
    fs::read(path).map(Some)
}

/// The artifact in a file, if it is what was written.
fn unwrap(file: &[u8]) -> Result<&[u8], String> {
    let (header, artifact) = file.split_at_checked(HEADER).ok_or("it is cut off")?;
    if header[..8] != MAGIC {
        return Err("it is of another format".to_owned());
    }
    if header[8..16] != (artifact.len() as u64).to_le_bytes() {
        return Err("its length is wrong".to_owned());
    }
    match header[16..] == xxh3_128(artifact).to_le_bytes() {
        true => Ok(artifact),
        false => Err("its checksum is wrong".to_owned()),
    }
}

/// The name of an artifact: component, engine with all its settings, and this crate.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(Sha256::new());
    feed.0.update(concat!("tidemill-guest ", env!("CARGO_PKG_VERSION"), "\0"));
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.update((bytes.len() as u64).to_le_bytes());
    feed.0.update(bytes);
    hex(&feed.0.finalize())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Refuses a directory that someone else could have put machine code into.
#[cfg(unix)]
fn private(meta: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if !meta.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    if meta.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write there: chmod go-w it"));
    }
    // Where the system does not tell who we are, the permissions alone decide.
    match fs::metadata("/proc/self") {
        Ok(own) if own.uid() != meta.uid() => Err(io::Error::other("it belongs to another user")),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn private(meta: &fs::Metadata) -> io::Result<()> {
    match meta.is_dir() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a directory")),
    }
}
