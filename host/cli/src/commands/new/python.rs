//! Projects in Python: a module with its tests, and a `pyproject.toml`.

use super::language::{Sdk, Template};

/// A project with the job, its tests and sample data.
pub(super) const TEMPLATE: Template = Template {
    files: &[
        ("pyproject.toml", include_str!("../../../templates/python/pyproject.toml.in")),
        ("job.py", include_str!("../../../templates/python/job.py.in")),
        ("test_job.py", include_str!("../../../templates/python/test_job.py.in")),
        ("README.md", include_str!("../../../templates/python/README.md.in")),
        (".gitignore", include_str!("../../../templates/python/gitignore.in")),
        ("sample/readings.json", include_str!("../../../templates/python/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/python/averages.json")),
    ],
    test: "python3 -m venv .venv\n  .venv/bin/pip install -e '.[dev]'\n  .venv/bin/pytest",
    sdk_mark: "pyproject.toml",
    sdk,
    reserved: &RESERVED,
};

/// The dependency on the SDK, as it stands in the list of pyproject.toml.
fn sdk(sdk: Sdk<'_>) -> String {
    match sdk {
        Sdk::Published(version) => format!("\"tidemill=={version}.*\""),
        // A folder's name may hold what a URL may not.
        Sdk::Folder(path) => format!("{:?}", format!("tidemill @ file://{}", encoded(path))),
    }
}

/// A path as it stands in a URL.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Names of packages that the project itself depends on.
const RESERVED: [&str; 6] = ["componentize-py", "hatchling", "job", "mypy", "pytest", "tidemill"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_a_release_or_a_folder() {
        assert_eq!(sdk(Sdk::Published("0.1")), "\"tidemill==0.1.*\"");
        assert_eq!(sdk(Sdk::Folder("/a b/ü")), "\"tidemill @ file:///a%20b/%C3%BC\"");
    }
}
