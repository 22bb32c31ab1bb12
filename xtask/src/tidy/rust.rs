//! Rules for Rust sources: a heading, a bounded file, bounded functions, nothing unfinished or switched off.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{File, Finding};

/// A file is split at the first number of lines; past the second nobody finds anything in it.
const FILE_LINES: (usize, usize) = (500, 800);

/// A function should fit a screen; past the second number it has several jobs.
const FUNCTION_LINES: (usize, usize) = (70, 100);

/// Macros that must not stay in the source, with what to do instead. Without the `!`, so that this file passes itself.
const MACROS: [(&str, &str); 3] = [
    ("todo", "finish it, or return an error that says what is not supported"),
    ("unimplemented", "return an error that says what is not supported"),
    ("dbg", "delete it, or log what an operator of the system wants to know"),
];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let path = file.path.as_str();
    let mut findings = Vec::new();
    if !file.text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!")) {
        findings.push(Finding::new(path, 1, "no heading; begin the file with `//! ` and what it is for and what it promises"));
    }
    let lines = file.text.lines().count();
    let (split, limit) = FILE_LINES;
    if lines > limit {
        findings.push(Finding::new(path, limit, format!("{lines} lines, the limit is {limit}; split it by what changes together")));
    } else if lines > split {
        findings.push(Finding::mild(path, split, format!("{lines} lines; look for a border to split it at before it reaches {limit}")));
    }
    match syn::parse_file(&file.text) {
        Ok(parsed) => {
            let mut functions = Functions { path, findings: Vec::new() };
            functions.visit_file(&parsed);
            findings.append(&mut functions.findings);
        }
        Err(error) => {
            let line = error.span().start().line;
            findings.push(Finding::new(path, line, format!("is no Rust source ({error}); correct it or give the file another extension")));
        }
    }
    if let Ok(tokens) = file.text.parse::<TokenStream>() {
        unfinished(path, tokens, &mut findings);
    }
    findings
}

/// Measures functions from the signature to the closing brace; attributes and comments above are not counted, nor are the
/// lines of a table in it, for a table is read by looking something up.
struct Functions<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let begin = signature.span().start().line;
        let mut tables = Tables { lines: 0 };
        tables.visit_block(block);
        let lines = block.span().end().line + 1 - begin - tables.lines;
        let (aim, limit) = FUNCTION_LINES;
        let name = &signature.ident;
        if lines > limit {
            let text = format!("fn {name} has {lines} lines, the limit is {limit}; give its steps names of their own");
            self.findings.push(Finding::new(self.path, begin, text));
        } else if lines > aim {
            self.findings.push(Finding::mild(self.path, begin, format!("fn {name} has {lines} lines; aim at {aim} at most")));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Counts the lines of array literals but the first of each.
struct Tables {
    lines: usize,
}

impl<'ast> Visit<'ast> for Tables {
    fn visit_expr_array(&mut self, array: &'ast syn::ExprArray) {
        self.lines += array.span().end().line - array.span().start().line;
    }
}

/// Walks the tokens, also those inside of macro calls, for the macros above and for tests that are switched off.
fn unfinished(path: &str, tokens: TokenStream, findings: &mut Vec<Finding>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => {
                if index > 0 && is_punct(&trees[index - 1], '#') && first_word(group.stream()).is_some_and(|word| word == "ignore") {
                    let text = "a test is switched off; delete it, or assert today's answer and say what the right one is";
                    findings.push(Finding::new(path, group.span().start().line, text));
                }
                unfinished(path, group.stream(), findings);
            }
            TokenTree::Ident(name) => {
                let call = trees.get(index + 1).is_some_and(is_call);
                if let Some((name, advice)) = MACROS.iter().find(|(banned, _)| call && name == banned) {
                    findings.push(Finding::new(path, tree.span().start().line, format!("{name}! in the source; {advice}")));
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn is_punct(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// The `!` of a macro call, not that of `!=`.
fn is_call(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '!' && punct.spacing() == Spacing::Alone)
}

fn first_word(tokens: TokenStream) -> Option<String> {
    match tokens.into_iter().next() {
        Some(TokenTree::Ident(word)) => Some(word.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn found(text: &str) -> Vec<(usize, bool)> {
        let mut found: Vec<_> = check(&file("a.rs", text)).iter().map(|finding| (finding.line, finding.mild)).collect();
        found.sort_unstable();
        found
    }

    fn with_function(lines: usize) -> String {
        format!("//! Heading.\n/// Doc.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_needs_its_heading_first() {
        assert_eq!(found("//! Heading.\nfn f() {}\n"), []);
        assert_eq!(found("\n//! Heading.\n"), []);
        assert_eq!(found("use a::b;\n//! late\n")[0], (1, false));
        assert_eq!(found("/// of the item\nfn f() {}\n"), [(1, false)]);
    }

    #[test]
    fn long_files_are_warned_of_and_then_refused() {
        let text = |lines: usize| format!("//! Heading.\n{}", "const A: u8 = 0;\n".repeat(lines - 1));
        assert_eq!(found(&text(500)), []);
        assert_eq!(found(&text(501)), [(500, true)]);
        assert_eq!(found(&text(800)), [(500, true)]);
        assert_eq!(found(&text(801)), [(800, false)]);
    }

    #[test]
    fn long_functions_are_warned_of_and_then_refused() {
        assert_eq!(found(&with_function(70)), []);
        assert_eq!(found(&with_function(71)), [(3, true)]);
        assert_eq!(found(&with_function(100)), [(3, true)]);
        assert_eq!(found(&with_function(101)), [(3, false)]);
    }

    #[test]
    fn a_table_in_a_function_counts_one_line() {
        let table = "        (1, [2,\n 3]),\n".repeat(60);
        assert_eq!(found(&format!("//! H.\nfn f() {{\n    let a = &[\n{table}    ];\n}}\n")), []);
    }

    #[test]
    fn methods_and_functions_in_functions_are_measured_too() {
        let body = "    g();\n".repeat(120);
        assert_eq!(found(&format!("//! H.\nimpl A {{\nfn f() {{\n{body}}}\n}}\n")), [(3, false)]);
        assert_eq!(found(&format!("//! H.\ntrait A {{\nfn f() {{\n{body}}}\n}}\n")), [(3, false)]);
        assert_eq!(found(&format!("//! H.\nfn a() {{\nfn f() {{\n{body}}}\n}}\n")), [(2, false), (3, false)]);
    }

    #[test]
    fn unfinished_code_is_found_inside_of_macro_calls_but_not_in_strings() {
        for (name, _) in MACROS {
            assert_eq!(found(&format!("//! H.\nfn f() {{\n    assert!(std::{name}!(1));\n}}\n")), [(3, false)]);
            assert_eq!(found(&format!("//! H.\nfn f() {{ g(\"{name}!\"); {name}(); {name} != 1; }}\n")), []);
        }
    }

    #[test]
    fn a_test_that_is_switched_off_is_found() {
        let off = concat!("#[ig", "nore = \"slow\"]");
        assert_eq!(found(&format!("//! H.\n#[test]\n{off}\nfn f() {{}}\n")), [(3, false)]);
        assert_eq!(found("//! H.\nfn f() { let ignore = [0]; g(ignore); }\n"), []);
    }

    #[test]
    fn a_file_that_does_not_parse_is_named() {
        assert_eq!(found("//! H.\nfn f( {}\n"), [(2, false)]);
    }
}
