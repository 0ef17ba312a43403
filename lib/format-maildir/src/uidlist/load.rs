//! Reading `dovecot-uidlist`: whole, or what was appended since, in bounded memory. What is broken
//! is left out and counted; the caller repairs it by a rewrite.

use std::path::Path;

use sys::fs::{Fs, FsFile, FsResult, Stat, Time, found};

use super::{Entry, Header, MAX_LINE, Version};

/// Entries beyond this many bytes are refused (`EFBIG`): some four million messages.
const MAX_KEPT: usize = 256 << 20;

/// Tells whether a file is the one that was read, unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    /// Last change.
    pub mtime: Time,
    /// Bytes, up to the last LF.
    pub size: u64,
}

impl Stamp {
    /// Of a file.
    #[must_use]
    pub fn of(stat: &Stat) -> Self {
        Self {
            dev: stat.dev,
            ino: stat.ino,
            mtime: stat.mtime,
            size: stat.size,
        }
    }

    /// Can `now` be this file with lines appended?
    #[must_use]
    pub fn may_continue_as(&self, now: &Self) -> bool {
        self.dev == now.dev && self.ino == now.ino && now.size > self.size
    }
}

/// What was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Lines left out or put right.
    pub lines: u32,
    /// Number of the first one, from 1, and its fault.
    pub first: Option<(u32, &'static str)>,
    /// UIDs may have been given out that nothing in the file tells: new ones could repeat them.
    pub uids_lost: bool,
    /// The last line has no LF: an append was cut short, and never acknowledged.
    pub torn: bool,
}

impl Damage {
    fn add(&mut self, line: u32, why: &'static str) {
        self.lines += 1;
        self.first.get_or_insert((line, why));
    }

    /// Must the file be rewritten before it can be appended to?
    #[must_use]
    pub fn needs_rewrite(&self) -> bool {
        self.lines > 0 || self.torn
    }
}

/// What one reading found.
#[derive(Debug)]
pub struct Loaded {
    /// The first line; `None` where there is none that can be trusted, and why.
    pub header: Result<(Version, Header), &'static str>,
    /// Ascending; no UID twice.
    pub entries: Vec<Entry>,
    /// One more than any UID in the file; up to 2^32.
    pub after_last: u64,
    /// What was read.
    pub stamp: Stamp,
    /// The same, open.
    pub file: FsFile,
    /// What was wrong.
    pub damage: Damage,
}

/// Reads the file; `None` where there is none.
///
/// # Errors
/// It cannot be read, or is larger than any mailbox needs.
pub fn load(fs: &Fs, path: &Path) -> FsResult<Option<Loaded>> {
    let Some(file) = found(fs.open_read(path))? else {
        return Ok(None);
    };
    let mut reader = Reader::new(&file, 0, None)?;
    reader.run()?;
    Ok(Some(reader.finish()))
}

/// The header alone; `None` where there is none that can be trusted.
///
/// # Errors
/// It cannot be read.
pub fn header(fs: &Fs, path: &Path) -> FsResult<Option<Header>> {
    let Some(file) = found(fs.open_read(path))? else {
        return Ok(None);
    };
    let mut start = [0; MAX_LINE];
    let read = file.read_at(&mut start, 0)?;
    let mut lines = start.get(..read).unwrap_or_default().split(|b| *b == b'\n');
    let header = lines.next().and_then(|line| Header::decode(line).ok());
    Ok(header.map(|(_, header)| header))
}

/// Reads what was appended to a file of version 3 that had `stamp` and was sound; `None` where it
/// is no longer that file.
///
/// # Errors
/// It cannot be read.
pub fn load_appended(fs: &Fs, path: &Path, stamp: &Stamp) -> FsResult<Option<Loaded>> {
    let Some(file) = found(fs.open_read(path))? else {
        return Ok(None);
    };
    if !stamp.may_continue_as(&Stamp::of(&file.stat()?)) {
        return Ok(None);
    }
    let mut reader = Reader::new(&file, stamp.size, Some(Version::V3))?;
    reader.run()?;
    Ok(Some(reader.finish()))
}

struct Reader<'f> {
    file: &'f FsFile,
    offset: u64,
    stamp: Stamp,
    version: Option<Version>,
    header: Result<(Version, Header), &'static str>,
    lines: u32,
    kept: usize,
    entries: Vec<Entry>,
    /// UIDs that stand in bad lines.
    after_last: u64,
    /// Bad lines without a UID since the last good one.
    unknown_tail: bool,
    damage: Damage,
}

impl<'f> Reader<'f> {
    fn new(file: &'f FsFile, offset: u64, version: Option<Version>) -> FsResult<Self> {
        Ok(Self {
            file,
            offset,
            stamp: Stamp::of(&file.stat()?),
            version,
            header: Err("no header"),
            lines: 0,
            kept: 0,
            entries: Vec::new(),
            after_last: 1,
            unknown_tail: false,
            damage: Damage::default(),
        })
    }

    /// Feeds each line to [`Self::line`]; a line longer than [`MAX_LINE`] only by its beginning.
    fn run(&mut self) -> FsResult<()> {
        let mut chunk = vec![0; 64 * 1024];
        let mut partial: Vec<u8> = Vec::new();
        let mut end = self.offset;
        let mut whole = self.offset;
        loop {
            let read = self.file.read_at(&mut chunk, end)?;
            if read == 0 {
                break;
            }
            end += read as u64;
            let mut rest = chunk.get(..read).unwrap_or_default();
            while let Some(newline) = memchr::memchr(b'\n', rest) {
                let (line, after) = rest.split_at(newline);
                if partial.is_empty() {
                    self.line(line);
                } else {
                    keep_beginning(&mut partial, line);
                    self.line(&partial);
                    partial.clear();
                }
                rest = after.get(1..).unwrap_or_default();
                whole = end - rest.len() as u64;
            }
            keep_beginning(&mut partial, rest);
            if self.kept > MAX_KEPT {
                return Err(too_large(self.file));
            }
        }
        // Appends may go on while we read: what counts is how far we came, in whole lines.
        self.stamp.size = whole;
        if !partial.is_empty() {
            self.torn(&partial);
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        let Some(version) = self.version else {
            return self.header_line(line);
        };
        let decoded = if line.len() > MAX_LINE {
            Err(super::BadLine {
                why: "line too long",
                uid: None,
            })
        } else {
            Entry::decode(version, line)
        };
        match decoded {
            Ok(entry) => {
                self.kept += line.len() + size_of::<Entry>();
                self.after_last = self.after_last.max(u64::from(entry.uid) + 1);
                self.unknown_tail = false;
                self.entries.push(entry);
            }
            Err(bad) => {
                self.damage.add(self.lines, bad.why);
                match bad.uid {
                    Some(uid) => self.after_last = self.after_last.max(u64::from(uid) + 1),
                    None => self.unknown_tail = true,
                }
            }
        }
    }

    fn header_line(&mut self, line: &[u8]) {
        self.header = match line.len() {
            0..=MAX_LINE => Header::decode(line),
            _ => Err("line too long"),
        };
        // Where the header is unknown, entries are read for their UIDs all the same.
        self.version = Some(
            self.header
                .as_ref()
                .map_or(Version::V3, |(version, _)| *version),
        );
    }

    fn torn(&mut self, line: &[u8]) {
        self.damage.torn = true;
        if self.version.is_none() {
            self.header = Err("header cut short");
            return;
        }
        let version = self.version.unwrap_or(Version::V3);
        let uid = match Entry::decode(version, line) {
            Ok(entry) => Some(entry.uid),
            Err(bad) => bad.uid,
        };
        self.after_last = self.after_last.max(uid.map_or(0, |uid| u64::from(uid) + 1));
    }

    fn finish(mut self) -> Loaded {
        self.damage.uids_lost = self.unknown_tail;
        self.order();
        Loaded {
            header: self.header,
            entries: self.entries,
            after_last: self.after_last,
            stamp: self.stamp,
            file: self.file.clone(),
            damage: self.damage,
        }
    }

    /// Ascending UIDs. One that two files claim belongs to neither: whichever a client has seen, the
    /// other would get its flags and cached body.
    fn order(&mut self) {
        let ascending = self.entries.is_sorted_by(|a, b| a.uid < b.uid);
        if ascending {
            return;
        }
        self.damage.add(self.lines, "uids do not ascend");
        self.entries.sort_by_key(|entry| entry.uid);
        let mut sorted = std::mem::take(&mut self.entries).into_iter().peekable();
        while let Some(entry) = sorted.next() {
            let mut last = entry;
            let mut disputed = false;
            while let Some(same) = sorted.next_if(|next| next.uid == last.uid) {
                disputed |= same.base() != last.base();
                last = same;
            }
            if disputed {
                self.damage.add(self.lines, "uid of several files");
            } else {
                self.entries.push(last);
            }
        }
    }
}

fn keep_beginning(partial: &mut Vec<u8>, more: &[u8]) {
    let room = (MAX_LINE + 1).saturating_sub(partial.len());
    partial.extend_from_slice(more.get(..more.len().min(room)).unwrap_or_default());
}

fn too_large(file: &FsFile) -> sys::fs::FsError {
    sys::fs::FsError {
        call: "read",
        path: file.path().to_owned(),
        source: std::io::ErrorKind::FileTooLarge.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(bytes: &[u8]) -> Loaded {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dovecot-uidlist");
        std::fs::write(&path, bytes).unwrap();
        load(&Fs::real(), &path).unwrap().unwrap()
    }

    fn uids(loaded: &Loaded) -> Vec<u32> {
        loaded.entries.iter().map(|entry| entry.uid).collect()
    }

    const SOUND: &[u8] = b"3 V9 N4 G41be9a165b2e046b8745000083ecc375\n1 :a\n3 :b\n";

    #[test]
    fn a_sound_list() {
        let list = loaded(SOUND);
        assert_eq!((uids(&list), list.after_last), (vec![1, 3], 4));
        assert_eq!(list.damage, Damage::default());
    }

    #[test]
    fn every_truncation_keeps_the_whole_lines() {
        for end in 0..SOUND.len() {
            let list = loaded(&SOUND[..end]);
            let lines = SOUND[..end].iter().filter(|&&b| b == b'\n').count();
            assert_eq!(list.entries.len(), lines.saturating_sub(1), "{end}");
            assert_eq!(list.header.is_ok(), lines > 0);
            assert_eq!(list.damage.torn, end > 0 && SOUND[end - 1] != b'\n');
            assert!(!list.damage.uids_lost);
        }
        // The torn line's UID is used up.
        assert_eq!(loaded(b"3 V9 N1 Gx\n1 :a\n7 :cut").after_last, 8);
    }

    #[test]
    fn disputed_uids_belong_to_nobody() {
        let list = loaded(b"3 V9 N1\n1 :a\n2 :b\n2 :c\n3 :d\n");
        assert_eq!((uids(&list), list.after_last), (vec![1, 3], 4));
        assert!(list.damage.needs_rewrite() && !list.damage.uids_lost);
    }

    #[test]
    fn descending_uids_are_sorted() {
        let list = loaded(b"3 V9 N1\n5 :a\n2 :b\n2 :b\n");
        assert_eq!((uids(&list), list.after_last), (vec![2, 5], 6));
        assert!(list.damage.needs_rewrite());
    }

    #[test]
    fn uids_out_of_range_in_the_middle_lose_nothing_else() {
        let list = loaded(b"3 V9 N1\n0 :z\n4294967296 :x\n7 :a\n");
        assert_eq!((uids(&list), list.after_last), (vec![7], 8));
        assert!(!list.damage.uids_lost);
        let max = loaded(b"3 V9 N1\n4294967295 :a\n");
        assert_eq!(max.after_last, 1 << 32);
    }

    #[test]
    fn garbage_at_the_end_may_hide_uids() {
        assert!(loaded(b"3 V9 N1\n1 :a\ngarbage\n").damage.uids_lost);
        assert!(!loaded(b"3 V9 N1\ngarbage\n1 :a\n").damage.uids_lost);
    }

    #[test]
    fn a_huge_line_costs_no_memory() {
        let mut bytes = b"3 V9 N1\n1 :a\n".to_vec();
        bytes.resize(bytes.len() + (8 << 20), b'x');
        bytes.extend_from_slice(b"\n2 :b\n");
        let list = loaded(&bytes);
        assert_eq!(uids(&list), [1, 2]);
        assert_eq!(list.damage.first, Some((3, "line too long")));
    }

    #[test]
    fn appended_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dovecot-uidlist");
        std::fs::write(&path, SOUND).unwrap();
        let fs = Fs::real();
        let stamp = load(&fs, &path).unwrap().unwrap().stamp;
        assert!(load_appended(&fs, &path, &stamp).unwrap().is_none());
        std::fs::write(&path, [SOUND, b"4 :c\n5 :d\n"].concat()).unwrap();
        let more = load_appended(&fs, &path, &stamp).unwrap().unwrap();
        assert_eq!((uids(&more), more.after_last), (vec![4, 5], 6));
    }
}
