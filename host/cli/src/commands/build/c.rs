//! Projects in C: clang or zig's C compiler makes the core module of the job's files and the SDK's one.
//!
//! A compiler counts when it links for `wasm32-wasi`; of the C library nothing that reaches for WASI stays in the module, since
//! tidemill.c answers it. The checks of the sanitizer that cost next to nothing are on in the job's own files: a division by zero or a
//! null pointer then ends with file and line, where WebAssembly alone would trap without words or read what lies at address zero.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Built, Project};
use crate::console;
use crate::fault::{Fault, Outcome};

/// The file that marks a project in C.
pub(super) const MARK: &str = "job.c";
/// The SDK's source file in a project.
const SDK: &str = "tidemill/tidemill.c";
const TARGET: &str = "--target=wasm32-wasi";
/// Versions of clang that may stand on the path with their number, newest first.
const CLANG_VERSIONS: std::ops::RangeInclusive<u32> = 14..=24;
/// Where zig's C compiler may be: on the path, or in a package of Python's.
const ZIGS: [(&str, &[&str]); 3] = [("zig", &["cc"]), ("python3", &["-m", "ziglang", "cc"]), ("python", &["-m", "ziglang", "cc"])];

/// What every file is compiled with. `-UNDEBUG` because zig's compiler turns asserts off where it optimises.
const FLAGS: [&str; 9] = [TARGET, "-std=c11", "-msimd128", "-UNDEBUG", "-Wall", "-Wextra", "-I.", "-Itidemill", "-c"];
/// What the job's own files are compiled with besides: mistakes that are errors in any language, and what ends with file and line.
const JOB_FLAGS: [&str; 6] = [
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=return-type",
    "-fsanitize=null,integer-divide-by-zero,bounds,unreachable,return",
    "-fno-sanitize-recover=all",
];
/// A reactor: the module has exports and no `main`. Names stay, so that the backtrace of a trap can be read.
const LINK_FLAGS: [&str; 3] = [TARGET, "-mexec-model=reactor", "-Wl,--strip-debug"];

/// Compiles a project; the component is named after its folder.
pub(super) fn build(project: &Project<'_>) -> Outcome<Built> {
    let name = project.dir.file_name().map_or_else(|| "job".to_owned(), |name| name.to_string_lossy().into_owned());
    let sources = sources(&project.dir, project.shown)?;
    let compiler = Compiler::find()?;
    let work = WorkFolder::make()?;
    let optimise = if project.debug { "-O0" } else { "-O3" };
    let mut objects = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let object = work.path.join(format!("{number}.o"));
        let mut command = compiler.command();
        // Relative names: they are what `__FILE__` says in the log of a job.
        command.current_dir(&project.dir).args(FLAGS).arg(optimise);
        if source != Path::new(SDK) {
            command.args(JOB_FLAGS);
        }
        run(command.arg("-o").arg(&object).arg(source))?;
        objects.push(object);
    }
    let core = work.path.join(format!("{name}.core.wasm"));
    let mut command = compiler.command();
    run(command.current_dir(&project.dir).args(LINK_FLAGS).arg(optimise).arg("-o").arg(&core).args(&objects))?;
    let component = super::packed(&core)?;
    Ok(Built { name, component })
}

/// The project's C files but its tests, in order, and the SDK's.
fn sources(dir: &Path, shown: &Path) -> Outcome<Vec<PathBuf>> {
    if !dir.join(SDK).is_file() {
        return Err(Fault::failed(format!("{} holds no {SDK}, which every job in C is compiled with", shown.display()))
            .hint("copy the folder `tidemill` from a project of: tidemill new NAME --lang c"));
    }
    let unreadable = |e: std::io::Error| Fault::failed(format!("cannot list {}", shown.display())).because(&e);
    let mut sources = vec![PathBuf::from(SDK)];
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
        let test = name.to_string_lossy().starts_with("test_");
        if name.extension().is_some_and(|extension| extension == "c") && !test {
            sources.push(name);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Runs a compiler, whose messages go to standard error as they come.
fn run(command: &mut Command) -> Outcome<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().map_err(|e| Fault::failed(format!("cannot run {program}")).because(&e))?;
    match status.success() {
        true => Ok(()),
        false => Err(Fault::failed(format!("the project does not compile: the messages of {program} stand above"))),
    }
}

/// A C compiler for WebAssembly: a program and its first arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Compiler {
    program: OsString,
    arguments: &'static [&'static str],
}

impl Compiler {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments);
        command
    }

    /// `$CC` where it links for WebAssembly, else a clang that does, else zig.
    fn find() -> Outcome<Compiler> {
        let mut lacking = Vec::new();
        let clang = |name: OsString| Compiler { program: name, arguments: &[] };
        let named = std::env::var_os("CC").into_iter();
        let numbered = CLANG_VERSIONS.rev().map(|version| OsString::from(format!("clang-{version}")));
        for compiler in named.chain([OsString::from("clang")]).chain(numbered).map(clang) {
            match compiler.links() {
                Links::Yes => return Ok(compiler),
                Links::No(why) => {
                    lacking.push(format!("{} is here, but cannot link for wasm32-wasi: {why}", compiler.program.to_string_lossy()))
                }
                Links::Absent => {}
            }
        }
        for (program, arguments) in ZIGS {
            let compiler = Compiler { program: program.into(), arguments };
            if succeeds(compiler.command().arg("--version")) {
                console::note("building with zig's C compiler: the first build makes its C library too, which takes a minute");
                return Ok(compiler);
            }
        }
        Err(missing(lacking))
    }

    /// Whether an empty module can be linked; that is what tells a compiler with its linker and C library from one without.
    fn links(&self) -> Links {
        let Ok(work) = WorkFolder::make() else { return Links::Absent };
        let (source, module) = (work.path.join("probe.c"), work.path.join("probe.wasm"));
        if std::fs::write(&source, "#include <stdlib.h>\nvoid *probe(void);\nvoid *probe(void) { return malloc(1); }\n").is_err() {
            return Links::Absent;
        }
        match self.command().args(LINK_FLAGS).arg("-Wl,--export=probe").arg("-o").arg(&module).arg(&source).output() {
            Err(_) => Links::Absent,
            Ok(output) if output.status.success() => Links::Yes,
            Ok(output) => Links::No(first_error(&output)),
        }
    }
}

/// What trying a compiler came to.
enum Links {
    Yes,
    No(String),
    Absent,
}

/// The first line in which a compiler says what is wrong.
fn first_error(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("error")).or_else(|| text.lines().next());
    line.unwrap_or("it says nothing").trim().to_owned()
}

fn missing(lacking: Vec<String>) -> Fault {
    let fault = Fault::failed("there is no C compiler for WebAssembly on the path").hint(
        "on Debian: apt install clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc; anywhere: pip install ziglang; \
         CC=/path/to/clang names another one (wasi-sdk's, for instance)",
    );
    lacking.into_iter().fold(fault, Fault::cause)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A folder for what lies between source and component, gone at the end.
struct WorkFolder {
    path: PathBuf,
}

impl WorkFolder {
    fn make() -> Outcome<WorkFolder> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("tidemill-build-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|e| Fault::failed(format!("cannot make {}", path.display())).because(&e))?;
        Ok(WorkFolder { path })
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // What is left in the system's folder for temporary files is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_no_part_of_the_job_and_the_sdk_has_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let shown = Path::new("jobs/mine");
        std::fs::write(dir.path().join("job.c"), "").unwrap();
        let fault = sources(dir.path(), shown).unwrap_err();
        assert!(fault.message.contains("jobs/mine holds no tidemill/tidemill.c"), "{}", fault.message);
        std::fs::create_dir(dir.path().join("tidemill")).unwrap();
        for file in [SDK, "test_job.c", "words.c", "words.h"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        assert_eq!(sources(dir.path(), shown).unwrap(), ["job.c", "tidemill/tidemill.c", "words.c"].map(PathBuf::from));
    }

    #[test]
    fn a_compiler_that_does_not_exist_is_absent_and_one_that_fails_says_why() {
        let absent = Compiler { program: "/nonexistent/clang".into(), arguments: &[] };
        assert!(matches!(absent.links(), Links::Absent));
        let failing = Compiler { program: "sh".into(), arguments: &["-c", "echo 'ld: error: no libc' >&2; exit 1"] };
        assert!(matches!(failing.links(), Links::No(why) if why == "ld: error: no libc"));
        let fault = missing(vec!["clang-14 is here, but cannot link".to_owned()]);
        assert_eq!(fault.causes, ["clang-14 is here, but cannot link"]);
        assert!(fault.hint.unwrap().contains("pip install ziglang"));
    }
}
