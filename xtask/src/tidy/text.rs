//! Rules for every file: no built components, no open ends, nobody's home directory.

use super::{File, Finding};

/// Words that mark an open end; an open end is an issue, not a comment. Written apart so that this file passes itself.
const OPEN_ENDS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Where such words are looked for. Prose may quote them.
const SOURCES: [&str; 12] = ["rs", "wit", "toml", "c", "h", "py", "js", "ts", "go", "sh", "html", "css"];

const BUILT: [&str; 2] = ["wasm", "cwasm"];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let extension = file.path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut findings = Vec::new();
    if BUILT.contains(&extension) {
        findings.push(Finding::new(&file.path, 1, "a built component is committed; `cargo xtask dist` builds guests from their sources"));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        if SOURCES.contains(&extension) {
            for word in OPEN_ENDS.into_iter().filter(|word| has_word(line, word)) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("{word} in the source; finish it, or open an issue and delete the line"),
                ));
            }
        }
        if let Some(home) = home_path(line) {
            findings.push(Finding::new(&file.path, number, format!("a path of one machine ({home}...); write it relative or from $HOME")));
        }
    }
    findings
}

/// Whether `word` stands in `line` by itself.
fn has_word(line: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(inner) && !line[at + word.len()..].starts_with(inner))
}

/// The beginning of an absolute path into a home directory, if the line has one.
fn home_path(line: &str) -> Option<&str> {
    for home in [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")] {
        for (at, _) in line.match_indices(home) {
            let continues = line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}*>".contains(c));
            let named = line[at + home.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
            if !continues && named {
                return Some(&line[at..at + home.len()]);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&file(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_committed_component_is_found() {
        assert_eq!(lines("tests/a.wasm", ""), [1]);
        assert_eq!(lines("tests/a.cwasm", ""), [1]);
        assert_eq!(lines("tests/a.wat", ""), [] as [usize; 0]);
    }

    #[test]
    fn an_open_end_is_found_as_a_word_in_sources_only() {
        let text = format!("ok\n// {}: later\nlet {}S = 1;\n# {}\n", OPEN_ENDS[0], OPEN_ENDS[0], OPEN_ENDS[1]);
        assert_eq!(lines("a.rs", &text), [2, 4]);
        assert_eq!(lines("a.py", &text), [2, 4]);
        assert_eq!(lines("a.md", &text), [] as [usize; 0]);
    }

    #[test]
    fn a_home_directory_is_found_but_not_a_path_that_only_looks_like_one() {
        let home = |user: &str| format!("see {}{user}\n", concat!("/ho", "me/"));
        assert_eq!(lines("a.md", &home("ada/x")), [1]);
        assert_eq!(lines("a.md", &home("<you>/x")), [] as [usize; 0]);
        assert_eq!(lines("a.md", concat!("https://example.org/ro", "ot/x")), [] as [usize; 0]);
        assert_eq!(lines("a.md", concat!("`/ro", "ot/.cache`")), [1]);
    }
}
