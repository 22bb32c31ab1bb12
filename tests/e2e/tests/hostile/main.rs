//! What an attacker would upload: bytes that are nearly a component. The server names the cause, lives on, and nothing is left.
#![allow(clippy::unwrap_used)]

mod wat;

use tidemill_e2e::{Ended, Folder, Server, exit};
use wat::Case;

/// Components with a bit or two turned, or cut short.
const MUTANTS: u64 = 60;

fn submit(server: &Server<'_>, file: &std::path::Path) -> Ended {
    let submit = server.command("submit").arg(file).args(["--name", "hostile", "--checkpoint-interval", "20ms"]);
    submit.bind("in", "datagen:rows?rate=50").bind("out", "discard:").run()
}

/// Numbers that look like chance, the same in every run.
fn scrambled(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[test]
fn bytes_that_are_nearly_a_component_are_refused_or_run() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let process = server.id();
    let whole = Case::default().build();
    let files: [(&str, &[u8]); 7] = [
        ("component-not-wasm", b""),
        ("component-text", b"(component)"),
        ("component-core-module", b"\0asm\x01\0\0\0"),
        ("component-precompiled", b"\x7fELF\x02\x01\x01"),
        ("component-not-wasm", b"PK\x03\x04"),
        ("component-not-wasm", b"\x1f\x8b\x08\0"),
        ("component-invalid", &whole[..whole.len() - 1]),
    ];
    for (word, bytes) in files {
        submit(&server, &folder.write("file.wasm", bytes)).expect(exit::REFUSED, &[word]);
    }
    for seed in 0..MUTANTS {
        let mut bytes = whole.clone();
        let at = |salt: u64| usize::try_from(scrambled(seed * 3 + salt) % whole.len() as u64).unwrap();
        match seed % 3 {
            0 => bytes.truncate(at(0)),
            1 => bytes[at(0)] ^= 1 << (seed % 8),
            _ => bytes[at(0)..].rotate_left(1),
        }
        let added = server.command("components").arg("add").arg(folder.write("mutant.wasm", bytes)).run();
        assert!([exit::OK, exit::REFUSED].contains(&added.code), "seed {seed}: {added:?}");
    }
    assert_eq!(server.id(), process);
    assert!(folder.entries("data/incoming").is_empty());
    server.command("list").run().expect(exit::OK, &[]);
}
