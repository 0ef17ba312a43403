//! What we write is found again, by us and by others, and goes when its time has come.

use std::fs;
use std::sync::Arc;

use index::cache::{
    CachedMail, Decision, Facts, FieldId, Header, MailBits, Picture, Policy, Refused, Settings,
    Table,
};
use sys::fs::faulty::{Fault, FaultyFs};
use sys::fs::{Fs, How, Lock};

use crate::support::{INDEX_ID, Mailbox, NOW, Told, facts, open, open_with, uid};

const DAY: u32 = 24 * 3600;
const SIZE: FieldId = FieldId::SIZE_VIRTUAL;
const GUID: FieldId = FieldId::GUID;

fn size(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

fn policy(mailbox: &Mailbox, id: FieldId) -> Policy {
    mailbox.cache.policy(id).unwrap().1
}

fn free(decision: Decision) -> Policy {
    Policy {
        decision,
        forced: false,
    }
}

#[test]
fn what_is_stored_is_found() {
    let mut mailbox = Mailbox::new(Settings::default());
    let subject = mailbox.cache.field("hdr.Subject").unwrap();
    mailbox
        .store(1, &[(SIZE, &size(7)), (GUID, b"abc")])
        .unwrap();
    mailbox.store(2, &[(SIZE, &size(8))]).unwrap();
    mailbox.store(1, &[(subject, b"")]).unwrap();
    assert_eq!(mailbox.get(1, SIZE).unwrap(), size(7));
    assert_eq!(mailbox.get(1, GUID).unwrap(), b"abc");
    assert_eq!(mailbox.get(1, subject).unwrap(), b"");
    assert_eq!(mailbox.get(2, SIZE).unwrap(), size(8));
    assert_eq!(mailbox.get(2, GUID), None);
    assert_eq!(mailbox.get(3, GUID), None);

    let bytes = fs::read(mailbox.path()).unwrap();
    let header = Header::decode(&bytes, INDEX_ID).unwrap();
    assert_eq!((header.records, header.continued_records), (2, 1));
    assert_eq!(header.file_seq, NOW);
}

#[test]
fn a_new_file_has_dovecots_fields_in_dovecots_order() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.purge().unwrap();
    let bytes = fs::read(mailbox.path()).unwrap();
    let header = Header::decode(&bytes, INDEX_ID).unwrap();
    let table = Table::decode(&bytes[header.fields_offset as usize..]).unwrap();
    let names: Vec<_> = table
        .entries
        .iter()
        .map(|e| String::from_utf8_lossy(&e.name))
        .collect();
    let dovecots = "flags date.sent date.received date.save size.virtual size.physical imap.body \
        imap.bodystructure imap.envelope pop3.uidl pop3.order guid mime.parts binary.parts body.snippet";
    assert_eq!(names.join(" "), dovecots);
    assert_eq!(table.entries[0].policy, free(Decision::Temp));
    let never = Policy {
        decision: Decision::No,
        forced: true,
    };
    assert_eq!(table.entries[8].policy, never);
}

#[test]
fn processes_see_each_others_fields() {
    let mut ours = Mailbox::new(Settings::default());
    ours.store(1, &[(SIZE, &size(7))]).unwrap();
    let mut reader = ours.cache.reader(ours.reset_id).unwrap();
    let theirs = open(&ours.path(), INDEX_ID);
    let header = theirs.field("hdr.X-Theirs").unwrap();
    assert!(theirs.may_add(header, uid(1), &facts(10)));
    let mut record = ours.record(1, &[(header, b"\x05\0\0\0\0\0\0\0X-Theirs: x\n")]);
    // Nobody else knows a field by the same id.
    record.values[0].0 = header;
    let picture = Picture {
        reset_id: ours.reset_id,
        facts: facts(10),
        links: &Vec::new,
    };
    let appended = theirs.append(&picture, &[record]).unwrap();
    let mut mail = CachedMail::default();
    reader.read(appended.offsets[0], &mut mail);
    assert_eq!(mail.get(SIZE).unwrap(), size(7));
    let known = ours.cache.field("HDR.x-theirs").unwrap();
    assert!(mail.get(known).unwrap().ends_with(b"X-Theirs: x\n"));
}

#[test]
fn bits_add_up() {
    let mut mailbox = Mailbox::new(Settings::default());
    for bits in [MailBits::HAS_NO_NULS, MailBits::BINARY_BODY] {
        mailbox
            .store(1, &[(FieldId::FLAGS, &bits.0.to_le_bytes())])
            .unwrap();
    }
    let both = MailBits::HAS_NO_NULS.with(MailBits::BINARY_BODY);
    assert_eq!(mailbox.read(1).bits(), Some(both));
    mailbox.purge().unwrap();
    assert_eq!(mailbox.read(1).bits(), Some(both));
    assert_eq!(mailbox.read(1).iter().count(), 1);
}

#[test]
fn decisions_survive() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.store(2, &[(GUID, b"abc")]).unwrap();
    assert_eq!(policy(&mailbox, GUID), free(Decision::Temp));
    // Going back makes it permanent.
    mailbox.cache.asked(GUID, uid(1), &mailbox.facts);
    mailbox.cache.flush().unwrap();
    let other = open(&mailbox.path(), INDEX_ID);
    assert!(other.reader(mailbox.reset_id).is_some());
    assert_eq!(other.policy(GUID).unwrap().1, free(Decision::Yes));
    assert!(other.wanted(uid(3), &facts(10)).contains(&GUID));
    assert!(!other.wanted(uid(3), &facts(10)).contains(&SIZE));
}

#[test]
fn a_purge_keeps_what_is_wanted() {
    let mut mailbox = Mailbox::new(Settings::default());
    for number in 1..=4 {
        mailbox.store(number, &[(GUID, b"abc")]).unwrap();
        mailbox
            .store(number, &[(SIZE, &size(number.into()))])
            .unwrap();
    }
    mailbox.cache.asked(SIZE, uid(4), &mailbox.facts);
    mailbox.cache.asked(SIZE, uid(1), &mailbox.facts);
    assert_eq!(policy(&mailbox, SIZE), free(Decision::Yes));
    mailbox.links.remove(&uid(4));
    mailbox.facts.week_uid = 3;
    let before = mailbox.reset_id;
    mailbox.purge().unwrap();
    assert!(mailbox.reset_id > before);
    for number in 1..=3 {
        assert_eq!(mailbox.get(number, SIZE).unwrap(), size(number.into()));
        assert_eq!(mailbox.get(number, GUID).is_some(), number >= 3);
        assert!(mailbox.read(number).iter().count() <= 2);
    }
    assert_eq!(mailbox.links.len(), 3);
    let bytes = fs::read(mailbox.path()).unwrap();
    let header = Header::decode(&bytes, INDEX_ID).unwrap();
    assert_eq!((header.records, header.continued_records), (3, 0));
    assert_eq!(header.used_size as usize, bytes.len());
}

#[test]
fn time_drops_fields() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox
        .store(1, &[(GUID, b"abc"), (SIZE, &size(1))])
        .unwrap();
    mailbox.cache.asked(SIZE, uid(2), &mailbox.facts);
    mailbox.cache.asked(SIZE, uid(1), &mailbox.facts);
    let later = |days: u32| Facts {
        now: NOW + days * DAY,
        day_stamp: NOW + days * DAY,
        ..facts(10)
    };
    assert_eq!(mailbox.cache.wants_purge(&later(29)), None);
    assert!(mailbox.cache.wants_purge(&later(31)).is_some());
    mailbox.facts = later(31);
    mailbox.purge().unwrap();
    assert_eq!(policy(&mailbox, SIZE), free(Decision::Temp));
    assert_eq!(mailbox.get(1, SIZE).unwrap(), size(1));
    mailbox.facts = later(61);
    mailbox.purge().unwrap();
    assert_eq!(policy(&mailbox, SIZE), free(Decision::No));
    assert!(mailbox.links.is_empty() && mailbox.read(1).is_empty());
    // And starts over.
    mailbox.store(1, &[(SIZE, &size(1))]).unwrap();
    assert_eq!(mailbox.get(1, SIZE).unwrap(), size(1));
}

#[test]
fn when_a_message_was_saved_is_kept() {
    let mut mailbox = Mailbox::new(Settings::default());
    let saved: &[u8] = b"abcd";
    mailbox
        .store(1, &[(FieldId::DATE_SAVE, saved), (GUID, b"abc")])
        .unwrap();
    mailbox.facts = Facts {
        now: NOW + 100 * DAY,
        day_stamp: NOW + 100 * DAY,
        week_uid: 2,
        messages: 10,
    };
    assert!(mailbox.cache.wants_purge(&mailbox.facts).is_some());
    mailbox.purge().unwrap();
    assert_eq!(mailbox.cache.wants_purge(&mailbox.facts), None);
    assert_eq!(mailbox.get(1, GUID), None);
    assert_eq!(mailbox.get(1, FieldId::DATE_SAVE).unwrap(), saved);
    mailbox.purge().unwrap();
    assert_eq!(mailbox.get(1, FieldId::DATE_SAVE).unwrap(), saved);
}

#[test]
fn waste_wants_a_purge() {
    let settings = Settings {
        purge_min_size: 0,
        ..Settings::default()
    };
    let mut mailbox = Mailbox::new(settings);
    mailbox.store(1, &[(SIZE, &size(1))]).unwrap();
    mailbox.store(1, &[(GUID, b"abc")]).unwrap();
    assert_eq!(mailbox.cache.wants_purge(&mailbox.facts), None);
    let one = facts(1);
    mailbox.store(1, &[(FieldId::DATE_SAVE, b"abcd")]).unwrap();
    let continued = Some("too many continued records");
    assert_eq!(mailbox.cache.wants_purge(&one), continued);
    mailbox.purge().unwrap();
    assert_eq!(mailbox.cache.wants_purge(&one), None);
    mailbox.cache.count_expunged(1).unwrap();
    assert_eq!(
        mailbox.cache.wants_purge(&one),
        Some("too many deleted records")
    );
    mailbox.purge().unwrap();
    for number in 0..5 {
        let field = mailbox.cache.field(&format!("hdr.X-{number}")).unwrap();
        mailbox.store(1, &[(field, b"")]).unwrap();
    }
    let tables = Some("too many field headers");
    assert_eq!(mailbox.cache.wants_purge(&facts(10)), tables);
}

#[test]
fn other_files_are_not_read() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.store(1, &[(GUID, b"abc")]).unwrap();
    assert!(mailbox.cache.reader(0).is_none());
    assert!(mailbox.cache.reader(mailbox.reset_id + 1).is_none());
    let foreign = open(&mailbox.path(), INDEX_ID + 1);
    assert!(foreign.reader(mailbox.reset_id).is_none());
    let picture = |reset_id| Picture {
        reset_id,
        facts: facts(10),
        links: &Vec::new,
    };
    let record = [mailbox.record(1, &[(GUID, b"abc")])];
    let refused = foreign.append(&picture(mailbox.reset_id), &record);
    assert!(matches!(refused, Err(Refused::NeedsPurge(_))));
    let stale = mailbox
        .cache
        .append(&picture(mailbox.reset_id + 1), &record);
    assert!(matches!(stale, Err(Refused::Stale { .. })));
    // What was refused changed nothing.
    assert_eq!(mailbox.get(1, GUID).unwrap(), b"abc");
}

#[test]
fn readers_keep_their_file() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.store(1, &[(GUID, b"abc")]).unwrap();
    let old_link = mailbox.links.get(&uid(1)).copied();
    let mut reader = mailbox.cache.reader(mailbox.reset_id).unwrap();
    mailbox.links.clear();
    mailbox.purge().unwrap();
    mailbox.store(2, &[(GUID, b"other")]).unwrap();
    assert_eq!(reader.field(old_link, GUID).unwrap(), b"abc");
    assert_eq!(mailbox.get(2, GUID).unwrap(), b"other");
}

#[test]
fn a_lost_tail_never_becomes_another_message() {
    let told = Told::start();
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.store(1, &[(GUID, b"one")]).unwrap();
    let end = fs::metadata(mailbox.path()).unwrap().len();
    mailbox.store(2, &[(GUID, b"two")]).unwrap();
    // A power cut: the log has message 2, the cache does not. Another process comes.
    Fs::real()
        .open(&mailbox.path(), How::ReadWrite, 0)
        .unwrap()
        .truncate(end)
        .unwrap();
    mailbox.cache = open(&mailbox.path(), INDEX_ID);
    mailbox.store(3, &[(GUID, b"tri")]).unwrap();
    assert_eq!(mailbox.get(1, GUID).unwrap(), b"one");
    assert_eq!(mailbox.get(2, GUID), None);
    assert_eq!(mailbox.get(3, GUID).unwrap(), b"tri");
    assert_eq!(told.count(), 1);
}

#[test]
fn pages_that_a_power_cut_left_empty_are_not_believed() {
    let guid = |number: u32| format!("{number}").repeat(1 + number as usize * 7 % 90);
    let mut mailbox = Mailbox::new(Settings::default());
    for is_purged in [false, true] {
        for number in 1..=200 {
            let (size, guid) = (size(u64::from(number)), guid(number));
            let values = [(SIZE, &size[..]), (GUID, guid.as_bytes())];
            mailbox.store(number, &values).unwrap();
        }
        if is_purged {
            mailbox.purge().unwrap();
        }
        let whole = fs::read(mailbox.path()).unwrap();
        let kept = mailbox.links.clone();
        assert!(whole.len() > 5 * 4096);
        for start in (4096..whole.len()).step_by(4096) {
            let mut bytes = whole.clone();
            let end = bytes.len().min(start + 4096);
            bytes[start..end].fill(0);
            fs::write(mailbox.path(), &bytes).unwrap();
            let mut found = 0;
            for number in 1..=200 {
                // Whoever meets damage believes nothing any more.
                mailbox.cache = open(&mailbox.path(), INDEX_ID);
                let (told, length) = (mailbox.get(number, GUID), mailbox.get(number, SIZE));
                assert!(told.is_none_or(|told| told == guid(number).as_bytes()));
                assert!(length.is_none_or(|length| length == size(u64::from(number))));
                found += u32::from(mailbox.get(number, GUID).is_some());
            }
            assert!(found > 100 || is_purged, "{found}");
        }
        fs::write(mailbox.path(), &whole).unwrap();
        mailbox.cache = open(&mailbox.path(), INDEX_ID);
        mailbox.links = kept;
    }
}

#[test]
fn damage_is_told_once_and_repaired() {
    let told = Told::start();
    let mut mailbox = Mailbox::new(Settings::default());
    for number in 1..=3 {
        mailbox.store(number, &[(GUID, b"abc")]).unwrap();
    }
    let mut bytes = fs::read(mailbox.path()).unwrap();
    let broken = mailbox.links[&uid(2)] as usize;
    bytes[broken + 4] = 3;
    fs::write(mailbox.path(), &bytes).unwrap();
    assert!(mailbox.read(2).is_empty() && mailbox.read(2).is_empty());
    assert!(mailbox.cache.wants_purge(&mailbox.facts).is_some());
    assert_eq!(told.count(), 1);
    mailbox.purge().unwrap();
    for number in 1..=3 {
        assert_eq!(mailbox.get(number, GUID).is_some(), number != 2);
    }
    assert_eq!(mailbox.cache.wants_purge(&mailbox.facts), None);
    assert_eq!(told.count(), 1);
}

#[test]
fn reading_goes_in_large_pieces() {
    let mut mailbox = Mailbox::new(Settings::default());
    let records: Vec<_> = (1..=2000)
        .map(|n| mailbox.record(n, &[(FieldId::IMAP_BODY, &[b'x'; 200])]))
        .collect();
    mailbox.purge().unwrap();
    for records in [&records[..1000], &records[1000..]] {
        let picture = Picture {
            reset_id: mailbox.reset_id,
            facts: mailbox.facts,
            links: &Vec::new,
        };
        let appended = mailbox.cache.append(&picture, records).unwrap();
        let links = records.iter().zip(appended.offsets);
        mailbox
            .links
            .extend(links.map(|(record, offset)| (record.uid, offset.unwrap())));
    }
    // Second records, which lead back to the first ones.
    for number in 1..=2000 {
        mailbox.store(number, &[(GUID, b"abc")]).unwrap();
    }
    let counting = Arc::new(FaultyFs::new(Fault::None));
    let fs = Fs::new(counting.clone());
    mailbox.cache = open_with(fs, &mailbox.path(), INDEX_ID, Settings::default());
    let mut reader = mailbox.cache.reader(mailbox.reset_id).unwrap();
    let mut mail = CachedMail::default();
    for link in mailbox.links.values() {
        reader.read(Some(*link), &mut mail);
        assert_eq!(mail.iter().count(), 2);
    }
    let bytes = fs::metadata(mailbox.path()).unwrap().len();
    let calls = counting.calls().len();
    assert!(
        bytes > 400_000 && calls < 40,
        "{bytes} bytes, {calls} calls"
    );
}

#[test]
fn limits_hold() {
    let settings = Settings {
        max_size: 16 * 1024,
        record_max_size: 4096,
        min_mail_count: 5,
        ..Settings::default()
    };
    let mut mailbox = Mailbox::new(settings);
    mailbox
        .store(1, &[(FieldId::IMAP_BODY, &[b'x'; 5000])])
        .unwrap();
    assert!(mailbox.links.is_empty());
    for number in 1..=10 {
        mailbox
            .store(number, &[(FieldId::IMAP_BODY, &[b'x'; 4000])])
            .unwrap();
        assert!(fs::metadata(mailbox.path()).unwrap().len() <= 16 * 1024);
        assert!(mailbox.get(number, FieldId::IMAP_BODY).is_some());
    }
    assert!(!mailbox.cache.may_add(GUID, uid(1), &facts(4)));
    assert!(mailbox.cache.wanted(uid(1), &facts(4)).is_empty());
    // Never: by a setting.
    mailbox.store(1, &[(FieldId::IMAP_ENVELOPE, b"x")]).unwrap();
    assert_eq!(mailbox.get(1, FieldId::IMAP_ENVELOPE), None);
    // A value of another size is no value.
    mailbox.store(1, &[(SIZE, b"x")]).unwrap();
    assert_eq!(mailbox.get(1, SIZE), None);
}

#[test]
fn a_locked_file_is_waited_for() {
    let mut mailbox = Mailbox::new(Settings::default());
    mailbox.store(1, &[(GUID, b"abc")]).unwrap();
    let other = Fs::real().open(&mailbox.path(), How::ReadWrite, 0).unwrap();
    other.try_lock(Lock::Exclusive).unwrap();
    let cache = mailbox.cache.clone();
    std::thread::scope(|scope| {
        let counted = scope.spawn(move || cache.count_expunged(1));
        let bytes = fs::read(mailbox.path()).unwrap();
        assert_eq!(Header::decode(&bytes, INDEX_ID).unwrap().deleted_records, 0);
        other.try_lock(Lock::Unlock).unwrap();
        counted.join().unwrap().unwrap();
    });
    let bytes = fs::read(mailbox.path()).unwrap();
    assert_eq!(Header::decode(&bytes, INDEX_ID).unwrap().deleted_records, 1);
}
