//! The plan of a throw-away instance, and of every other.

use tidemill_core::guest::{self, Error, Factory};
use tidemill_guest::{Component, LoadError, LoadOptions};

use crate::wat_guest::{PLAN, WatGuest};

fn plan_of(guest: &WatGuest) -> Result<String, LoadError> {
    Component::load(&guest.build(), &LoadOptions::default()).unwrap().plan(&[]).map(|(_, document)| document)
}

#[test]
fn the_plan_is_read_and_its_document_kept() {
    let (component, plan, document) = WatGuest::default().load(&LoadOptions::default());
    assert_eq!((plan.contract.as_str(), plan.operators[1].name.as_str(), document.as_str()), ("0.1.0", "op", PLAN));
    let factory: std::sync::Arc<dyn Factory> = component.factory(&[("a".to_owned(), "b".to_owned())], document, plan);
    factory.instantiate().unwrap().link(0, &[1, 2]).unwrap();
}

#[test]
fn a_job_that_refuses_its_arguments_says_why() {
    let plan = "(i32.store8 (i32.const 2048) (i32.const 1)) (i32.const 2048)".to_owned();
    let error = plan_of(&WatGuest { plan, document: "say --arg rate=N".to_owned(), ..WatGuest::default() }).unwrap_err();
    assert_eq!(error, LoadError::Guest(Error::Refused { export: "plan", message: "say --arg rate=N".to_owned() }));
    assert_eq!(error.code(), "plan-refused");
}

#[test]
fn a_document_that_cannot_be_read_has_line_and_column() {
    let document = PLAN.replace("\"timers\"", "\"clocks\"");
    let error = plan_of(&WatGuest { document, ..WatGuest::default() }).unwrap_err();
    assert!(matches!(&error, LoadError::Plan { line: 3, what, .. } if what.contains("unknown field `clocks`")), "{error}");
}

#[test]
fn a_document_of_a_later_contract_is_told_what_to_do() {
    let document = PLAN.replace("\"0.1.0\"", "\"0.3.0\"");
    assert_eq!(plan_of(&WatGuest { document, ..WatGuest::default() }), Err(LoadError::Newer { built_for: "0.3.0".to_owned() }));
}

#[test]
fn a_plan_that_changes_is_found() {
    let guest = WatGuest::default();
    let (component, plan, document) = guest.load(&LoadOptions::default());
    let error = component.factory(&[], document.replace("tail", "fail"), plan).instantiate().err().unwrap();
    let guest::Error::Contract { export: "plan", message } = error else { panic!("{error}") };
    assert!(message.starts_with("the plan is not deterministic") && message.contains("tail"), "{message}");
}

#[test]
fn a_trap_and_an_emission_while_planning_are_errors() {
    let trap = plan_of(&WatGuest { plan: "(unreachable)".to_owned(), ..WatGuest::default() }).unwrap_err();
    assert!(matches!(trap, LoadError::Guest(Error::Trap { export: "plan", .. })), "{trap}");
    let emit = "(call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32)) (i32.const 2048)".to_owned();
    let error = plan_of(&WatGuest { plan: emit, ..WatGuest::default() }).unwrap_err();
    assert!(matches!(error, LoadError::Guest(Error::Contract { export: "plan", .. })), "{error}");
}
