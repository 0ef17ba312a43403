//! Fuzz targets of what strangers may write into a Maildir: names of files, lines of the uidlist.

use format_maildir::{name, uidlist};
use uidlist::{Entry, Header};

#[test]
fn any_uidlist_line() {
    bolero::check!().for_each(|bytes: &[u8]| {
        for line in bytes.split(|byte| *byte == b'\n') {
            let _ = Header::decode(line);
            for version in [uidlist::Version::V1, uidlist::Version::V3] {
                let Ok(entry) = Entry::decode(version, line) else {
                    continue;
                };
                let mut again = Vec::new();
                uidlist::encode_entry(entry.uid, entry.extra(), entry.base(), &mut again);
                let again = again.strip_suffix(b"\n").unwrap_or(&again);
                let read = Entry::decode(uidlist::Version::V3, again);
                assert!(
                    read.is_ok_and(|read| read.uid == entry.uid && read.base() == entry.base())
                );
            }
        }
    });
}

#[test]
fn any_file_name() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let (flags, letters) = name::flags(bytes);
        let again = name::with_flags(bytes, flags, letters);
        assert_eq!(name::flags(&again), (flags, letters));
        assert_eq!(name::base(&again), name::base(bytes));
        let _ = (name::arrival(bytes), name::is_message(bytes));
    });
}
