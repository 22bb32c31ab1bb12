//! Projects in Go: a module with the job in its main package.

use super::language::{Sdk, Template};

/// A module with the job, its tests and sample data.
pub(super) const TEMPLATE: Template = Template {
    files: &[
        ("go.mod", include_str!("../../../templates/go/go.mod.in")),
        ("go.sum", include_str!("../../../templates/go/go.sum.in")),
        ("job.go", include_str!("../../../templates/go/job.go.in")),
        ("job_test.go", include_str!("../../../templates/go/job_test.go.in")),
        ("README.md", include_str!("../../../templates/go/README.md.in")),
        (".gitignore", include_str!("../../../templates/go/gitignore.in")),
        ("sample/readings.json", include_str!("../../../templates/rust/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/rust/averages.json")),
    ],
    test: "go mod tidy && go test",
    sdk_mark: "go.mod",
    sdk,
    reserved: &RESERVED,
};

/// The module path of the SDK.
const SDK: &str = "github.com/tidemill/tidemill/guest-sdk/go";

/// The dependency on the SDK, as it stands in go.mod.
fn sdk(sdk: Sdk<'_>) -> String {
    match sdk {
        Sdk::Published(version) => format!("require {SDK} v{version}.0"),
        // What a replaced module is required as does not matter, but a version has to stand there.
        Sdk::Folder(path) => format!("require {SDK} v0.0.0\n\nreplace {SDK} => {path:?}"),
    }
}

/// Names that Go keeps for packages of its own, or for what they hold.
const RESERVED: [&str; 54] = [
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "example",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "main",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "test",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_a_version_or_a_folder() {
        assert_eq!(sdk(Sdk::Published("0.1")), "require github.com/tidemill/tidemill/guest-sdk/go v0.1.0");
        let folder = sdk(Sdk::Folder("/a b/go"));
        assert!(folder.ends_with("replace github.com/tidemill/tidemill/guest-sdk/go => \"/a b/go\""), "{folder}");
    }
}
