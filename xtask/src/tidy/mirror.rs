//! The contract is written once, in `wit/`; an SDK that is published alone carries a copy, which must be the same bytes.

use std::collections::BTreeMap;

use super::{File, Finding};

/// Compares every `guest-sdk/LANGUAGE/wit/` with the folder of its contract, which is the one whose WIT names the same package, or the
/// newest. A copy holds the folder under its own name or only its files.
pub(super) fn check(files: &[File], contracts: &[&str]) -> Vec<Finding> {
    let mut mirrors: BTreeMap<&str, BTreeMap<&str, &File>> = BTreeMap::new();
    for file in files {
        if let Some((mirror, name)) = copy(&file.path) {
            mirrors.entry(mirror).or_default().insert(name, file);
        }
    }
    let mut findings = Vec::new();
    for (mirror, copies) in &mirrors {
        let package = copies.values().find_map(|file| package(&file.text));
        let same = |contract: &&&str| {
            package.is_some() && files.iter().any(|f| inside(&f.path, contract).is_some() && self::package(&f.text) == package)
        };
        let contract = contracts.iter().find(same).or(contracts.last()).copied().unwrap_or_default();
        compare(files, contract, mirror, copies, &mut findings);
    }
    findings
}

fn compare(files: &[File], contract: &str, mirror: &str, copies: &BTreeMap<&str, &File>, findings: &mut Vec<Finding>) {
    let original: BTreeMap<&str, &File> = files.iter().filter_map(|file| Some((inside(&file.path, contract)?, file))).collect();
    let folder = contract.rsplit('/').next().unwrap_or(contract);
    let copies: BTreeMap<&str, &File> = copies.iter().map(|(name, file)| (inside(name, folder).unwrap_or(name), *file)).collect();
    for (name, copy) in &copies {
        match original.get(name) {
            None => findings.push(Finding::new(&copy.path, 1, format!("{contract} has no such file; delete it, or add it there first"))),
            Some(file) if file.text != copy.text => {
                let line = first_difference(&file.text, &copy.text);
                findings.push(Finding::new(&copy.path, line, format!("differs from {}; copy that file here", file.path)));
            }
            Some(_) => {}
        }
    }
    for (name, file) in original.iter().filter(|(name, _)| name.ends_with(".wit") && !copies.contains_key(*name)) {
        findings.push(Finding::new(&file.path, 1, format!("{mirror} has no copy of {name}; copy it there")));
    }
}

/// The line of a WIT that names its package.
fn package(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("package "))
}

/// `guest-sdk/rust/wit/a/b.wit` gives (`guest-sdk/rust/wit`, `a/b.wit`).
fn copy(path: &str) -> Option<(&str, &str)> {
    let language = path.strip_prefix("guest-sdk/")?.split('/').next()?;
    let end = "guest-sdk/".len() + language.len() + "/wit".len();
    Some((path.get(..end)?, inside(path, path.get(..end).filter(|mirror| mirror.ends_with("/wit"))?)?))
}

fn inside<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn first_difference(a: &str, b: &str) -> usize {
    1 + a.lines().zip(b.lines()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const CONTRACTS: [&str; 2] = ["wit/job@0", "wit/job@1"];

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<File> = files.iter().map(|(path, text)| file(path, text)).collect();
        check(&files, &CONTRACTS).iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
    }

    #[test]
    fn equal_copies_pass_with_and_without_the_folder() {
        let contract = [("wit/job@1/job.wit", "a\n"), ("wit/job@1/block.md", "b\n")];
        assert_eq!(found(&contract), [] as [&str; 0]);
        assert_eq!(found(&[&contract[..], &[("guest-sdk/go/wit/job.wit", "a\n")]].concat()), [] as [&str; 0]);
        assert_eq!(found(&[&contract[..], &[("guest-sdk/go/wit/job@1/job.wit", "a\n")]].concat()), [] as [&str; 0]);
    }

    #[test]
    fn a_changed_an_extra_and_a_missing_copy_are_found() {
        let contract = [("wit/job@1/job.wit", "a\nb\n")];
        assert_eq!(found(&[&contract[..], &[("guest-sdk/go/wit/job.wit", "a\nc\n")]].concat()), ["guest-sdk/go/wit/job.wit:2"]);
        let extra = [("guest-sdk/go/wit/job.wit", "a\nb\n"), ("guest-sdk/go/wit/old.wit", "")];
        assert_eq!(found(&[&contract[..], &extra].concat()), ["guest-sdk/go/wit/old.wit:1"]);
        assert_eq!(
            found(&[&contract[..], &[("guest-sdk/go/wit/job@1/x.md", "")]].concat()),
            ["guest-sdk/go/wit/job@1/x.md:1", "wit/job@1/job.wit:1"]
        );
    }

    #[test]
    fn a_copy_is_of_the_contract_whose_package_it_names() {
        let contracts = [("wit/job@0/job.wit", "package job@0;\na\n"), ("wit/job@1/job.wit", "package job@1;\nb\n")];
        assert_eq!(found(&[&contracts[..], &[("guest-sdk/go/wit/job.wit", "package job@0;\na\n")]].concat()), [] as [&str; 0]);
        assert_eq!(
            found(&[&contracts[..], &[("guest-sdk/go/wit/job.wit", "package job@0;\nb\n")]].concat()),
            ["guest-sdk/go/wit/job.wit:2"]
        );
    }

    #[test]
    fn other_files_of_an_sdk_are_no_copies() {
        assert_eq!(copy("guest-sdk/go/witness/a"), None);
        assert_eq!(copy("guest-sdk/rust/src/lib.rs"), None);
        assert_eq!(copy("guest-sdk/rust/wit/a/b.wit"), Some(("guest-sdk/rust/wit", "a/b.wit")));
    }
}
