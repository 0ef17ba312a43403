//! Every file operation fails once, or from then on, or the disk is full: what is found is right,
//! and as soon as the disk is well again everything works.

use std::sync::Arc;

use index::cache::{FieldId, Refused, Settings};
use sys::fs::Fs;
use sys::fs::faulty::{Fault, FaultyFs};

use crate::support::{INDEX_ID, Mailbox, open_with, uid};

const GUID: FieldId = FieldId::GUID;

fn guid(number: u32) -> Vec<u8> {
    format!(
        "guid of {number}, which is long enough to be written by halves: {:060}",
        number
    )
    .into()
}

/// Stores, fields that are new to the file, a flush, a purge, more stores.
fn work(mailbox: &mut Mailbox) -> Vec<Result<(), Refused>> {
    let header = mailbox.cache.field("hdr.X-New").unwrap();
    let mut results = Vec::new();
    for number in 1..=3 {
        results.push(mailbox.store(number, &[(GUID, &guid(number))]));
    }
    mailbox.cache.asked(GUID, uid(1), &mailbox.facts);
    results.push(mailbox.cache.flush());
    results.push(mailbox.store(1, &[(header, &guid(1))]));
    results.push(mailbox.cache.count_expunged(1));
    results.push(mailbox.purge());
    results.push(mailbox.store(4, &[(GUID, &guid(4)), (header, b"")]));
    check(mailbox);
    results
}

/// Whatever is found is right.
fn check(mailbox: &Mailbox) {
    for number in 1..=5 {
        let found = mailbox.get(number, GUID);
        assert!(found.is_none() || found == Some(guid(number)), "{number}");
    }
}

fn with_fault(fault: Fault) -> (usize, Vec<Result<(), Refused>>) {
    let faulty = Arc::new(FaultyFs::new(Fault::None));
    let mut mailbox = Mailbox::on(Fs::new(faulty.clone()), Settings::default());
    faulty.set(fault);
    let results = work(&mut mailbox);
    let calls = faulty.calls().len();
    faulty.set(Fault::None);
    check(&mailbox);
    // Another process finds what the index says, or nothing.
    mailbox.cache = open_with(Fs::real(), &mailbox.path(), INDEX_ID, Settings::default());
    check(&mailbox);
    mailbox.store(5, &[(GUID, &guid(5))]).unwrap();
    check(&mailbox);
    assert!(mailbox.get(5, GUID).is_some());
    mailbox.purge().unwrap();
    assert!(mailbox.get(5, GUID).is_some());
    check(&mailbox);
    let left = std::fs::read_dir(mailbox.directory.path()).unwrap().count();
    assert_eq!(left, 1, "nothing but the cache is left");
    (calls, results)
}

#[test]
fn every_call_fails() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    const EDQUOT: i32 = 122;
    const EINTR: i32 = 4;
    let (calls, results) = with_fault(Fault::None);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(calls > 50);
    for nth in 1..=calls {
        for errno in [ENOSPC, EIO, EDQUOT] {
            with_fault(Fault::Once { nth, errno });
            with_fault(Fault::From { nth, errno });
        }
        with_fault(Fault::Once { nth, errno: EINTR });
        with_fault(Fault::Full { nth });
    }
}
