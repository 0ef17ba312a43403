//! What clients do with TLS that no mail client does.

use std::time::{Duration, Instant};

use attacks::memory::Memory;
use attacks::{Honest, Site, Wire};

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// IMAP-42: floods of new keys, renegotiation, records of one byte.
#[test]
fn key_updates_and_tiny_records() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let memory = Memory::look(&site.machine);
    honest.attack_begins();

    let mut wire = Wire::connect(&site.machine, Site::address(), 993);
    assert!(wire.handshake("culver.test", soon(10)));
    for _ in 0..1000 {
        wire.update_keys();
        wire.send(b"x", soon(5));
    }
    // Ended or not: the next client finds the server well.
    wire.silence(Duration::from_millis(300));

    let mut wire = Wire::connect(&site.machine, Site::address(), 993);
    assert!(wire.handshake("culver.test", soon(10)));
    for byte in b"a LOGIN alice alicepw\r\nb NOOP\r\n".chunks(1) {
        wire.send(byte, soon(5));
    }
    assert!(wire.hears("^b OK", soon(20)));

    // s_client asks for renegotiation at a line that is R.
    let said = site.machine.run(
        "(sleep 1; echo R; sleep 2; echo Q) | timeout 8 openssl s_client -tls1_2 -connect 127.0.0.1:993 2>&1 || true",
    );
    assert!(said.contains("RENEGOTIATING"), "{said}");
    let after = said.split("RENEGOTIATING").nth(1).unwrap_or_default();
    // A second handshake would show the certificate again.
    assert!(!after.contains("depth=0"), "{said}");

    let (unit, growth) = memory.most();
    assert!(
        growth <= 2 * 1024 * 1024,
        "{unit} grew by {} KiB",
        growth / 1024
    );
    site.calm(&honest).unwrap();
}

/// IMAP-44.
#[test]
fn old_versions_are_refused() {
    let site = Site::boot();
    let connect = |version: &str| {
        let command = format!(
            "echo Q | timeout 20 openssl s_client {version} -cipher 'ALL:@SECLEVEL=0' -connect 127.0.0.1:993 2>&1 || true"
        );
        site.machine.run(&command)
    };
    for old in ["-tls1", "-tls1_1"] {
        let said = connect(old);
        assert!(
            said.contains("Cipher is (NONE)") || said.contains("alert protocol version"),
            "{old}: {said}"
        );
    }
    let said = connect("-tls1_2");
    assert!(said.contains("Protocol  : TLSv1.2"), "{said}");
}
