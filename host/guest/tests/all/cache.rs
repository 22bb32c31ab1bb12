//! Compiled artifacts: used when they are right, replaced when they are not, never trusted in a directory of others.

use std::fs;
use std::path::{Path, PathBuf};

use tidemill_core::guest::{Guest, Limits};
use tidemill_guest::{CacheUse, Component, LoadOptions};

use crate::wat_guest::{ALONE, AT, WatGuest, block};

fn load(dir: &Path, guest: &WatGuest) -> Component {
    Component::load(&guest.build(), &LoadOptions { cache_dir: Some(dir.to_owned()), ..LoadOptions::default() }).unwrap()
}

fn used(dir: &Path) -> CacheUse {
    load(dir, &WatGuest::default()).describe().cache.clone()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_second_load_is_a_hit_and_runs() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("tidemill/compiled");
    assert_eq!(used(&dir), CacheUse::Stored);
    let component = load(&dir, &WatGuest::default());
    assert_eq!(component.describe().cache, CacheUse::Hit);
    let (plan, document) = component.plan(&[]).unwrap();
    let mut instance = component.instantiate(&[], &document, plan.into()).unwrap();
    instance.link(ALONE, &[1]).unwrap();
    instance.process(ALONE, 0, AT, &block(1, "x"), &[], &[]).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&files(&dir)[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn another_process_finds_the_artifact() {
    const DIR: &str = "TIDEMILL_TEST_CACHE_DIR";
    if let Some(dir) = std::env::var_os(DIR) {
        return assert_eq!(used(Path::new(&dir)), CacheUse::Hit);
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(used(dir.path()), CacheUse::Stored);
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "cache::another_process_finds_the_artifact"]).env(DIR, dir.path());
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn another_component_has_another_file() {
    let dir = tempfile::tempdir().unwrap();
    used(dir.path());
    assert_eq!(load(dir.path(), &WatGuest::process("(unreachable)")).describe().cache, CacheUse::Stored);
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn a_damaged_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    used(dir.path());
    let path = files(dir.path()).remove(0);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut foreign = good.clone();
    foreign[7] += 1;
    for damaged in [flipped, foreign, good[..good.len() - 1].to_vec(), good[..20].to_vec(), Vec::new()] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(used(dir.path()), CacheUse::Replaced(_)));
        assert_eq!(used(dir.path()), CacheUse::Hit);
    }
    assert_eq!(fs::read(&path).unwrap(), good, "compiling gives the same bytes");
}

#[test]
fn an_artifact_that_wasmtime_refuses_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    used(dir.path());
    let path = files(dir.path()).remove(0);
    // A right frame around something that is no artifact of this engine.
    let artifact = b"\x7fELF of another release";
    let mut file = fs::read(&path).unwrap()[..8].to_vec();
    file.extend((artifact.len() as u64).to_le_bytes());
    file.extend(xxhash_rust::xxh3::xxh3_128(artifact).to_le_bytes());
    file.extend(artifact);
    fs::write(&path, file).unwrap();
    assert!(matches!(used(dir.path()), CacheUse::Replaced(_)));
    assert_eq!(used(dir.path()), CacheUse::Hit);
}

#[test]
fn the_oldest_files_go_when_there_are_too_many() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..70 {
        let file = fs::File::create(dir.path().join(format!("{n}.cwasm"))).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n)).unwrap();
    }
    fs::write(dir.path().join("of somebody else"), "").unwrap();
    used(dir.path());
    let left = files(dir.path());
    assert_eq!(left.len(), 64 + 1);
    assert!(left.contains(&dir.path().join("69.cwasm")) && !left.contains(&dir.path().join("6.cwasm")));
    assert!(left.contains(&dir.path().join("7.cwasm")) && left.contains(&dir.path().join("of somebody else")));
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_may_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(used(dir.path()), CacheUse::Failed(why) if why.contains("others may write")));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_directory_that_cannot_be_made_costs_only_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(used(&file.path().join("below")), CacheUse::Failed(_)));
    assert!(matches!(used(file.path()), CacheUse::Failed(_)));
    WatGuest::default().start(Limits::default());
}
