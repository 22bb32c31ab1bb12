//! Why a component cannot be used, in words that say what to do about it.

use tidemill_core::guest;
use tidemill_core::plan::{PLAN_BYTES_MAX, spoken};

use crate::COMPONENT_BYTES_MAX;

/// Why bytes are no job, or a job gives no plan. [`LoadError::code`] is stable; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// More than [`COMPONENT_BYTES_MAX`].
    #[error("the component has {bytes} bytes, more than {COMPONENT_BYTES_MAX}: strip its debug information or bundle less")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Text format.
    #[error("this is WebAssembly text, not a component: build the job with `tidemill build`")]
    Text,
    /// A core module.
    #[error("this is a core module, not a component: turn it into one with `tidemill build`")]
    CoreModule,
    /// Machine code.
    #[error("this is precompiled machine code, which is never loaded: give the .wasm it was compiled from")]
    Precompiled,
    /// Neither of these.
    #[error("this is no component: {0}")]
    NotWasm(String),
    /// A component that does not pass validation, is cut off, or cannot be compiled.
    #[error("the component is damaged or uses what this host does not offer: {0}")]
    Invalid(String),
    /// It wants an operating system.
    #[error(
        "the component imports {import}, but jobs get no WASI: build it without \
         (Rust: --target wasm32-unknown-unknown; Python: componentize-py componentize -s; JavaScript: componentize-qjs --sync --stub-wasi; \
         Go and C: `tidemill build`, which packs with the stub adapter)"
    )]
    Wasi {
        /// The first of those imports.
        import: String,
    },
    /// It wants something that nobody here has.
    #[error("the component imports {}, but a job may import nothing but tidemill:job/host: remove what needs it", .imports.join(", "))]
    Imports {
        /// All of those imports.
        imports: Vec<String>,
    },
    /// It is not a job.
    #[error("the component is not a job of contract {}: it does not export {}: build it with a Tidemill SDK", spoken(), .missing.join(", "))]
    WrongWorld {
        /// What it lacks.
        missing: Vec<String>,
    },
    /// Built for a later contract.
    #[error("the component was built for contract {built_for}, this host speaks {}: upgrade tidemill", spoken())]
    Newer {
        /// The contract it states.
        built_for: String,
    },
    /// Built for a contract that is gone.
    #[error("the component was built for contract {built_for}, this host speaks {}: rebuild it with a current SDK", spoken())]
    Older {
        /// The contract it states.
        built_for: String,
    },
    /// The names are right, the types are not.
    #[error("the component does not fit its contract: {0}")]
    Mismatch(String),
    /// wasmtime cannot run on this machine.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// A plan of more than [`PLAN_BYTES_MAX`].
    #[error("the plan has {bytes} bytes, more than {PLAN_BYTES_MAX}: build fewer operators")]
    PlanTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A plan that cannot be read.
    #[error("the plan cannot be read at line {line}, column {column}: {what}: the component's SDK and this host disagree")]
    Plan {
        /// Line in the document, from 1.
        line: usize,
        /// Column in the line, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// `plan` ended with an error.
    #[error(transparent)]
    Guest(#[from] guest::Error),
}

impl LoadError {
    /// A name for the kind of error that no release changes.
    pub fn code(&self) -> &'static str {
        match self {
            LoadError::TooLarge { .. } => "component-too-large",
            LoadError::Text => "component-text",
            LoadError::CoreModule => "component-core-module",
            LoadError::Precompiled => "component-precompiled",
            LoadError::NotWasm(_) => "component-not-wasm",
            LoadError::Invalid(_) => "component-invalid",
            LoadError::Wasi { .. } => "component-wasi",
            LoadError::Imports { .. } => "component-imports",
            LoadError::WrongWorld { .. } => "component-wrong-world",
            LoadError::Newer { .. } => "contract-newer",
            LoadError::Older { .. } => "contract-older",
            LoadError::Mismatch(_) => "contract-mismatch",
            LoadError::Engine(_) => "engine",
            LoadError::PlanTooLarge { .. } => "plan-too-large",
            LoadError::Plan { .. } => "plan-unreadable",
            LoadError::Guest(guest::Error::Refused { .. }) => "plan-refused",
            LoadError::Guest(_) => "plan-failed",
        }
    }
}
