//! What is refused before it runs, and in which words.

use tidemill_guest::{CacheUse, Component, LoadError, LoadOptions};

use crate::wat_guest::{WIT, WatGuest};

fn refuse(bytes: &[u8]) -> LoadError {
    Component::load(bytes, &LoadOptions::default()).err().expect("it must be refused")
}

fn refuse_text(text: &str) -> LoadError {
    refuse(&wat::parse_str(text).unwrap())
}

#[test]
fn a_job_loads_and_is_described() {
    let bytes = WatGuest::default().build();
    let component = Component::load(&bytes, &LoadOptions::default()).unwrap();
    let description = component.describe();
    assert_eq!(description.exports, ["tidemill:job/operators@0.1.0"]);
    assert!(description.imports.contains(&"tidemill:job/host@0.1.0".to_owned()), "{:?}", description.imports);
    assert_eq!((description.bytes, description.sha256.len(), &description.cache), (bytes.len(), 64, &CacheUse::Off));
    assert!(description.compiled_bytes > 0 && !description.ready_after.is_zero());
}

#[test]
fn a_job_built_for_a_later_patch_of_the_contract_runs() {
    let guest = WatGuest { wit: WIT.replace("job@0.1.0", "job@0.1.4"), version: "0.1.4", ..WatGuest::default() };
    guest.start(tidemill_core::guest::Limits::default());
}

#[test]
fn cut_off_and_random_bytes_are_refused() {
    let bytes = WatGuest::default().build();
    for len in (8..bytes.len()).step_by(31) {
        match Component::load(&bytes[..len], &LoadOptions::default()) {
            Err(error) => assert!(matches!(error.code(), "component-invalid" | "component-wrong-world"), "{len}: {error}"),
            // Only sections of names and producers are gone.
            Ok(component) => assert!(component.plan(&[]).is_ok(), "{len}"),
        }
    }
    let mut noise = bytes.clone();
    (8..noise.len()).step_by(50).for_each(|at| noise[at] ^= 0x5a);
    assert_eq!(refuse(&noise).code(), "component-invalid");
}

#[test]
fn a_core_module_and_text_are_refused() {
    assert_eq!(refuse_text("(module)"), LoadError::CoreModule);
    assert_eq!(refuse(b"(component)"), LoadError::Text);
}

#[test]
fn wasi_is_refused_with_how_to_build_without() {
    let error = refuse_text(r#"(component (import "wasi:cli/environment@0.2.6" (instance)))"#);
    assert_eq!(error, LoadError::Wasi { import: "wasi:cli/environment@0.2.6".to_owned() });
    let text = error.to_string();
    assert!(
        ["wasm32-unknown-unknown", "componentize -s", "--stub-wasi", "tidemill build"].iter().all(|word| text.contains(word)),
        "{text}"
    );
}

#[test]
fn other_imports_are_all_named() {
    let error = refuse_text(
        r#"(component (import "acme:db/store@1.0.0" (instance)) (import "run" (func))
           (import "tidemill:job/host@0.1.0" (instance (export "exec" (func)))))"#,
    );
    let imports = ["acme:db/store@1.0.0", "run", "tidemill:job/host@0.1.0#exec"].map(str::to_owned).to_vec();
    assert_eq!(error, LoadError::Imports { imports });
}

#[test]
fn another_world_is_refused_with_what_is_missing() {
    let error = refuse_text("(component)");
    assert_eq!(error, LoadError::WrongWorld { missing: vec!["tidemill:job/operators@0.2.0".to_owned()] });
    let error = refuse_text(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f"))) (instance $o (export "merge" (func $f)))
           (export "tidemill:job/operators@0.1.0" (instance $o)))"#,
    );
    let LoadError::WrongWorld { missing } = error else { panic!("{error}") };
    assert_eq!((missing.len(), missing[0].as_str(), missing[8 - 1].as_str()), (8, "operators#plan", "operators#drop-state"));
    let error = refuse_text(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f"))) (instance $o (export "merge" (func $f)))
           (export "tidemill:job/operators@0.2.0" (instance $o)))"#,
    );
    let LoadError::WrongWorld { missing } = error else { panic!("{error}") };
    assert_eq!((missing.len(), missing.last().map(String::as_str)), (12, Some("operators#watermark")), "the later contract has more");
}

#[test]
fn interfaces_of_two_contracts_do_not_mix() {
    let error = refuse_text(
        r#"(component (import "tidemill:job/host@0.1.0" (instance (export "log" (func))))
           (core module $m (func (export "f"))) (core instance $i (instantiate $m))
           (func $f (canon lift (core func $i "f"))) (instance $o (export "merge" (func $f)))
           (export "tidemill:job/operators@0.2.0" (instance $o)))"#,
    );
    assert_eq!(error, LoadError::Imports { imports: vec!["tidemill:job/host@0.1.0".to_owned()] });
}

#[test]
fn another_generation_of_the_contract_is_told_what_to_do() {
    let newer = refuse_text(r#"(component (import "tidemill:job/host@0.3.0" (instance)))"#);
    assert_eq!(newer, LoadError::Newer { built_for: "0.3.0".to_owned() });
    assert!(newer.to_string().ends_with("this host speaks 0.1.0 and 0.2.0: upgrade tidemill"));
    let older = refuse_text(r#"(component (import "tidemill:job/host@0.0.3" (instance)))"#);
    assert!(older.to_string().ends_with("rebuild it with a current SDK"));
}

#[test]
fn a_function_of_another_type_is_named() {
    let wit = WIT.replace(
        "emit: func(operator: operator-id, port: u32, block: list<u8>);",
        "emit: func(operator: operator-id, port: u32, block: list<s8>);",
    );
    let error = refuse(
        &WatGuest { wit, ..WatGuest::process("(call $emit (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 1024)") }
            .build(),
    );
    assert!(matches!(&error, LoadError::Mismatch(text) if text.contains("tidemill:job/host@0.1.0")), "{error}");
    let wit = WIT
        .replace(
            "drop-state: func(operator: operator-id, slots: list<slot>);",
            "drop-state: func(operator: operator-id, slots: list<s32>);",
        )
        .replace("        message: string,\n    }", "        message: string,\n        fatal: bool,\n    }");
    let LoadError::Mismatch(text) = refuse(&WatGuest { wit, ..WatGuest::default() }.build()) else { panic!("a type differs") };
    assert!(text.contains("drop-state is (u32, list<s32>), not (u32, list<u32>)"), "{text}");
    assert!(text.contains("process is") && text.contains("fatal: bool") && !text.contains("merge"), "{text}");
}

#[test]
fn proposals_that_are_off_are_refused() {
    for field in [
        "(memory $wide i64 1)",
        "(type $t (struct))",
        "(func (result f32 f32) (unreachable)) (tag $e)",
        "(memory $shared 1 1 shared)",
        "(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))",
    ] {
        let module = wat::parse_str(format!("(module {field})")).unwrap();
        let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
        component.extend(leb128(module.len()));
        component.extend(module);
        assert_eq!(refuse(&component).code(), "component-invalid", "{field}");
    }
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
