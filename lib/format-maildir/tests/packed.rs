//! Compressed messages: read whatever wrote them, written where the configuration says so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use common::{Counter, Rig, names_in, place, save, view};
use compress::{Encoding, Method, Writer};
use format_maildir::Maildir;
use format_maildir::settings::Options;
use mailbox::{
    Access, Context, Error, Flags, Mail, Mailbox, MailboxName, Seq, Settings, StoredMailbox, UidSet,
};
use sys::fs::Fs;
use sys::fs::faulty::Fault;

const TEXT: &str = "Subject: a\n\nline\nline\nline\nline\nline\nline\nline\nline\n";

fn pack(method: Method, text: &[u8]) -> Vec<u8> {
    let encoding = Encoding::new(method, None).unwrap();
    let mut writer = Writer::new(Vec::new(), encoding).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn packing(rig: &Rig, method: Method) -> Arc<Maildir> {
    let context = Context {
        fs: Fs::new(Arc::clone(&rig.faults) as _),
        place: place(rig.dir()),
        name: MailboxName::new("INBOX").unwrap(),
        settings: Settings {
            compression: Some(Encoding::new(method, None).unwrap()),
            ..Settings::default()
        },
        uid_validities: Arc::new(Counter::default()),
    };
    Arc::new(Maildir::new(context, Options::default()))
}

fn text(mail: &mut dyn Mail) -> String {
    let mut text = String::new();
    mail.body().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_others_compressed_is_read() {
    for (number, method) in Method::ALL.into_iter().enumerate() {
        // With both sizes, with one, with none.
        for sizes in ["", ",S=52", ",S=52,W=62"] {
            let name = format!("100.M1P1.host{sizes}:2,S");
            let rig = Rig::with(|dir| {
                std::fs::write(dir.join("cur").join(&name), pack(method, TEXT.as_bytes())).unwrap();
            });
            let mut view = rig.view();
            let mut mail = view.mail(Seq::MIN).unwrap();
            assert_eq!(mail.size().unwrap(), 62, "{number} {sizes}");
            assert_eq!(text(&mut *mail), TEXT);
            let mut body = mail.body().unwrap();
            assert_eq!(body.seek(SeekFrom::Start(9)).unwrap(), 9);
            let mut some = [0; 1];
            body.read_exact(&mut some).unwrap();
            assert_eq!(&some, b"a");
            // The name stays: what it says is true.
            drop(body);
            drop(mail);
            assert_eq!(names_in(&rig.dir().join("cur")), [name]);
        }
    }
}

#[test]
fn saved_compressed_and_copied_as_it_is() {
    for method in Method::ALL {
        let rig = Rig::new();
        let maildir = packing(&rig, method);
        let uid = save(&maildir, TEXT, Flags::SEEN, &[]).unwrap();
        let names = names_in(&rig.dir().join("cur"));
        assert!(names[0].ends_with(",S=52,W=62:2,S"), "{names:?}");
        let stored = std::fs::read(rig.dir().join("cur").join(&names[0])).unwrap();
        assert_eq!(Method::recognise(&stored), Some(method));

        let mut open = view(&maildir, Access::ReadWrite);
        let uids: UidSet = [uid].into_iter().collect();
        let copied = Arc::clone(&maildir).copy_from(&mut open, &uids).unwrap();
        assert_eq!(copied.to.len(), 1);
        for (_, content) in rig.content() {
            assert_eq!(content.0, TEXT.as_bytes());
        }
        assert_eq!(rig.content().len(), 2);
    }
}

#[test]
fn a_message_that_is_compressed_already_is_refused() {
    let rig = Rig::new();
    for method in Method::ALL {
        let packed = pack(method, TEXT.as_bytes());
        let mut saving = Arc::clone(&rig.maildir).begin_save().unwrap();
        // Byte by byte, as a slow client sends it.
        let mut slow = Slow(&packed);
        let saved = saving.save(&mailbox::NewMail::default(), &mut slow);
        assert!(matches!(saved, Err(Error::NotPossible { .. })), "{method}");
    }
    assert!(names_in(&rig.dir().join("tmp")).is_empty());

    struct Slow<'b>(&'b [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let one = to.len().min(1);
            self.0.read(&mut to[..one])
        }
    }
}

#[test]
fn a_disk_that_is_full_is_no_fault_of_the_compressor() {
    let rig = Rig::new();
    let maildir = packing(&rig, Method::Gz);
    for nth in 1..12 {
        rig.faults.set(Fault::Full { nth });
        let saved = save(&maildir, TEXT, Flags::empty(), &[]);
        rig.faults.set(Fault::None);
        let error = saved.unwrap_err();
        assert!(error.is_disk_full(), "{nth}: {error}");
    }
}

#[test]
fn broken_ones_are_errors() {
    let mut packed = pack(Method::Gz, TEXT.as_bytes());
    packed.truncate(30);
    let rig = Rig::with(|dir| {
        std::fs::write(dir.join("cur/100.M1P1.host,S=52:2,"), &packed).unwrap();
    });
    let mut view = rig.view();
    let mut mail = view.mail(Seq::MIN).unwrap();
    assert!(mail.size().is_err());
    let mut all = Vec::new();
    assert!(mail.body().unwrap().read_to_end(&mut all).is_err());
}
