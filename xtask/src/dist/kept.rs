//! Components kept by the hash of everything they were built from, in the cache.
//!
//! Compiling a Python guest takes up to a minute, so a fresh checkout with the same sources takes the one it made
//! before. One component is kept per guest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

/// The inputs of one guest, in the order in which they were given.
pub(super) struct Inputs {
    hash: Sha256,
}

impl Inputs {
    /// Begins with the recipe: the compiler's version and its arguments.
    pub(super) fn of(recipe: &str) -> Self {
        let mut inputs = Inputs { hash: Sha256::new() };
        inputs.add(recipe.as_bytes());
        inputs
    }

    /// Adds every file below `folder`, by relative name and content.
    pub(super) fn folder(mut self, folder: &Path) -> Result<Self> {
        for path in files(folder)? {
            self.add(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().as_bytes());
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            self.add(&content);
        }
        Ok(self)
    }

    /// Length first, so that two lists of inputs never run into the same bytes.
    fn add(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn finish(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The component of these inputs: kept from before, or made by `make` and kept.
pub(super) fn component(workspace: &Workspace, guest: &str, inputs: Inputs, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let folder = workspace.cache().join("guests");
    let path = folder.join(format!("{guest}@{}.wasm", inputs.finish()));
    if let Ok(component) = fs::read(&path) {
        return Ok(component);
    }
    let component = make()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for old in files(&folder)? {
        if old.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{guest}@"))) {
            fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    super::replace(&path, &component, 0o644)?;
    Ok(component)
}

/// Every file below a folder in a stable order, without what Python leaves beside its sources.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("__pycache__") {
                open.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_recipe_the_names_and_the_contents() {
        let dir = tempfile::tempdir().unwrap();
        let key = |recipe: &str| Inputs::of(recipe).folder(dir.path()).unwrap().finish();
        fs::write(dir.path().join("a"), "1").unwrap();
        let first = key("cc");
        assert_eq!(first, key("cc"));
        assert_ne!(first, key("cc -O3"));
        fs::write(dir.path().join("a"), "2").unwrap();
        assert_ne!(first, key("cc"));
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b"), "1").unwrap();
        assert_ne!(first, key("cc"));
        fs::rename(dir.path().join("b"), dir.path().join("a")).unwrap();
        fs::create_dir(dir.path().join("__pycache__")).unwrap();
        fs::write(dir.path().join("__pycache__/a"), "x").unwrap();
        assert_eq!(first, key("cc"));
    }
}
