//! Projects in TypeScript and JavaScript: a package, whose tests run in Node.

use super::language::{Sdk, Template};

/// A package in TypeScript.
pub(super) const TYPESCRIPT: Template = Template {
    files: &[
        ("package.json", include_str!("../../../templates/ts/package.json.in")),
        ("tsconfig.json", include_str!("../../../templates/ts/tsconfig.json")),
        ("src/job.ts", include_str!("../../../templates/ts/job.ts.in")),
        ("test/job.test.ts", include_str!("../../../templates/ts/job.test.ts.in")),
        ("README.md", include_str!("../../../templates/ts/README.md.in")),
        (".gitignore", include_str!("../../../templates/ts/gitignore.in")),
        ("sample/readings.json", include_str!("../../../templates/rust/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/rust/averages.json")),
    ],
    test: TEST,
    sdk_mark: "package.json",
    sdk,
    reserved: &RESERVED,
};

/// A package in JavaScript.
pub(super) const JAVASCRIPT: Template = Template {
    files: &[
        ("package.json", include_str!("../../../templates/js/package.json.in")),
        ("src/job.js", include_str!("../../../templates/js/job.js.in")),
        ("test/job.test.js", include_str!("../../../templates/js/job.test.js.in")),
        ("README.md", include_str!("../../../templates/js/README.md.in")),
        (".gitignore", include_str!("../../../templates/js/gitignore.in")),
        ("sample/readings.json", include_str!("../../../templates/rust/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/rust/averages.json")),
    ],
    test: TEST,
    sdk_mark: "package.json",
    sdk,
    reserved: &RESERVED,
};

const TEST: &str = "npm install && npm test";

/// The dependency on the SDK, as it stands in package.json: `"0.1"` is every release of it, and no later minor.
fn sdk(sdk: Sdk<'_>) -> String {
    match sdk {
        Sdk::Published(version) => format!("{version:?}"),
        Sdk::Folder(path) => format!("{:?}", format!("file:{path}")),
    }
}

/// A package cannot depend on one of its own name, and npm keeps the other for itself.
const RESERVED: [&str; 2] = ["node_modules", "tidemill"];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_manifests_are_json_with_either_sdk() {
        for template in [TYPESCRIPT, JAVASCRIPT] {
            for (given, wanted) in [(Sdk::Published("0.1"), "0.1"), (Sdk::Folder("/a \"b\"/js"), "file:/a \"b\"/js")] {
                let text = template.files[0].1.replace("{{name}}", "my-job").replace("{{sdk}}", &sdk(given));
                let manifest: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert_eq!((&manifest["name"], &manifest["dependencies"]["tidemill"]), (&Value::from("my-job"), &Value::from(wanted)));
            }
        }
    }
}
