//! Gives the text of `--arg plan=…` as its plan: a way to show the host every plan there is. Runs none of them.

#![cfg(target_arch = "wasm32")]

use tidemill::component::bindings::exports::tidemill::job::operators::{Argument, Decision, Guest, Outcome, TriggerEvent};

struct AnyPlan;

const NEVER: &str = "this guest only plans";

impl Guest for AnyPlan {
    fn plan(args: Vec<Argument>) -> Result<String, String> {
        args.into_iter().find(|arg| arg.name == "plan").map(|arg| arg.value).ok_or_else(|| "give a plan as --arg plan=JSON".to_owned())
    }

    fn link(_: u32, _: Vec<u32>) {}

    fn process(_: u32, _: u32, _: i64, _: i64, _: Vec<u8>, _: Vec<u32>, _: Vec<u32>) -> Outcome {
        panic!("{NEVER}")
    }

    fn on_timer(_: u32, _: i64, _: i64, _: Vec<u8>, _: Vec<u32>) -> Outcome {
        panic!("{NEVER}")
    }

    fn fire(_: u32, _: i64, _: i64, _: Vec<u8>, _: Vec<u32>, _: Vec<u32>) -> Outcome {
        panic!("{NEVER}")
    }

    fn merge(_: u32, _: Vec<u32>, _: Vec<u32>) {}

    fn trigger(_: u32, _: TriggerEvent, _: i64, _: i64, _: Vec<u8>, _: Vec<u32>, _: Vec<u8>, _: Vec<u32>) -> Vec<Decision> {
        panic!("{NEVER}")
    }

    fn purge(_: u32, _: Vec<u32>) {}

    fn apply(_: u32, _: u32, _: i64, _: i64, _: Vec<u8>, _: Vec<u8>, _: Vec<u32>) -> Outcome {
        panic!("{NEVER}")
    }

    fn watermark(_: u32, _: u32, _: i64, _: Vec<u8>) -> Option<i64> {
        panic!("{NEVER}")
    }

    fn export_state(_: u32, _: Vec<u32>) -> Vec<u8> {
        panic!("{NEVER}")
    }

    fn import_state(_: u32, _: Vec<u32>, _: Vec<u8>) -> Result<(), String> {
        Err(NEVER.to_owned())
    }

    fn migrate_state(_: u32, _: String, _: Vec<u8>) -> Result<Vec<u8>, String> {
        Err(NEVER.to_owned())
    }

    fn drop_state(_: u32, _: Vec<u32>) {}
}

tidemill::component::export_job!(AnyPlan);
