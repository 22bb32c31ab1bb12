//! The decoder against serde_json: a table of classic edge cases, and generated lines both legal and damaged.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use tidemill_core::block::Builder;
use tidemill_core::plan::{Format, Operator};
use tidemill_core::schema::Type;

use super::{Decoded, Json};
use crate::decode::Layout;
use crate::decode::chunk::Chunk;
use crate::testing;

/// A port, its row and the event time; or a record nobody asked for; or a bad record.
type Outcome = Result<(Option<(usize, String)>, Option<i64>), ()>;

fn outcome(layout: &Layout, decoded: Result<Decoded, String>, builders: &mut [Builder]) -> Outcome {
    let port = builders.iter_mut().enumerate().find_map(|(port, b)| b.finish().map(|block| (port, testing::lines(&block).concat())));
    match decoded {
        Ok(Decoded::Stored(time)) => Ok((port, layout.time.map(|_| time))),
        Ok(Decoded::Unselected(time)) => {
            assert_eq!(port, None);
            Ok((None, time))
        }
        Err(_) => {
            assert_eq!(port, None, "a bad record leaves nothing behind");
            Err(())
        }
    }
}

/// Decodes as the product does: the line goes through a chunk and all three steps of the decoder.
fn decode(json: &mut Json, layout: &Layout, line: &[u8]) -> Outcome {
    let mut chunk = Chunk::default();
    chunk.bytes.extend_from_slice(line);
    chunk.end = chunk.bytes.len();
    chunk.check();
    let mut builders = layout.builders();
    let (_, taken) = chunk.next_line().expect("a line that is not empty");
    let decoded = json.line(taken.bytes, taken.plain, layout, &mut builders);
    outcome(layout, decoded, &mut builders)
}

fn strictly(layout: &Layout, line: &[u8]) -> Outcome {
    let mut builders = layout.builders();
    let decoded = Json::new(layout).strictly(line, layout, &mut builders);
    outcome(layout, decoded, &mut builders)
}

/// What the rules say, written on serde_json's own values. `None` where those refuse what an unread field may hold.
fn oracle(layout: &Layout, line: &[u8]) -> Option<Outcome> {
    if serde_json::from_slice::<IgnoredAny>(line).is_err() || std::str::from_utf8(line).is_err() {
        return Some(Err(()));
    }
    let value = serde_json::from_slice::<Value>(line).ok()?;
    let Value::Object(object) = value else { return Some(Err(())) };
    let port = match layout.tag {
        None => Some(0),
        Some(tag) => match object.get(&layout.names[tag]) {
            Some(Value::String(tag)) => layout.port_of(tag.as_bytes()),
            _ => return Some(Err(())),
        },
    };
    let time = layout.time.map(|time| object.get(&layout.names[time]).and_then(Value::as_i64));
    let Some(port) = port else { return Some(Ok((None, time.flatten()))) };
    if time == Some(None) {
        return Some(Err(()));
    }
    let mut cells = Vec::new();
    for wanted in &layout.ports[port].columns {
        let value = object.get(&layout.names[wanted.name]).filter(|v| !v.is_null());
        let cell = match (wanted.ty, value) {
            (_, None) if wanted.optional => Some("-".to_owned()),
            (_, None) => None,
            (Type::Bool, Some(v)) => v.as_bool().map(|v| v.to_string()),
            (Type::I32, Some(v)) => v.as_i64().and_then(|v| i32::try_from(v).ok()).map(|v| v.to_string()),
            (Type::I64, Some(v)) => v.as_i64().map(|v| v.to_string()),
            (Type::F64, Some(v)) => v.as_f64().map(|v| format!("{v:?}")),
            (Type::String, Some(v)) => v.as_str().map(str::to_owned),
            (Type::Bytes, Some(v)) => v.as_str().map(|v| format!("{:?}", v.as_bytes())),
        };
        match cell {
            Some(cell) => cells.push(cell),
            None => return Some(Err(())),
        }
    }
    Some(Ok((Some((port, cells.join("|"))), time.flatten())))
}

fn plain_layout() -> Layout {
    let operator = testing::source("a:i64,b:f64?,s:string?,t:bool?,i:i32?,y:bytes?", "json", "", "fail");
    Layout::of(&operator, Format::Json).unwrap()
}

/// Two variants are read, `time` is in the schema of one of them, and `a` has two types.
fn tagged_layout() -> Layout {
    let plan = r#"{"name":"in","kind":{"source":{"binding":"in","format":"json","tag":"k","time":"at"}},"outputs":[
        {"name":"x","variant":"x","schema":"a:i64,s:string?,at:i64"},{"name":"y","variant":"y","schema":"b:f64,a:string?"}]}"#;
    Layout::of(&serde_json::from_str::<Operator>(plan).unwrap(), Format::Json).unwrap()
}

fn check(json: &mut Json, layout: &Layout, line: &[u8]) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(line);
    let strict = strictly(layout, line);
    if let Some(expected) = oracle(layout, line) {
        prop_assert_eq!(&strict, &expected, "strict against oracle: {}", &text);
    }
    // Twice, so that the second may use the template the first left behind.
    for _ in 0..2 {
        prop_assert_eq!(&decode(json, layout, line), &strict, "fast against strict: {}", &text);
    }
    Ok(())
}

#[test]
fn classic_cases() {
    let cases: &[(&str, bool)] = &[
        // Structure.
        (r#"{"a":1}"#, true),
        (r#" { "a" : 1 } "#, true),
        (r#"{"a":1}x"#, false),
        (r#"{"a":1}}"#, false),
        (r#"{"a":1,}"#, false),
        (r#"{,"a":1}"#, false),
        (r#"{"a" 1}"#, false),
        (r#"{"a"::1}"#, false),
        (r#"{"a":1 "b":2}"#, false),
        (r#"{a:1}"#, false),
        (r#"{'a':1}"#, false),
        (r#"{"a":1"#, false),
        (r#"{"a":"#, false),
        (r#"{"#, false),
        (r#"[1]"#, false),
        (r#"1"#, false),
        (r#""a""#, false),
        (r#"{} {}"#, false),
        (r#"{"a":1}/* c */"#, false),
        ("\u{feff}{\"a\":1}", false),
        ("{\"a\":1}\t", true),
        ("{\"a\":\u{a0}1}", false),
        // Values that are not there or of another type.
        (r#"{}"#, false),
        (r#"{"a":null}"#, false),
        (r#"{"a":1,"b":null,"s":null,"t":null,"i":null,"y":null}"#, true),
        (r#"{"a":"1"}"#, false),
        (r#"{"a":true}"#, false),
        (r#"{"a":1,"t":"true"}"#, false),
        (r#"{"a":1,"t":1}"#, false),
        (r#"{"a":1,"s":1}"#, false),
        (r#"{"a":1,"s":[]}"#, false),
        (r#"{"a":{}}"#, false),
        (r#"{"a":[1]}"#, false),
        // Numbers.
        (r#"{"a":0}"#, true),
        (r#"{"a":-1}"#, true),
        (r#"{"a":-0}"#, false),
        (r#"{"a":01}"#, false),
        (r#"{"a":-01}"#, false),
        (r#"{"a":+1}"#, false),
        (r#"{"a":1.0}"#, false),
        (r#"{"a":1e3}"#, false),
        (r#"{"a":-}"#, false),
        (r#"{"a":1-}"#, false),
        (r#"{"a":0x10}"#, false),
        (r#"{"a":1_000}"#, false),
        (r#"{"a":NaN}"#, false),
        (r#"{"a":Infinity}"#, false),
        (r#"{"a":9223372036854775807}"#, true),
        (r#"{"a":9223372036854775808}"#, false),
        (r#"{"a":-9223372036854775808}"#, true),
        (r#"{"a":-9223372036854775809}"#, false),
        (r#"{"a":99999999999999999999999999}"#, false),
        (r#"{"a":1,"i":2147483647}"#, true),
        (r#"{"a":1,"i":2147483648}"#, false),
        (r#"{"a":1,"i":-2147483648}"#, true),
        (r#"{"a":1,"i":-2147483649}"#, false),
        (r#"{"a":1,"b":1}"#, true),
        (r#"{"a":1,"b":-0}"#, true),
        (r#"{"a":1,"b":18446744073709551615}"#, true),
        (r#"{"a":1,"b":123456789012345678901234567890}"#, true),
        (r#"{"a":1,"b":0.1}"#, true),
        (r#"{"a":1,"b":2.2250738585072011e-308}"#, true),
        (r#"{"a":1,"b":1E+2}"#, true),
        (r#"{"a":1,"b":1e400}"#, false),
        (r#"{"a":1,"b":1.}"#, false),
        (r#"{"a":1,"b":.5}"#, false),
        (r#"{"a":1,"b":1.5e}"#, false),
        (r#"{"a":1,"b":1.5.5}"#, false),
        (r#"{"a":1,"b":9007199254740993.0}"#, true),
        (r#"{"a":1,"b":0.30000000000000004}"#, true),
        // Fields nobody reads: legal JSON is enough.
        (r#"{"a":1,"z":{"a":2,"deep":[[[{}]]]}}"#, true),
        (r#"{"a":1,"z":1e999}"#, true),
        (r#"{"a":1,"z":"\ud800"}"#, true),
        (r#"{"a":1,"z":"\u12"}"#, false),
        (r#"{"a":1,"z":"\u12g4"}"#, false),
        (r#"{"a":1,"z":"\x"}"#, false),
        (r#"{"a":1,"z":"\"\\\/\b\f\n\r\t\u00e9"}"#, true),
        (r#"{"a":1,"z":tru}"#, false),
        (r#"{"a":1,"z":truee}"#, false),
        (r#"{"a":1,"z":nul}"#, false),
        (r#"{"a":1,"z":[1,]}"#, false),
        (r#"{"a":1,"z":"open}"#, false),
        (r#"{"z":1}"#, false),
        // Strings.
        (r#"{"a":1,"s":""}"#, true),
        (r#"{"a":1,"s":"\u0041\n\"\\"}"#, true),
        (r#"{"a":1,"s":"\ud83d\ude00"}"#, true),
        (r#"{"a":1,"s":"\ud83d"}"#, false),
        (r#"{"a":1,"s":"\ude00\ud83d"}"#, false),
        (r#"{"a":1,"s":"\u00"}"#, false),
        (r#"{"a":1,"s":"\a"}"#, false),
        ("{\"a\":1,\"s\":\"tab\there\"}", false),
        ("{\"a\":1,\"s\":\"nul\0here\"}", false),
        ("{\"a\":1,\"z\":\"nul\u{1}here\"}", false),
        ("{\"a\":1,\"s\":\"del\u{7f}here\"}", true),
        ("{\"a\":1,\"s\":\"🌊 é\"}", true),
        (r#"{"a":1,"y":"bytes"}"#, true),
        // Keys.
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"a":1,"a":"x"}"#, false),
        (r#"{"a":"x","a":1}"#, true),
        (r#"{"a":1,"a":null}"#, false),
        (r#"{"\u0061":1}"#, true),
        (r#"{"a":1,"\u0061":2}"#, true),
        (r#"{"":0,"a":1}"#, true),
        (r#"{"A":1}"#, false),
    ];
    let layout = plain_layout();
    let mut json = Json::new(&layout);
    for (line, good) in cases {
        check(&mut json, &layout, line.as_bytes()).unwrap();
        assert_eq!(strictly(&layout, line.as_bytes()).is_ok(), *good, "{line}");
    }
    for bytes in [&b"{\"a\":1,\"s\":\"\xff\"}"[..], b"{\"a\":1,\"z\":\"\xc0\xaf\"}", b"{\"a\":1}\xff", b"\xff"] {
        check(&mut json, &layout, bytes).unwrap();
        assert_eq!(strictly(&layout, bytes), Err(()));
    }
}

#[test]
fn the_last_of_equal_keys_wins() {
    let layout = plain_layout();
    let mut json = Json::new(&layout);
    for line in [r#"{"a":1,"a":2}"#, r#"{"a":"no","b":1,"a":2,"b":null}"#, r#"{"a":1,"\u0061":2}"#] {
        let (port, _) = decode(&mut json, &layout, line.as_bytes()).unwrap();
        assert_eq!(port, Some((0, "2|-|-|-|-|-".to_owned())), "{line}");
    }
}

#[test]
fn a_row_that_turns_out_bad_halfway_is_taken_back() {
    let layout = plain_layout();
    let mut json = Json::new(&layout);
    let mut builders = layout.builders();
    let mut line = |line: &str| json.line(line.as_bytes(), true, &layout, &mut builders).is_ok();
    assert!(line(r#"{"a":1,"b":1.5,"s":"x"}"#));
    assert!(!line(r#"{"a":2,"b":2.5,"s":"y","t":"no bool"}"#));
    assert!(line(r#"{"a":3,"b":3.5,"s":"z"}"#));
    let block = builders[0].finish().unwrap();
    assert_eq!(testing::lines(&block), ["1|1.5|x|-|-|-", "3|3.5|z|-|-|-"]);
}

#[test]
fn variants_go_to_their_ports() {
    let layout = tagged_layout();
    let mut json = Json::new(&layout);
    let lines: &[(&str, Outcome)] = &[
        (r#"{"k":"x","a":1,"at":5}"#, Ok((Some((0, "1|-|5".to_owned())), Some(5)))),
        (r#"{"k":"y","a":"t","b":1,"at":6}"#, Ok((Some((1, "1.0|t".to_owned())), Some(6)))),
        (r#"{"at":7,"b":2.5,"k":"y"}"#, Ok((Some((1, "2.5|-".to_owned())), Some(7)))),
        (r#"{"k":"z","at":8,"a":{}}"#, Ok((None, Some(8)))),
        (r#"{"k":"z","at":"soon"}"#, Ok((None, None))),
        (r#"{"k":"z"}"#, Ok((None, None))),
        (r#"{"k":"x","a":1}"#, Err(())),
        (r#"{"k":"x","a":1,"at":1.5}"#, Err(())),
        (r#"{"k":1,"a":1,"at":5}"#, Err(())),
        (r#"{"a":1,"at":5}"#, Err(())),
        (r#"{"k":"x","k":"y","b":1,"at":9}"#, Ok((Some((1, "1.0|-".to_owned())), Some(9)))),
        (r#"{"k":"\u0078","a":3,"at":9}"#, Ok((Some((0, "3|-|9".to_owned())), Some(9)))),
        (r#"{"k":"z","at":1e999}"#, Ok((None, None))),
        (r#"{"k":"z","at":8"#, Err(())),
        (r#"{"k":"x","a":1,"at":5,"b":1e999}"#, Ok((Some((0, "1|-|5".to_owned())), Some(5)))),
    ];
    for _ in 0..3 {
        for (line, expected) in lines {
            check(&mut json, &layout, line.as_bytes()).unwrap();
            assert_eq!(&decode(&mut json, &layout, line.as_bytes()), expected, "{line}");
        }
    }
}

#[test]
fn a_line_of_a_known_shape_is_decoded_by_its_template() {
    let layout = tagged_layout();
    let mut json = Json::new(&layout);
    for line in [r#"{"k": "x", "skip": "a", "a": 1, "at": 5}"#, r#"{"k": "y", "b": 1, "at": 5}"#] {
        assert!(json.by_template(line.as_bytes()).is_none());
        decode(&mut json, &layout, line.as_bytes()).unwrap();
    }
    assert_eq!(json.templates.len(), 2);
    assert_eq!(json.by_template(br#"{"k": "x", "skip": 17, "a": 22, "at": 6}"#), Some(Some(0)));
    assert_eq!(json.by_template(br#"{"k": "y", "b": 2.5, "at": 6}"#), Some(Some(1)));
    assert!(json.by_template(br#"{"k": "y", "b": 2.5, "at": 6} "#).is_none());
    assert!(json.by_template(br#"{"k": "z", "b": 2.5, "at": 6}"#).is_none());
}

#[test]
fn a_line_with_a_key_twice_never_becomes_a_template() {
    let layout = plain_layout();
    let mut json = Json::new(&layout);
    decode(&mut json, &layout, br#"{"a":1,"a":2}"#).unwrap();
    assert!(json.templates.is_empty());
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-200i64..200).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no infinity", |f| f.is_finite()).prop_map(|f| serde_json::to_string(&f).unwrap()),
        (-1000i64..1000, 0u32..100_000).prop_map(|(a, b)| format!("{a}.{b}")),
        "-?[0-9]{1,25}",
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,19})?([eE][+-]?[0-9]{1,2})?",
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}".prop_map(|s| format!("\"{s}\"")),
        "\\PC{0,8}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        "([a-zé🌊]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|\\\\ud83d\\\\ude0[0-9a-f]){0,6}".prop_map(|s| format!("\"{s}\"")),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let flat = prop_oneof![4 => number(), 4 => string(), 1 => Just("true".to_owned()), 1 => Just("false".to_owned()), 1 => Just("null".to_owned())];
    flat.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|v| format!("[{}]", v.join(","))),
            proptest::collection::vec(inner, 0..3).prop_map(|v| {
                let members: Vec<String> = v.iter().enumerate().map(|(i, v)| format!("\"k{i}\": {v}")).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "s", "t", "i", "y", "k", "at"]).prop_map(|k| format!("\"{k}\"")),
        1 => Just("\"\\u0061\"".to_owned()),
        1 => string(),
    ];
    let fitting = prop::sample::select(vec![
        "\"a\":1",
        "\"at\":1436918400000",
        "\"k\":\"x\"",
        "\"k\":\"y\"",
        "\"k\":\"z\"",
        "\"b\":2.5",
        "\"s\":\"v\"",
    ]);
    let space = prop::sample::select(vec!["", "", "", " ", "\t", "  "]);
    prop_oneof![
        2 => fitting.prop_map(str::to_owned),
        1 => (key, space.clone(), space, value()).prop_map(|(k, a, b, v)| format!("{k}{a}:{b}{v}")),
    ]
}

fn object() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", "", " "]);
    (proptest::collection::vec(member(), 0..9), space.clone(), space)
        .prop_map(|(m, a, b)| format!("{a}{{{}}}{b}", m.join(&format!(",{a}"))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn generated_objects_agree(lines in proptest::collection::vec(object(), 1..6)) {
        for layout in [plain_layout(), tagged_layout()] {
            let mut json = Json::new(&layout);
            for line in &lines {
                check(&mut json, &layout, line.as_bytes())?;
            }
        }
    }

    #[test]
    fn damaged_objects_agree(good in object(), edits in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<u8>()), 1..4)) {
        let mut line = good.clone().into_bytes();
        for (at, kind, byte) in edits {
            // Line feeds never reach the decoder: they end a line.
            let byte = if byte == b'\n' { b'"' } else { byte };
            let at = at.index(line.len());
            match kind {
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                2 if line.len() > 1 => { line.remove(at); }
                _ => line[at] = *b"\"\\{}[],:0-.e tn".get(usize::from(byte) % 15).unwrap(),
            }
        }
        // A carriage return at the end belongs to the line end.
        prop_assume!(line.last() != Some(&b'\r'));
        for layout in [plain_layout(), tagged_layout()] {
            let mut json = Json::new(&layout);
            // The undamaged line first: its template must not let the damage through.
            check(&mut json, &layout, good.as_bytes())?;
            check(&mut json, &layout, &line)?;
        }
    }
}
