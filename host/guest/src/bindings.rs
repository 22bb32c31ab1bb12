//! The contracts' types and calls, generated from the WIT, so that host and contract cannot drift apart.
//!
//! Lists of numbers are lowered from slices and lifted into one `Vec` by a plain copy; exports are looked up once per
//! component and type-checked once per instance.

// The generated code implements wasmtime's unsafe traits for the contract's records and calls exports whose types it has
// checked at instantiation; it is wasmtime's own output and nothing is written here by hand.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

/// Contract 0.1.0.
pub(crate) mod v1 {
    wasmtime::component::bindgen!({
        path: "../../wit/tidemill-job@0.1.0",
        world: "job",
        imports: { default: trappable },
    });
}

/// Contract 0.2.0.
pub(crate) mod v2 {
    wasmtime::component::bindgen!({
        path: "../../wit/tidemill-job@0.2.0",
        world: "job",
        imports: { default: trappable },
    });
}
