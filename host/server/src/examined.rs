//! What a child process that may touch a component has found out about it, on its standard output.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::checkpoint::compare;
use utoipa::ToSchema;

use crate::shadow::{Ran, Shadow};

/// The answer of a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A component that can be used.
    Component(Component),
    /// A plan that can run.
    Planned(Box<Planned>),
    /// A version has run in the shadow.
    Ran(Ran),
    /// Two versions have, and what they wrote is compared.
    Compared(Shadow),
    /// None of these.
    Refused(Refusal),
}

/// Why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is at fault.
    pub part: Part,
    /// A name for the reason that no release changes, e.g. `component-wasi`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Why.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// What is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The bytes.
    Component,
    /// What its code makes of the arguments.
    Plan,
    /// A binding.
    Binding,
    /// What became of it in the shadow.
    Shadow,
}

/// A component that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Size of its machine code.
    pub compiled_bytes: u64,
    /// The contract it was built for.
    pub contract: String,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Interfaces it exports.
    pub exports: Vec<String>,
    /// What it could ask for, whether it does, and what it gets.
    pub capabilities: Vec<Capability>,
}

/// A row of the table of capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capability {
    /// What.
    pub capability: String,
    /// Whether the component asks for it.
    pub asks: bool,
    /// What it gets.
    pub verdict: Verdict,
}

/// What a component gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did not ask.
    None,
    /// It has it.
    Granted,
    /// It does not, and is refused.
    Refused,
}

/// A plan that can run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The name that the plan gives the job.
    pub name: Option<String>,
    /// Threads that would run it.
    pub workers: usize,
    /// Its sources and sinks.
    pub bindings: Vec<Bound>,
    /// Its operators in the order of the plan.
    pub operators: Vec<Operator>,
    /// What it keeps in checkpoints.
    pub keeps: Vec<Keeps>,
    /// As `tidemill plan --json`.
    pub plan: Value,
    /// As `tidemill plan`.
    pub text: String,
    /// As `tidemill plan --mermaid`.
    pub mermaid: String,
}

/// A source or sink with its URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The binding's name.
    pub name: String,
    /// Whether it is written rather than read.
    pub is_sink: bool,
    /// None when the plan has no default and nobody gave one.
    pub url: Option<String>,
}

/// An operator by the name under which state, logs and plans know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: String,
}

/// What an operator keeps; schemas as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeps {
    /// The operator's name.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// The fields of its key.
    pub key: Option<String>,
    /// The columns of its keyed state.
    pub state: Option<String>,
    /// Columns that pieces of that state had and that the component turns into today's.
    #[serde(default)]
    pub migrates: Vec<String>,
}

impl Keeps {
    /// As the core compares it. None where a schema cannot be read, which only another release would have written.
    pub(crate) fn kept(&self) -> Option<compare::Kept> {
        let schema = |text: &Option<String>| text.as_ref().map(|text| text.parse()).transpose().ok();
        let migrates = self.migrates.iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()?;
        let (key, state) = (schema(&self.key)?, schema(&self.state)?);
        Some(compare::Kept { name: self.name.clone(), kind: self.kind.clone(), key, state, migrates })
    }
}
