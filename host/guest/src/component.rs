//! A loaded component: what it is, what it plans, and the factory of its instances.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tidemill_core::guest::{self, Guest, Limits, OperatorId};
use tidemill_core::plan::{Contract, Plan};
use tidemill_core::spill::Spills;

use crate::cache::{self, Cache};
use crate::cold::{Cold, Moved};
use crate::engine::engine;
use crate::exports::Argument;
use crate::fuel::Fuel;
use crate::instance::{Instance, Setup};
use crate::log::{LogSink, Silent};
use crate::recycle::Recycled;
use crate::{LoadError, contract, load, plan};

/// How a component is loaded and what its instances get.
#[derive(Clone)]
pub struct LoadOptions {
    /// Where compiled artifacts are kept; `None` compiles every time. The directory must belong to this user.
    pub cache_dir: Option<PathBuf>,
    /// What each instance may use.
    pub limits: Limits,
    /// Who keeps log lines.
    pub log: Arc<dyn LogSink>,
    /// Whether [`Component::fuel`] tells what each operator costs, which makes its code slower.
    pub meter: bool,
}

impl Default for LoadOptions {
    /// No cache, the default limits, no log, no meter.
    fn default() -> LoadOptions {
        LoadOptions { cache_dir: None, limits: Limits::default(), log: Arc::new(Silent), meter: false }
    }
}

/// How much memory the state of one instance may have, and where the rest goes.
#[derive(Clone)]
pub struct StateMemory {
    /// Bytes over what a fresh instance has.
    pub bytes: usize,
    /// Where state goes that nobody has named for a while.
    pub spills: Arc<dyn Spills>,
}

/// What `tidemill inspect` shows.
#[derive(Clone, Debug)]
pub struct Description {
    /// Imported interfaces.
    pub imports: Vec<String>,
    /// Exported interfaces.
    pub exports: Vec<String>,
    /// Size of the component in bytes.
    pub bytes: usize,
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: String,
    /// Size of the machine code in bytes.
    pub compiled_bytes: usize,
    /// Where the machine code came from.
    pub cache: cache::Use,
    /// How long compiling, or reading it from the cache, took.
    pub ready_after: Duration,
}

/// A component of the contract, compiled and linked. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    setup: Setup,
    description: Arc<Description>,
    recycled: Arc<AtomicU64>,
    moved: Arc<Moved>,
}

impl Component {
    /// Takes bytes as a component. Nothing of it runs yet.
    pub fn load(bytes: &[u8], options: &LoadOptions) -> Result<Component, LoadError> {
        load::sniff(bytes)?;
        let engine = engine(options.meter)?;
        let start = Instant::now();
        let compile = || load::compile(engine, bytes);
        let (component, cache) = match &options.cache_dir {
            Some(dir) => Cache::new(dir).component(engine, bytes, compile)?,
            None => (compile()?, cache::Use::Off),
        };
        let ready_after = start.elapsed();
        let pre = load::link(engine, &component)?;
        let (imports, exports) = contract::names(engine, &component);
        let image = component.image_range();
        let description = Description {
            imports,
            exports,
            bytes: bytes.len(),
            sha256: cache::hex(&Sha256::digest(bytes)),
            compiled_bytes: image.end.addr() - image.start.addr(),
            cache,
            ready_after,
        };
        let setup = Setup { pre, limits: options.limits.clone(), log: Arc::clone(&options.log), meter: options.meter.then(Arc::default) };
        Ok(Component { setup, description: Arc::new(description), recycled: Arc::default(), moved: Arc::default() })
    }

    /// What is known of it without running it.
    pub fn describe(&self) -> &Description {
        &self.description
    }

    /// Lets a throw-away instance build the plan; returns it with the document it was read from. The plan has been read, not
    /// checked.
    pub fn plan(&self, args: &[(String, String)]) -> Result<(Plan, String), LoadError> {
        let planned = self.setup.plan(&arguments(args))?;
        let plan = plan::read(&planned.document)?;
        let built = self.setup.pre.contract();
        // What came later than the component has exports for could never be called.
        if let Some(stated) = Contract::of(&plan.contract).filter(|stated| *stated > built) {
            return Err(LoadError::Mismatch(format!("its plan says contract {stated}, its exports are those of {built}")));
        }
        Ok((plan, planned.document))
    }

    /// A factory of instances that run this plan; `document` is what [`Component::plan`] gave for the same arguments. An instance whose
    /// memory grows is replaced between two calls by a fresh one with the same state.
    pub fn factory(&self, args: &[(String, String)], document: String, plan: Arc<Plan>) -> Arc<dyn guest::Factory> {
        Arc::new(Instances(Arc::new(Job { component: self.clone(), args: arguments(args), document, plan, state: None })))
    }

    /// Like [`Component::factory`], for more state than there is memory for: an instance that has too much is replaced by one with what was
    /// used last.
    pub fn factory_within(
        &self,
        args: &[(String, String)],
        document: String,
        plan: Arc<Plan>,
        state: StateMemory,
    ) -> Arc<dyn guest::Factory> {
        Arc::new(Instances(Arc::new(Job { component: self.clone(), args: arguments(args), document, plan, state: Some(state) })))
    }

    /// How many pieces of state all instances have moved out of memory, and back.
    pub fn moved(&self) -> (u64, u64) {
        (self.moved.out.load(Relaxed), self.moved.back.load(Relaxed))
    }

    /// What the operators of all instances have cost; none where it was not asked for.
    pub fn fuel(&self) -> Option<BTreeMap<OperatorId, Fuel>> {
        self.setup.meter.as_ref().map(|meter| meter.read())
    }

    /// How many instances of all factories have been replaced because their memory had grown.
    pub fn recycled(&self) -> u64 {
        self.recycled.load(Relaxed)
    }

    /// One instance, which is never replaced.
    pub fn instantiate(&self, args: &[(String, String)], document: &str, plan: Arc<Plan>) -> Result<Instance, guest::Error> {
        self.instance(&arguments(args), document, plan)
    }

    fn instance(&self, args: &[Argument], document: &str, plan: Arc<Plan>) -> Result<Instance, guest::Error> {
        let planned = self.setup.plan(args)?;
        if planned.document != document {
            return Err(guest::Error::Contract { export: "plan", message: difference(document, &planned.document) });
        }
        Ok(Instance::new(planned, plan, &self.setup))
    }
}

/// What every instance of a job begins with.
struct Job {
    component: Component,
    args: Vec<Argument>,
    document: String,
    plan: Arc<Plan>,
    state: Option<StateMemory>,
}

struct Instances(Arc<Job>);

impl guest::Factory for Instances {
    fn instantiate(&self) -> Result<Box<dyn Guest>, guest::Error> {
        let job = Arc::clone(&self.0);
        let stateful = self.0.plan.operators.iter().map(|operator| !operator.state_schema().fields().is_empty());
        let (memory_max, count) = (self.0.component.setup.limits.memory_bytes, Arc::clone(&self.0.component.recycled));
        let cold = job.state.clone().map(|state| {
            let schemas = job.plan.operators.iter().map(|operator| operator.state_schema());
            Cold::new(state.spills, state.bytes, schemas, Arc::clone(&job.component.moved))
        });
        let make = Box::new(move || job.component.instance(&job.args, &job.document, Arc::clone(&job.plan)));
        Ok(Box::new(Recycled::new(make, stateful, memory_max, count, cold)?))
    }
}

fn arguments(args: &[(String, String)]) -> Vec<Argument> {
    args.iter().map(|(name, value)| Argument { name: name.clone(), value: value.clone() }).collect()
}

/// Says where two documents part.
fn difference(first: &str, second: &str) -> String {
    let at = first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let from = text.floor_char_boundary(at.saturating_sub(20));
        let to = text.ceil_char_boundary((at + 20).min(text.len()));
        crate::text::printable(&text[from..to], crate::text::Lines::One)
    };
    format!(
        "the plan is not deterministic: the same arguments gave {:?} and then {:?} at byte {at}; \
         build it without clocks, random numbers and unordered maps",
        around(first),
        around(second)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_shown_in_its_surroundings() {
        let text = difference("{\"name\": \"a-1\"}", "{\"name\": \"a-水\"}");
        assert!(text.contains(r#"{\"name\": \"a-1\"}"#) && text.contains("a-水") && text.contains("at byte 12"), "{text}");
        assert!(difference("abc", "ab").contains("at byte 2"));
    }
}
