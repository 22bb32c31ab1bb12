//! A project of `tidemill new` passes its own tests, builds and does what its sample says, as it is.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use tidemill_e2e::{Folder, Tidemill, exit, root, target};

#[test]
fn a_new_project_tests_builds_and_runs_as_it_is() {
    let folder = Folder::new();
    let sdk = root().join("guest-sdk/rust");
    Tidemill::new(folder.path(), "new").args(["sensor-average", "--lang", "rust", "--sdk-path"]).arg(&sdk).run().expect(exit::OK, &[]);
    let project = folder.join("sensor-average");
    // The versions that this checkout was built with: nothing is looked up in a registry.
    fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let built = target().join("e2e-project");
    let in_target = |tidemill: Tidemill| {
        tidemill.with(|command| {
            command.env("CARGO_TARGET_DIR", &built);
        })
    };
    let tests = in_target(Tidemill::wrapped(Path::new("cargo"), &project).args(["test", "--quiet"])).run();
    tests.expect(exit::OK, &[]);
    assert!(tests.stdout.contains("1 passed"), "{}", tests.stdout);
    let build = in_target(Tidemill::new(&project, "build")).run();
    build.expect(exit::OK, &[]);
    assert!(build.stdout.starts_with("sensor-average.wasm ("), "{}", build.stdout);
    let sample = |expected: &str| {
        let test = Tidemill::new(&project, "test").args(["sensor-average.wasm", "--input", "sample/readings.json"]);
        test.args(["--expect", expected, "-p", "2"])
    };
    sample("sample/averages.json").run().expect(exit::OK, &[]);
    fs::write(project.join("wrong.json"), "{\"sensor\":\"attic\",\"celsius\":1.0,\"until\":1700000010000}\n").unwrap();
    let differs = sample("wrong.json").run();
    differs.expect(exit::FAILED, &["--bless"]);
    assert!(differs.stdout.contains("-{\"sensor\":\"attic\",\"celsius\":1.0"), "{}", differs.stdout);
    sample("wrong.json").arg("--bless").run().expect(exit::OK, &[]);
    sample("wrong.json").run().expect(exit::OK, &[]);
}

#[test]
fn names_that_cannot_be_and_folders_that_are_there_are_refused() {
    let folder = Folder::new();
    let new = |name: &str| Tidemill::new(folder.path(), "new").arg(name).run();
    new("My Job").expect(exit::USAGE, &["small letter", "sensor-average"]);
    new("match").expect(exit::USAGE, &["keep that word"]);
    folder.write("mine/notes.txt", "do not touch");
    new("mine").expect(exit::REFUSED, &["mine is there already"]);
    assert_eq!(fs::read_dir(folder.join("mine")).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_built_says_what_it_needs() {
    let folder = Folder::new();
    let build = |arg: &str| Tidemill::new(folder.path(), "build").arg(arg).run();
    build(".").expect(exit::FAILED, &["is no project", "tidemill new"]);
    build("nowhere").expect(exit::USAGE, &["nowhere"]);
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    build("core.wasm").expect(exit::USAGE, &["-o"]);
    let packed = Tidemill::new(folder.path(), "build").args(["core.wasm", "-o", "job.wasm"]).run();
    packed.expect(exit::FAILED, &["does not fit the contract"]);
    assert!(!folder.join("job.wasm").exists());
}
