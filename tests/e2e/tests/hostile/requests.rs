//! Threats that are requests or uploads rather than guests: each answers how it was stopped.

use std::time::Instant;

use tidemill_e2e::{Folder, Server, exit, guest};

/// A mebibyte.
const MIB: usize = 1 << 20;
/// Bytes of an upload at most, as docs/isolation.md says.
const UPLOAD_BYTES_MAX: usize = 64 * MIB;

/// A threat: its number, its name, and what it does.
pub(crate) type Threat = (u8, &'static str, fn(&Folder, &Server<'_>) -> String);

/// All of them.
pub(crate) const THREATS: [Threat; 13] = [
    (8, "half-a-million-types", many_types),
    (8, "nine-hundred-instances", many_instances),
    (9, "function-of-a-mebibyte", compile_bomb),
    (15, "memory-left-behind", leak),
    (17, "random-numbers-of-wasi", |folder, server| import(folder, server, "wasi:random/random@0.2.0")),
    (18, "clock-of-wasi", |folder, server| import(folder, server, "wasi:clocks/monotonic-clock@0.2.0")),
    (19, "text", |folder, server| upload(folder, server, b"(component)", "component-text")),
    (21, "upload-cut-off", cut_off),
    (21, "upload-of-another-digest", other_digest),
    (22, "upload-of-200-mib", announced),
    (22, "upload-without-end", endless),
    (22, "packed-upload", packed),
    (23, "names-as-paths", names),
];

/// Uploads bytes that are refused; answers the whole word that begins so.
fn upload(folder: &Folder, server: &Server<'_>, bytes: &[u8], word: &str) -> String {
    let file = folder.write("threat.wasm", bytes);
    let added = server.command("components").arg("add").arg(file).run();
    added.expect(exit::REFUSED, &[word]);
    let rest = &added.stderr[added.stderr.find(word).unwrap()..];
    format!("upload: {}", rest.split([' ', ',', '\n']).next().unwrap_or_default().trim_end_matches(':'))
}

/// A component of sections as they are: text with as many items takes a parser minutes.
fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (id, section) in sections {
        bytes.push(*id);
        bytes.extend(leb128(section.len()));
        bytes.extend(section);
    }
    bytes
}

/// A number as WebAssembly writes it.
fn leb128(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let rest = n >> 7;
        bytes.push((n & 0x7f) as u8 | if rest > 0 { 0x80 } else { 0 });
        if rest == 0 {
            return bytes;
        }
        n = rest;
    }
}

/// A section of so many items.
fn items(count: usize, item: &[u8]) -> Vec<u8> {
    [leb128(count), item.repeat(count)].concat()
}

fn many_types(folder: &Folder, server: &Server<'_>) -> String {
    let tuple = b"\x6f\x02\x79\x79";
    upload(folder, server, &component(&[(7, items(500_000, tuple))]), "component-")
}

fn many_instances(folder: &Folder, server: &Server<'_>) -> String {
    let module = b"\0asm\x01\0\0\0".to_vec();
    upload(folder, server, &component(&[(1, module), (2, items(900, b"\0\0\0"))]), "component-")
}

/// A function for whose registers a compiler has much to do; it may be compiled or not, in a process of its own with limits.
fn compile_bomb(folder: &Folder, server: &Server<'_>) -> String {
    let step =
        "(local.set 0 (i64.add (i64.mul (local.get 0) (local.get 1)) (local.get 2))) (local.set 1 (i64.xor (local.get 0) (local.get 1)))";
    let fields = format!("(func (export \"f\") (param i64 i64 i64) (result i64) {} (local.get 0))", step.repeat(MIB / 20));
    let case = super::wat::Case { fields, ..super::wat::Case::default() };
    let begun = Instant::now();
    let added = server.command("components").arg("add").arg(folder.write("threat.wasm", case.build())).run();
    assert!([exit::OK, exit::REFUSED].contains(&added.code), "{added:?}");
    format!("compiled beside in {:.1} s", begun.elapsed().as_secs_f64())
}

/// Memory that a language leaves behind with every record: the instance is exchanged, and the job does not notice.
fn leak(folder: &Folder, server: &Server<'_>) -> String {
    folder.write("leak.json", (0..4000).map(|n| format!("{{\"key\":{},\"at\":{n}}}\n", n % 7)).collect::<String>());
    let submit = server.command("submit").arg(guest("test", "leak")).args(["--name", "leak", "--memory", "64MiB", "--arg", "leak=100000"]);
    submit.bind("numbers", "file:leak.json?rate=2000").run().expect(exit::OK, &[]);
    let job = server.until_state("leak", "finished");
    assert_eq!(job["restarts"].as_u64(), Some(0), "{job:#}");
    let peak = job["status"]["peak_rss_bytes"].as_u64().unwrap() / MIB as u64;
    assert!(peak < 2 * 64 + 256, "{peak} MiB");
    server.command("forget").arg("leak").run().expect(exit::OK, &[]);
    format!("runs: 381 MiB left behind within {peak} MiB")
}

fn import(folder: &Folder, server: &Server<'_>, name: &str) -> String {
    let component = format!("(component (import \"{name}\" (instance (export \"now\" (func (result u64))))))");
    upload(folder, server, &wat::parse_str(component).unwrap(), name)
}

fn refused(server: &Server<'_>, head: &[&str], body: &[u8], status: u16, code: &str) -> String {
    let mut exchange = server.request("POST /v1/components", &[&["content-type: application/wasm"], head].concat());
    exchange.send(body);
    let answer = exchange.answer();
    assert!(answer.status == status && answer.body.contains(code), "{answer:?}");
    format!("{status} {code}")
}

fn cut_off(_: &Folder, server: &Server<'_>) -> String {
    for _ in 0..20 {
        let mut exchange = server.request("POST /v1/components", &["content-type: application/wasm", "content-length: 1000"]);
        exchange.send(b"\0asm");
    }
    "connection closed".to_owned()
}

fn other_digest(_: &Folder, server: &Server<'_>) -> String {
    let digest = format!("x-content-sha256: {}", "0".repeat(64));
    refused(server, &["content-length: 4", &digest], b"\0asm", 422, "digest-mismatch")
}

fn announced(_: &Folder, server: &Server<'_>) -> String {
    let begun = Instant::now();
    let how = refused(server, &[&format!("content-length: {}", 200 * MIB)], b"", 413, "too-large");
    assert!(begun.elapsed().as_secs() < 5);
    how
}

fn endless(_: &Folder, server: &Server<'_>) -> String {
    let mut exchange = server.request("POST /v1/components", &["content-type: application/wasm", "transfer-encoding: chunked"]);
    let mut chunk = format!("{MIB:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + MIB, 0);
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0;
    while exchange.send(&chunk) {
        sent += 1;
        assert!(sent < 2 * UPLOAD_BYTES_MAX / MIB, "it takes more than its limit");
    }
    "413 or connection closed at 64 MiB".to_owned()
}

fn packed(_: &Folder, server: &Server<'_>) -> String {
    refused(server, &["content-encoding: gzip", "content-length: 2"], b"\x1f\x8b", 415, "media-type")
}

fn names(_: &Folder, server: &Server<'_>) -> String {
    let names =
        ["..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..", "%2fetc%2fpasswd", "a%00b", "%c0%ae", "%e2%80%ae", "~", "CON", "j%2f.."];
    for name in names {
        for path in [format!("/v1/jobs/{name}"), format!("/v1/jobs/{name}/logs"), format!("/v1/components/{name}"), format!("/v1/{name}")] {
            let answer = server.request(&format!("GET {path}"), &[]).answer();
            assert!([400, 404].contains(&answer.status) && !answer.body.contains("root:"), "{path}: {answer:?}");
        }
    }
    "400 or 404".to_owned()
}
