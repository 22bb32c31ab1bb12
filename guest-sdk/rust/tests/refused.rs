//! Mistakes that the compiler catches, with the words it uses: `tests/refused/*.rs` beside their `.stderr`.
//!
//! `TRYBUILD=overwrite` writes the words anew when a compiler or the API has changed them.

#[test]
fn mistakes_are_refused_in_words() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
