//! Packages by Debian's `apt-get`, where it exists and this user may use it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::say;
use crate::process;

/// Whether every one of the packages is installed.
pub(super) fn has(packages: &[&str]) -> bool {
    let Ok(output) = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}\\n"]).args(packages).output() else {
        return false;
    };
    let installed = String::from_utf8_lossy(&output.stdout).lines().filter(|line| *line == "installed").count();
    output.status.success() && installed == packages.len()
}

/// Installs packages, or says which one command installs them and fails.
pub(super) fn install(subject: &str, purpose: &str, packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{purpose} is missing and there is no apt-get here; install what Debian calls {} and try again", packages.join(", "));
    }
    if !is_root() {
        bail!("{purpose} is missing and installing it needs root; run this once and try again:\n    sudo sh -c '{by_hand}'");
    }
    say(subject, &format!("installing {} by apt-get", packages.join(" ")));
    // A fresh machine or container has no package lists, an old one has lists whose files are gone from the mirror.
    if available(packages) && process::run_quiet(&mut apt_install(packages), "apt-get install").is_ok() {
        return Ok(());
    }
    process::run_quiet(apt_get().arg("update"), "apt-get update")?;
    process::run_quiet(&mut apt_install(packages), "apt-get install")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn apt_install(packages: &[&str]) -> Command {
    let mut command = apt_get();
    command.args(["install", "-y", "--no-install-recommends"]).args(packages);
    command
}

fn available(packages: &[&str]) -> bool {
    process::succeeds(Command::new("apt-cache").args(["--quiet=2", "show"]).args(packages))
}

/// Whether this process runs as root, told by the owner of its own entry in /proc.
fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|entry| entry.uid() == 0)
}
