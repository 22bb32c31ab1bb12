//! Every dependency has its reason in `docs/dependencies.md`, one line each beginning with "- `name`: ".

use std::collections::BTreeSet;

use super::{File, Finding};

const MANIFEST: &str = "Cargo.toml";
const REASONS: &str = "docs/dependencies.md";

/// Compares the table of the root manifest with the page, both ways.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let dependencies = match dependencies(text(MANIFEST)) {
        Ok(dependencies) => dependencies,
        Err(error) => return vec![Finding::new(MANIFEST, 1, format!("is no TOML ({error})"))],
    };
    let reasons: Vec<(usize, &str)> = (1..).zip(text(REASONS).lines()).filter_map(|(line, text)| Some((line, named(text)?))).collect();
    let mut findings = Vec::new();
    for name in &dependencies {
        if !reasons.iter().any(|(_, reason)| reason == name) {
            let line = 1 + text(MANIFEST).lines().position(|line| is_entry(line, name)).unwrap_or(0);
            findings.push(Finding::new(
                MANIFEST,
                line,
                format!("the dependency {name} has no reason; add \"- `{name}`: why\" to {REASONS}"),
            ));
        }
    }
    for (line, name) in reasons {
        if !dependencies.contains(name) {
            findings.push(Finding::new(REASONS, line, format!("{name} is no dependency of the workspace any more; delete the line")));
        }
    }
    findings
}

/// The names in `[workspace.dependencies]` that are not crates of this repository.
fn dependencies(manifest: &str) -> Result<BTreeSet<String>, toml::de::Error> {
    let manifest: toml::Table = manifest.parse()?;
    let table = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(toml::Value::as_table);
    let foreign = table.into_iter().flatten().filter(|(_, value)| value.get("path").is_none());
    Ok(foreign.map(|(name, _)| name.clone()).collect())
}

fn is_entry(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
}

/// "- `name`: a reason" gives the name; a line without a reason counts as none.
fn named(line: &str) -> Option<&str> {
    let (name, reason) = line.strip_prefix("- `")?.split_once("`: ")?;
    (!reason.trim().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn found(manifest: &str, reasons: &str) -> Vec<String> {
        let files = [file(MANIFEST, manifest), file(REASONS, reasons)];
        check(&files).iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
    }

    #[test]
    fn each_side_must_name_what_the_other_names() {
        let manifest = "[workspace.dependencies]\nours = { path = \"ours\" }\nalpha = \"1\"\nbeta = { version = \"2\" }\n";
        assert_eq!(found(manifest, "- `alpha`: for a\n- `beta`: for b\n"), [] as [&str; 0]);
        assert_eq!(found(manifest, "- `alpha`: for a\n"), ["Cargo.toml:4"]);
        assert_eq!(found(manifest, "- `alpha`: \n- `beta`: for b\n"), ["Cargo.toml:3"]);
        assert_eq!(found(manifest, "- `alpha`: for a\n- `beta`: for b\n- `gone`: was for c\n"), ["docs/dependencies.md:3"]);
    }
}
