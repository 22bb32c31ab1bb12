//! Guests that are programs: jobs written with the Rust SDK, for what a component does by itself and the guest of data cannot be told.
//!
//! They run in this process (`tests/native`). The jobs are guests of the test suite, which `tests/e2e` runs as components.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde::Deserialize;
use tidemill_core::guest::Factory;
use tidemill_core::plan::Plan;
use tidemill_native::{Build, Native};

/// `[program]` of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    name: String,
    #[serde(default)]
    args: BTreeMap<String, String>,
}

impl Program {
    fn build(&self) -> Result<Build> {
        match self.name.as_str() {
            "expiring" => Ok(test_guest_expiring::expiring),
            name => bail!("there is no program {name:?}"),
        }
    }

    fn native(&self) -> Result<Native> {
        Ok(Native::new(self.build()?, self.args.clone().into_iter().collect()))
    }

    /// The plan of its job.
    pub(crate) fn plan(&self) -> Result<Plan> {
        self.native()?.plan()
    }

    /// Makes instances of it.
    pub(crate) fn factory(&self) -> Result<Arc<dyn Factory>> {
        Ok(Arc::new(self.native()?))
    }
}
