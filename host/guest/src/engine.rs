//! The wasmtime engines of the process, and the threads that move their epochs.
//!
//! One constructor of [`wasmtime::Config`], so that compiled artifacts fit every process of this build, and one engine of each kind per
//! process, because types of different engines do not mix. Each setting that differs from wasmtime's default says why.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine, EngineWeak, Strategy, WasmBacktraceDetails};

use crate::LoadError;

/// Milliseconds between two epochs: the precision of a call's deadline. Ten cost nothing measurable.
pub(crate) const EPOCH_MS: u64 = 10;

/// Stack of wasm code in bytes. Worker threads have 2 MiB, which leaves room for the host's own frames; a thread
/// whose stack ends before wasm's limit would abort the process.
const WASM_STACK_BYTES: usize = 512 << 10;

/// Frames kept of a backtrace: enough to see the way into the user's function.
const BACKTRACE_FRAMES: std::num::NonZeroUsize = std::num::NonZeroUsize::new(32).expect("32 is not zero");

/// The engine for code that counts what it costs, or that does not; made on first use, together with its epoch thread.
pub(crate) fn engine(metered: bool) -> Result<&'static Engine, LoadError> {
    static ENGINES: [OnceLock<Result<Engine, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    let engine = ENGINES[usize::from(metered)].get_or_init(|| make(metered).map_err(|e| format!("{e:#}")));
    engine.as_ref().map_err(|e| LoadError::Engine(e.clone()))
}

/// The number of epochs after which a call of at most `ms` has certainly had its time.
pub(crate) fn epochs(ms: u64) -> u64 {
    // The epoch under way when the call begins is partly over, hence one more.
    ms.div_ceil(EPOCH_MS) + 1
}

fn make(metered: bool) -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config(metered))?;
    let weak = engine.weak();
    thread::Builder::new().name("tidemill-epoch".to_owned()).spawn(move || tick(&weak))?;
    Ok(engine)
}

fn tick(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        thread::sleep(Duration::from_millis(EPOCH_MS));
    }
}

fn config(metered: bool) -> Config {
    let mut config = Config::new();
    // Winch has neither epochs nor Cranelift's record of sandbox safety.
    config.strategy(Strategy::Cranelift);
    config.epoch_interruption(true);
    // What a call costs is counted on request only: code that counts is slower.
    config.consume_fuel(metered);
    config.max_wasm_stack(WASM_STACK_BYTES);
    config.parallel_compilation(true);

    // What no guest of ours needs, and where most advisories of such hosts were. `gc` and `threads` are compiled in all the same:
    // builds without them abort on code that the validator lets through (RUSTSEC-2026-0570).
    config.gc_support(false);
    config.wasm_gc(false);
    config.wasm_exceptions(false);
    config.wasm_function_references(false);
    config.wasm_threads(false);
    config.wasm_shared_everything_threads(false);
    config.shared_memory(false);
    config.concurrency_support(false);
    config.wasm_memory64(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_stack_switching(false);
    config.wasm_simd(true);

    // The same bits on every machine, so that a replay gives what the first run gave.
    config.wasm_relaxed_simd(false);
    config.relaxed_simd_deterministic(true);
    config.cranelift_nan_canonicalization(true);

    // Function names are enough for an author; line tables would triple the artifact.
    config.wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn there_is_one_engine_of_each_kind() {
        for metered in [false, true] {
            assert!(Engine::same(engine(metered).unwrap(), engine(metered).unwrap()));
        }
        assert!(!Engine::same(engine(false).unwrap(), engine(true).unwrap()));
    }

    #[test]
    fn an_artifact_of_one_engine_loads_in_another_of_the_same_settings() {
        use std::hash::{Hash, Hasher};
        let hash = |engine: &Engine| {
            let mut hasher = std::hash::DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let (one, other) = (Engine::new(&config(false)).unwrap(), Engine::new(&config(false)).unwrap());
        assert_eq!(hash(&one), hash(&other));
        let metered = Engine::new(&config(true)).unwrap();
        assert_ne!(hash(&one), hash(&metered), "the cache keeps both kinds of one component apart");
        let bytes = one.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
        assert!(crate::artifact::deserialize(&other, &bytes).is_ok());
        assert!(crate::artifact::deserialize(&metered, &bytes).is_err());
    }

    #[test]
    fn a_deadline_is_never_shorter_than_asked() {
        assert_eq!([epochs(0), epochs(1), epochs(10), epochs(11)], [1, 2, 2, 3]);
    }
}
