//! What a large message costs. Alone in its process: what it measures is the process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Read;
use std::sync::Arc;

use common::Rig;
use format_maildir::save::Saving;
use mailbox::{Mailbox, NewMail, Save, Seq};

/// 100 MB go through; memory stays.
#[test]
fn a_large_message_needs_little_memory() {
    struct Lines(u64);
    impl Read for Lines {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let line =
                b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
            let count = buf.len().min(usize::try_from(self.0).unwrap());
            for (to, from) in buf[..count].iter_mut().zip(line.iter().cycle()) {
                *to = *from;
            }
            self.0 -= count as u64;
            Ok(count)
        }
    }
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }
    let rig = Rig::new();
    rig.save("warm up");
    rig.content();
    // Forget the peak so far.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let mut saving = Saving::begin(Arc::clone(&rig.maildir));
    saving
        .save(&NewMail::default(), &mut Lines(100 << 20))
        .unwrap();
    saving.commit().unwrap();
    let mut view = rig.view();
    let mut mail = view.mail(Seq::new(2).unwrap()).unwrap();
    assert!(mail.size().unwrap() >= 100 << 20);
    std::io::copy(&mut mail.body().unwrap(), &mut std::io::sink()).unwrap();
    let growth = peak().saturating_sub(before);
    assert!(growth < 4 * 1024, "{growth} KiB");
}
