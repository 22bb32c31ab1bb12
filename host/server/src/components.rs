//! The store of components: named by the SHA-256 of their bytes, examined once, kept until they are deleted.
//!
//! A component exists when its `.json` does; that is written last. What a crash leaves in `incoming/` is removed at the next start.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::durable;
use crate::error::{Code, Error, tell};
use crate::examined::Component;
use crate::id::Digest;
use crate::limits::{COMPONENTS_BYTES_MAX, COMPONENTS_MAX};

/// The components of a data directory.
pub(crate) struct Components {
    folder: PathBuf,
    known: Mutex<BTreeMap<Digest, Component>>,
    bytes_max: u64,
}

impl Components {
    /// Reads what there is. What cannot be read is told and passed over: its bytes can be uploaded again.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Components> {
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")).map(str::to_owned);
            let Some(digest) = name.and_then(|name| name.parse::<Digest>().ok()) else { continue };
            match durable::read(&path) {
                Ok(Some(component)) => _ = known.insert(digest, component),
                Ok(None) => {}
                Err(error) => tell(&format!("a component is passed over: {error}")),
            }
        }
        Ok(Components { folder, known: Mutex::new(known), bytes_max: COMPONENTS_BYTES_MAX })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Digest, Component>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn list(&self) -> Vec<(Digest, Component)> {
        self.known().iter().map(|(digest, component)| (digest.clone(), component.clone())).collect()
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Component> {
        self.known().get(digest).cloned()
    }

    /// The one that begins so, where there is only one.
    pub(crate) fn find(&self, text: &str) -> Result<Digest, Error> {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let missing = || Error::new(Code::ComponentNotFound, format!("there is no component {text:?}")).hint("upload it first");
        if text.len() < SHORTEST {
            return Err(missing());
        }
        let known = self.known();
        let mut found = known.keys().filter(|digest| digest.as_str().starts_with(text));
        match (found.next(), found.next()) {
            (Some(digest), None) => Ok(digest.clone()),
            (Some(_), Some(_)) => {
                Err(Error::new(Code::BadRequest, format!("several components begin with {text:?}")).hint("write more digits"))
            }
            (None, _) => Err(missing()),
        }
    }

    /// Where their files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a component.
    pub(crate) fn file(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    fn facts(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.json"))
    }

    /// Whether one of so many bytes can be added.
    pub(crate) fn room(&self, bytes: u64) -> Result<(), Error> {
        let known = self.known();
        let stored: u64 = known.values().map(|component| component.bytes).sum();
        let full = |what: String| Error::new(Code::StoreFull, what).hint("delete components that no job uses: `tidemill components rm`");
        if known.len() >= COMPONENTS_MAX {
            return Err(full(format!("{COMPONENTS_MAX} components are stored, which is the most")));
        }
        match stored + bytes > self.bytes_max {
            true => Err(full(format!("{stored} bytes of components are stored, and {bytes} more pass the limit of {}", self.bytes_max))),
            false => Ok(()),
        }
    }

    /// Takes over a file that has been examined.
    pub(crate) fn add(&self, digest: &Digest, file: &Path, component: Component) -> io::Result<()> {
        fs::rename(file, self.file(digest))?;
        durable::write(&self.facts(digest), &component)?;
        self.known().insert(digest.clone(), component);
        Ok(())
    }

    /// Deletes one; false where there is none.
    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<bool> {
        if self.known().remove(digest).is_none() {
            return Ok(false);
        }
        for path in [self.facts(digest), self.file(digest)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        durable::sync_folder(&self.folder).map(|()| true)
    }
}

/// Digits of a digest at least by which a component is named.
const SHORTEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn component(bytes: u64) -> Component {
        Component {
            sha256: String::new(),
            bytes,
            compiled_bytes: 0,
            contract: String::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    fn digest(first: &str) -> Digest {
        format!("{first:0<64}").parse().unwrap()
    }

    fn store(folder: &Path, digests: &[&str]) -> Components {
        let components = Components::open(folder.to_path_buf()).unwrap();
        for first in digests {
            let file = folder.join("new");
            fs::write(&file, first).unwrap();
            components.add(&digest(first), &file, component(10)).unwrap();
        }
        components
    }

    #[test]
    fn what_was_added_is_there_after_a_restart_and_damage_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), &["a1", "b1"]);
        fs::write(folder.path().join(format!("{}.json", digest("b1"))), "{").unwrap();
        let again = Components::open(folder.path().to_path_buf()).unwrap();
        assert_eq!(again.list().iter().map(|(digest, _)| digest.short().to_owned()).collect::<Vec<_>>(), ["a10000000000"]);
        assert!(again.remove(&digest("a1")).unwrap() && !again.remove(&digest("a1")).unwrap());
        assert!(!again.file(&digest("a1")).exists());
    }

    #[test]
    fn a_component_is_found_by_its_first_digits() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), &["abcdef01", "abcdef02"]);
        assert_eq!(store.find("abcdef01").unwrap(), digest("abcdef01"));
        assert_eq!(store.find(&format!("sha256:{}", digest("abcdef02"))).unwrap(), digest("abcdef02"));
        let code = |text: &str| store.find(text).unwrap_err().code;
        assert_eq!(
            [code("abcdef"), code("abcde"), code("abcdef03"), code("../../etc")].map(Code::as_str),
            ["bad-request", "component-not-found", "component-not-found", "component-not-found"]
        );
    }

    #[test]
    fn the_last_byte_of_the_store_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), &["a1"]);
        store.bytes_max = 30;
        assert!(store.room(20).is_ok());
        assert_eq!(store.room(21).unwrap_err().code, Code::StoreFull);
    }
}
