//! Requests against every form that they may have, changes from version to version, and records that other releases have written.

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::examined::Component;
use crate::job::record::Record;
use crate::job::record::tests::version;

/// A store of components whose digests are one digit each.
fn store(digits: &str) -> (TempDir, Components) {
    let folder = tempfile::tempdir().unwrap();
    let store = Components::open(folder.path().to_owned()).unwrap();
    for digit in digits.chars() {
        let file = folder.path().join("new");
        std::fs::write(&file, "").unwrap();
        let component = Component {
            sha256: digest(digit).to_string(),
            bytes: 0,
            compiled_bytes: 0,
            contract: "0.2.0".to_owned(),
            imports: vec![],
            exports: vec![],
            capabilities: vec![],
        };
        store.add(&digest(digit), &file, component).unwrap();
    }
    (folder, store)
}

fn digest(digit: char) -> Digest {
    digit.to_string().repeat(64).parse().unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A job of `first` and `second`, which read `aaaaaa` and `bbbbbb`.
fn several(store: &Components) -> Version {
    let submit = Submit {
        components: pairs(&[("first", "aaaaaa"), ("second", "bbbbbb")]),
        wires: pairs(&[("second.in", "first.out")]),
        ..Submit::default()
    };
    let args = pairs(&[("first.n", "1"), ("second.m", "2")]);
    let bindings = pairs(&[("first.lines", "file:/in"), ("second.totals", "file:/out")]);
    Parts::of_submit(store, &submit).unwrap().into_version(Version { args, bindings, ..version(1, 1) })
}

fn code<T>(result: Result<T, Error>) -> (&'static str, String) {
    let error = result.err().expect("it is refused");
    assert!(error.hint.is_some() || !error.causes.is_empty(), "{error:?}");
    (error.code.as_str(), error.message)
}

#[test]
fn a_request_names_one_component_or_several_by_names_that_a_program_can_be_given() {
    let (_folder, store) = store("ab");
    let of = |component: Option<&str>, components: &[(&str, &str)], wires: &[(&str, &str)]| {
        let component = component.map(str::to_owned);
        Parts::of_submit(&store, &Submit { component, components: pairs(components), wires: pairs(wires), ..Submit::default() })
    };
    assert_eq!(of(Some("aaaaaa"), &[], &[]).unwrap(), Parts::one(digest('a')));
    let two = of(None, &[("x", "aaaaaa"), ("y", "bbbbbb")], &[]).unwrap();
    assert_eq!(two.components, BTreeMap::from([("x".to_owned(), digest('a')), ("y".to_owned(), digest('b'))]));
    for (component, components, wires, expected) in [
        (None, &[][..], &[][..], "bad-request"),
        (Some("aaaaaa"), &[("x", "aaaaaa")], &[], "bad-request"),
        (Some("aaaaaa"), &[], &[("x.in", "y.out")], "bad-request"),
        (None, &[("a.b", "aaaaaa")], &[], "bad-request"),
        (None, &[("a=b", "aaaaaa")], &[], "bad-request"),
        (None, &[("", "aaaaaa")], &[], "bad-request"),
        (None, &[("x", "aaaaaa"), ("y", "cccccc")], &[], "component-not-found"),
    ] {
        assert_eq!(code(of(component, components, wires)).0, expected, "{component:?} {components:?} {wires:?}");
    }
    assert!(code(of(None, &[("y", "cccccc")], &[])).1.contains("component \"y\""));
    let many = |count: usize| {
        let components = (0..count).map(|n| (format!("c{n}"), "aaaaaa".to_owned())).collect();
        Parts::of_submit(&store, &Submit { components, ..Submit::default() })
    };
    assert!(many(PARTS_MAX).is_ok());
    let error = many(PARTS_MAX + 1).expect_err("one more is refused");
    assert_eq!(error.code.as_str(), "limit-refused");
    let named = |bytes: usize| of(None, &[(&"n".repeat(bytes), "aaaaaa")], &[]);
    assert!(named(PART_NAME_BYTES_MAX).is_ok() && named(PART_NAME_BYTES_MAX + 1).is_err());
}

#[test]
fn several_are_told_from_others_as_in_their_checkpoints() {
    let names = BTreeMap::from([("b".to_owned(), digest('b')), ("a".to_owned(), digest('a'))]);
    // sha256sum of the two lines.
    assert_eq!(whole(&names).unwrap().as_str(), "e936c9d21e6e60a1b90d1489ca2f1094b26da369e03b8645118fb1d53e7df590");
}

#[test]
fn one_of_several_is_swapped_and_the_others_stay() {
    let (_folder, store) = store("abc");
    let before = several(&store);
    let swap = |components: &[(&str, &str)]| Swap { components: pairs(components), ..Swap::default() };
    let parts = Parts::of_swap(&store, &before, &swap(&[("second", "cccccc")])).unwrap();
    assert_eq!(parts.why(&before), format!("swapped second {} for {}", digest('b').short(), digest('c').short()));
    let after = parts.into_version(before.clone());
    assert_eq!((&after.components["first"], &after.components["second"]), (&digest('a'), &digest('c')));
    assert_eq!((&after.wires, &after.args, &after.bindings), (&before.wires, &before.args, &before.bindings));
    assert_ne!(after.component, before.component);
    let same = Parts::of_swap(&store, &before, &Swap::default()).unwrap();
    assert_eq!(same.why(&before), "other arguments or bindings");
    assert_eq!(code(Parts::of_swap(&store, &before, &swap(&[("third", "cccccc")]))).0, "component-not-found");
    let nameless = Swap { component: Some("cccccc".to_owned()), ..Swap::default() };
    let (code_of, message) = code(Parts::of_swap(&store, &before, &nameless));
    assert!(code_of == "swap-refused" && message.contains("(first, second)"), "{message}");
}

#[test]
fn the_whole_is_swapped_and_what_nothing_takes_any_more_goes() {
    let (_folder, store) = store("abc");
    let before = several(&store);
    let swap = Swap {
        components: pairs(&[("first", "aaaaaa"), ("third", "cccccc")]),
        wires: Some(pairs(&[("third.in", "first.lines")])),
        ..Swap::default()
    };
    let parts = Parts::of_swap(&store, &before, &swap).unwrap();
    assert_eq!(parts.why(&before), format!("added third {}, removed second, other wires", digest('c').short()));
    let after = parts.into_version(before.clone());
    assert_eq!((after.args, after.bindings), (pairs(&[("first.n", "1")]), pairs(&[])));
    let empty = Swap { components: BTreeMap::new(), ..swap };
    assert_eq!(code(Parts::of_swap(&store, &before, &empty)).0, "bad-request");
}

#[test]
fn several_do_not_take_the_place_of_one() {
    let (_folder, store) = store("ab");
    let before = version(1, 1);
    for swap in [
        Swap { components: pairs(&[("first", "aaaaaa")]), ..Swap::default() },
        Swap { components: pairs(&[("first", "aaaaaa")]), wires: Some(pairs(&[])), ..Swap::default() },
    ] {
        assert_eq!(code(Parts::of_swap(&store, &before, &swap)).0, "swap-refused");
    }
    let one = Swap { component: Some("bbbbbb".to_owned()), ..Swap::default() };
    assert_eq!(Parts::of_swap(&store, &before, &one).unwrap(), Parts::one(digest('b')));
}

#[test]
fn an_argument_of_no_component_is_refused() {
    let (_folder, store) = store("ab");
    let version = several(&store);
    assert!(check_args(&version).is_ok());
    let with = |name: &str| check_args(&Version { args: pairs(&[(name, "1")]), ..version.clone() });
    assert_eq!((code(with("n")).0, code(with("third.n")).0), ("plan-refused", "plan-refused"));
    assert!(check_args(&Version { args: pairs(&[("n", "1")]), ..crate::job::record::tests::version(1, 1) }).is_ok());
}

#[test]
fn a_program_is_told_every_component_and_wire() {
    let (_folder, store) = store("ab");
    let args = several(&store).program(Path::new("/c"));
    let file = |digit: char| format!("/c/{}.wasm", digest(digit));
    let parts = [format!("--part=first={}", file('a')), format!("--part=second={}", file('b')), "--wire=second.in=first.out".to_owned()];
    assert_eq!(args, [vec!["job".to_owned()], parts.to_vec()].concat().into_iter().map(OsString::from).collect::<Vec<_>>());
    assert_eq!(version(1, 1).program(Path::new("/c")), [OsString::from(file('a'))]);
    assert_eq!(several(&store).digests(), [&digest('a'), &digest('b')]);
    assert_eq!(several(&store).need().components, 2);
}

#[test]
fn records_of_jobs_of_one_component_are_read_and_written_as_ever() {
    let text = include_str!("record-of-one.json");
    let record: Record = serde_json::from_str(text).unwrap();
    assert_eq!((record.version.digests(), record.history.len()), (vec![&digest('b')], 1));
    assert_eq!(serde_json::to_value(&record).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn a_record_of_several_components_is_read_as_it_was_written() {
    let text = include_str!("record-of-several.json");
    let record: Record = serde_json::from_str(text).unwrap();
    assert_eq!(record.version.digests(), [&digest('a'), &digest('b')]);
    assert_eq!(serde_json::to_value(&record).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}
