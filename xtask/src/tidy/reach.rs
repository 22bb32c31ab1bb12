//! What each part of the house may reach for in the standard library.
//!
//! The core is pure, so that a seed replays a run: no clock, file, network, thread or environment. Only programs read the
//! environment and end the process; the rest is told by arguments and answers by results. Tests are bound as well, for a
//! test of the core that needs a clock does not test the core.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{File, Finding};

/// One ban: where it holds, the path that is banned, and what to do instead.
struct Ban {
    folders: &'static [&'static str],
    /// Segments that must stand next to each other in a path or a `use`.
    path: &'static [&'static str],
    instead: &'static str,
}

const CORE: &[&str] = &["host/core/src/"];

const LIBRARIES: &[&str] = &[
    "host/core/src/",
    "host/guest/src/",
    "host/dataflow/src/",
    "host/state/src/",
    "host/connectors/src/",
    "host/server/src/",
    "guest-sdk/rust/src/",
];

const BANS: &[Ban] = &[
    Ban { folders: CORE, path: &["std", "fs"], instead: "the core is pure; read the file outside and pass its content" },
    Ban { folders: CORE, path: &["std", "net"], instead: "the core is pure; a connector talks to the network" },
    Ban { folders: CORE, path: &["std", "thread"], instead: "the core is pure; the dataflow owns the threads" },
    Ban { folders: CORE, path: &["std", "env"], instead: "the core is pure; pass the value as an argument" },
    Ban { folders: CORE, path: &["Instant"], instead: "the core is pure; pass the time as an argument, so that a seed replays a run" },
    Ban { folders: CORE, path: &["SystemTime"], instead: "the core is pure; pass the time as an argument, so that a seed replays a run" },
    Ban { folders: LIBRARIES, path: &["env", "var"], instead: "only the cli reads the environment; pass the value as an argument" },
    Ban { folders: LIBRARIES, path: &["env", "var_os"], instead: "only the cli reads the environment; pass the value as an argument" },
    Ban { folders: LIBRARIES, path: &["process", "exit"], instead: "only the cli ends the process; return an error" },
];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let bans: Vec<&Ban> = BANS.iter().filter(|ban| ban.folders.iter().any(|folder| file.path.starts_with(folder))).collect();
    let mut findings = Vec::new();
    let Ok(tokens) = file.text.parse::<TokenStream>() else { return findings };
    let mut paths = Vec::new();
    collect(tokens, &[], &mut paths);
    for (path, line) in paths {
        for ban in &bans {
            if path.windows(ban.path.len()).any(|part| part == ban.path) {
                findings.push(Finding::new(&file.path, line, format!("{} in this crate; {}", path.join("::"), ban.instead)));
            }
        }
    }
    findings
}

/// Every path in the tokens with its line, also inside of macro calls; `use a::{b, c::d}` counts as `a::b` and `a::c::d`.
fn collect(tokens: TokenStream, prefix: &[String], paths: &mut Vec<(Vec<String>, usize)>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let colons =
        |at: usize| [at, at + 1].iter().all(|at| matches!(trees.get(*at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':'));
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(first) => {
                let line = first.span().start().line;
                let mut path = prefix.to_vec();
                path.push(first.to_string());
                at += 1;
                while colons(at) {
                    let Some(TokenTree::Ident(next)) = trees.get(at + 2) else { break };
                    path.push(next.to_string());
                    at += 3;
                }
                match trees.get(at + 2) {
                    Some(TokenTree::Group(group)) if colons(at) && group.delimiter() == Delimiter::Brace => {
                        collect(group.stream(), &path, paths);
                        at += 3;
                    }
                    _ => paths.push((path, line)),
                }
            }
            TokenTree::Group(group) => {
                collect(group.stream(), prefix, paths);
                at += 1;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&file(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_banned_path_is_found_in_every_spelling() {
        for text in [
            "use std::fs;",
            "use std::fs::File;",
            "use std::{io, fs::File};",
            "use std::{io, fs};",
            "fn f() { std::fs::read(\"a\"); }",
            "fn f() { assert!(std::fs::read(\"a\").is_ok()); }",
            "fn f() -> Option<std::fs::File> { None }",
        ] {
            assert_eq!(lines("host/core/src/a.rs", text), [1], "{text}");
            assert_eq!(lines("host/cli/src/a.rs", text), [] as [usize; 0], "{text}");
        }
    }

    #[test]
    fn neighbours_of_a_banned_path_pass() {
        for text in [
            "use std::{fmt, io};",
            "mod fs; use crate::fs::a;",
            "let std = fs;",
            "// std::fs",
            "let a = \"std::fs\";",
            "use std::time::Duration;",
        ] {
            assert_eq!(lines("host/core/src/a.rs", text), [] as [usize; 0], "{text}");
        }
    }

    #[test]
    fn libraries_do_not_read_the_environment_nor_exit() {
        assert_eq!(lines("host/guest/src/a.rs", "use std::env;\nfn f() { env::var(\"A\"); }\nfn g() { process::exit(1); }"), [2, 3]);
        assert_eq!(lines("host/guest/src/a.rs", "const A: &str = env!(\"A\");"), [] as [usize; 0]);
        assert_eq!(lines("host/cli/src/a.rs", "fn g() { std::process::exit(1); }"), [] as [usize; 0]);
    }
}
