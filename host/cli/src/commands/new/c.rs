//! Projects in C: a file, its tests, and the SDK beside them.

use super::language::{Sdk, Template};

/// The job with its tests and sample data; the SDK is copied in, as one does with a header and a source file.
pub(super) const TEMPLATE: Template = Template {
    files: &[
        ("job.c", include_str!("../../../templates/c/job.c.in")),
        ("test_job.c", include_str!("../../../templates/c/test_job.c.in")),
        ("README.md", include_str!("../../../templates/c/README.md.in")),
        (".gitignore", include_str!("../../../templates/c/gitignore.in")),
        ("compile_flags.txt", include_str!("../../../templates/c/compile_flags.txt.in")),
        ("sample/readings.json", include_str!("../../../templates/c/readings.json")),
        ("sample/averages.json", include_str!("../../../templates/c/averages.json")),
        ("tidemill/tidemill.h", include_str!("../../../../../guest-sdk/c/tidemill.h")),
        ("tidemill/tidemill.c", include_str!("../../../../../guest-sdk/c/tidemill.c")),
        ("tidemill/tidemill_test.h", include_str!("../../../../../guest-sdk/c/tidemill_test.h")),
        ("tidemill/tidemill_test.c", include_str!("../../../../../guest-sdk/c/tidemill_test.c")),
    ],
    test: "cc -std=c11 -g -fsanitize=address,undefined -Itidemill -o test_job test_job.c tidemill/tidemill.c tidemill/tidemill_test.c && ./test_job",
    sdk_mark: "tidemill.h",
    sdk,
    reserved: &[],
};

/// Nothing in the project's files names the SDK: it stands beside them.
fn sdk(_: Sdk<'_>) -> String {
    String::new()
}
