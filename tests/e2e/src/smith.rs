//! WebAssembly that nobody would write, of a seed.
//!
//! Half of it keeps to the features that the host takes, so that its compiler gets to see the code; the rest may use every proposal that
//! `wasm-smith` knows, which the host's validator has to refuse.

use arbitrary::{Arbitrary as _, Unstructured};
use wasm_smith::{Component, Config, Module};

/// Bytes that choices are made by: enough for some hundred instructions.
const CHOICES: usize = 2_048;
/// Id of the section of a component that holds a core module.
const CORE_MODULE_SECTION: u8 = 1;
/// How a component begins.
const PREAMBLE: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// A number that looks like chance, the same in every run.
pub fn scrambled(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A valid core module.
///
/// # Panics
/// When the generator gives none.
pub fn module(seed: u64) -> Vec<u8> {
    made(seed, |config, choices| Ok(Module::new(config, choices)?.to_bytes()))
}

/// A valid component; its types, imports and cores are of no contract.
///
/// # Panics
/// When the generator gives none.
pub fn component(seed: u64) -> Vec<u8> {
    made(seed, |config, choices| Ok(Component::new(config, choices)?.to_bytes()))
}

/// A component that holds a core module and nothing else.
pub fn wrapped(module: &[u8]) -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    bytes.push(CORE_MODULE_SECTION);
    let mut rest = module.len();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(module);
    bytes
}

fn made(seed: u64, make: impl Fn(Config, &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>>) -> Vec<u8> {
    // Choices that lead nowhere are an error of the generator, and the next ones are as good.
    let attempts = (0..100).map(|attempt| scrambled(seed.wrapping_add(attempt)));
    let tried = |seed: u64| {
        let bytes: Vec<u8> = (0..CHOICES as u64 / 8).flat_map(|at| scrambled(seed ^ scrambled(at)).to_le_bytes()).collect();
        let mut choices = Unstructured::new(&bytes);
        let config = if seed.is_multiple_of(2) { plain() } else { Config::arbitrary(&mut choices).ok()? };
        make(config, &mut choices).ok()
    };
    attempts.filter_map(tried).next().expect("some of a hundred attempts gives code")
}

/// Only what the host's engine takes.
fn plain() -> Config {
    Config {
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        tail_call_enabled: false,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        assert_eq!(module(7), module(7));
        assert_eq!(component(7), component(7));
        assert_ne!(module(7), module(8));
    }

    #[test]
    fn a_module_is_wrapped_as_the_format_says() {
        assert_eq!(wrapped(&[0; 3]), *b"\0asm\x0d\0\x01\0\x01\x03\0\0\0");
        assert_eq!(wrapped(&[0; 300])[8..11], [1, 0xac, 0x02]);
    }
}
