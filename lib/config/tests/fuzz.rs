//! Fuzz targets: any text is a configuration, a template or problems with places; any bytes are a snapshot or none.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::path::Path;

use config::expand::{Template, of_user};
use config::{Facts, NoNames, Snapshot, UserId, parse_text};

#[test]
fn any_configuration() {
    bolero::check!().for_each(|bytes: &[u8]| {
        // Files that text names are read; here only the text is.
        let text: String = String::from_utf8_lossy(bytes)
            .chars()
            .filter(|c| !matches!(c, '!' | '/'))
            .collect();
        let config = parse_text(Path::new("/fuzz.conf"), &text);
        assert!(format!("{config:?}").len() < 1 << 24);
    });
}

#[test]
fn any_template() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lookup = |name: &str| of_user("../..ö@..", name);
        if let Ok(template) = Template::parse(&text) {
            let _ = template.expand(&lookup);
            let path = template.expand_path(&lookup).ok().flatten();
            let climbs = |path: &str| path.contains("../..") && !text.contains("..");
            assert!(path.is_none_or(|path| !climbs(&path)));
        }
    });
}

/// A service's own, with some bytes of it changed.
#[test]
fn any_snapshot() {
    let text = "mail_uid = 8\nprotocol imap {\n mail_max_keyword_length = 9\n}\n\
                local 192.0.2.0/24 {\n namespace x {\n inbox = yes\n mailbox T {\n auto = create\n}\n}\n}\n";
    let config = parse_text(Path::new("/fuzz.conf"), text);
    let snapshot = config.snapshot("imap", &NoNames).unwrap();
    let sound = snapshot.to_bytes().unwrap();
    let header = sound.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bolero::check!().for_each(|bytes: &[u8]| {
        let (head, rest) = sound.split_at(header);
        let replaced = [head, bytes].concat();
        let mut changed = rest.to_vec();
        for pair in bytes.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % changed.len();
            changed[at] ^= pair[2];
        }
        for bytes in [replaced, [head, &changed].concat()] {
            let Ok(snapshot) = Snapshot::from_bytes(&bytes) else {
                continue;
            };
            assert!(Snapshot::from_bytes(&snapshot.to_bytes().unwrap()).is_ok());
            let mut facts = Facts::of_protocol("imap");
            facts.local_ip = Some([192, 0, 2, 1].into());
            let _ = snapshot.settings::<Asked>(&facts);
        }
    });
}

/// What a service asks its snapshot for.
#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "it is asked for, and nobody looks")]
struct Asked {
    mail_uid: Option<UserId>,
    mail_max_keyword_length: u32,
    namespace: Vec<Namespace>,
}

#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Namespace {
    name: String,
    inbox: bool,
}
