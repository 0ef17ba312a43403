//! Attachments that are stored out of line, decoded, each in a file of its own. FORMATS.md §3.3.
//!
//! The X line: groups of four words, `<offset> <size> <options> <path>`. Offset and size are those of the
//! encoded attachment in the complete message; options `-`, or `C` (CRLF ends lines) and `B<n>` (base64,
//! n characters a line); the path is below `mail_attachment_dir`.

use std::path::{Path, PathBuf};

use sys::fs::{Fs, FsFile, FsResult};

/// More attachments than this no message has.
const MAX_REFS: usize = 10_000;

/// How the part of the message is made from the file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Verbatim,
    /// Base64 with so many characters a line, a multiple of 4; the last line is not ended.
    Base64 {
        /// Characters of a full line.
        line: u32,
        /// Lines end with CRLF instead of LF.
        crlf: bool,
    },
}

/// One attachment of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalRef {
    /// Where it begins in the complete message.
    pub offset: u64,
    /// Its bytes there.
    pub size: u64,
    /// How it is encoded there.
    pub encoding: Encoding,
    /// `hh/hh/<sha1>-<guid>`, below the attachment directory.
    pub path: String,
}

impl ExternalRef {
    /// Decodes an X line.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn decode_all(line: &[u8]) -> Result<Vec<Self>, &'static str> {
        let text = std::str::from_utf8(line).map_err(|_| "attachments as text")?;
        let words: Vec<&str> = text.split(' ').collect();
        if words.len() > 4 * MAX_REFS {
            return Err("fewer attachments");
        }
        let mut refs: Vec<Self> = Vec::with_capacity(words.len() / 4);
        for group in words.chunks(4) {
            let [offset, size, options, path] = *group else {
                return Err("four words for each attachment");
            };
            let found = Self::decode(offset, size, options, path)?;
            let before = refs.last().map_or(Some(0), |before| before.end());
            if before.is_none_or(|before| before > found.offset) || found.end().is_none() {
                return Err("attachments in order");
            }
            refs.push(found);
        }
        Ok(refs)
    }

    fn decode(offset: &str, size: &str, options: &str, path: &str) -> Result<Self, &'static str> {
        if !is_safe(path) {
            return Err("path of an attachment");
        }
        Ok(Self {
            offset: decimal(offset).ok_or("offset of an attachment")?,
            size: decimal(size).ok_or("size of an attachment")?,
            encoding: encoding(options).ok_or("encoding of an attachment")?,
            path: path.to_owned(),
        })
    }

    /// Where it ends in the complete message.
    fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.size)
    }

    /// An X line of these.
    #[must_use]
    pub fn encode_all(refs: &[Self]) -> String {
        let words = refs.iter().map(|found| {
            let options = match found.encoding {
                Encoding::Verbatim => "-".to_owned(),
                Encoding::Base64 { line, crlf } => {
                    format!("{}B{line}", if crlf { "C" } else { "" })
                }
            };
            format!("{} {} {options} {}", found.offset, found.size, found.path)
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn decimal(word: &str) -> Option<u64> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

fn encoding(options: &str) -> Option<Encoding> {
    if options == "-" {
        return Some(Encoding::Verbatim);
    }
    let (crlf, rest) = match options.strip_prefix('C') {
        Some(rest) => (true, rest),
        None => (false, options),
    };
    let line = u32::try_from(decimal(rest.strip_prefix('B')?)?).ok()?;
    let fits = line > 0 && line % 4 == 0 && line <= 64 * 1024;
    fits.then_some(Encoding::Base64 { line, crlf })
}

/// Below the directory, by plain names only.
fn is_safe(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(plain) && !path.contains('\0')
}

/// Where attachments are: `mail_attachment_dir`, and what is appended to each path.
#[derive(Clone, Debug)]
pub struct AttachmentDir {
    fs: Fs,
    dir: PathBuf,
    suffix: String,
}

impl AttachmentDir {
    /// Of a file of an mdbox: paths are as the X line says.
    #[must_use]
    pub fn new(fs: Fs, dir: PathBuf) -> Self {
        Self {
            fs,
            dir,
            suffix: String::new(),
        }
    }

    /// Of one message of an sdbox: `suffix` is `-<mailbox GUID>-<uid>`.
    #[must_use]
    pub fn with_suffix(fs: Fs, dir: PathBuf, suffix: String) -> Self {
        Self { fs, dir, suffix }
    }

    /// Where an attachment's file is.
    #[must_use]
    pub fn path(&self, found: &ExternalRef) -> PathBuf {
        self.dir.join(format!("{}{}", found.path, self.suffix))
    }

    pub(crate) fn open(&self, found: &ExternalRef) -> FsResult<FsFile> {
        self.fs.open_read(&self.path(found))
    }

    /// Gives a copied message attachments of its own: hard links under `to`'s names.
    ///
    /// # Errors
    /// Nothing is left behind.
    pub fn link(&self, refs: &[ExternalRef], to: &Self) -> FsResult<()> {
        for (at, found) in refs.iter().enumerate() {
            match self.fs.link(&self.path(found), &to.path(found)) {
                Err(error) if !error.is_exists() => {
                    to.remove(refs.get(..at).unwrap_or_default())?;
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes a message's attachments. What is gone already is fine.
    ///
    /// # Errors
    /// A file is still there.
    pub fn remove(&self, refs: &[ExternalRef]) -> FsResult<()> {
        for found in refs {
            self.remove_one(&self.path(found))?;
        }
        Ok(())
    }

    /// The last message that has it takes its name in `hashes/` along: otherwise the bytes would stay.
    fn remove_one(&self, path: &Path) -> FsResult<()> {
        let Some(stat) = self.fs.stat_opt(path)? else {
            return Ok(());
        };
        if stat.nlink == 2
            && let Some(by_hash) = by_hash(path)
            && let Some(other) = self.fs.stat_opt(&by_hash)?
            && (other.dev, other.ino) == (stat.dev, stat.ino)
        {
            self.fs.unlink_if_exists(&by_hash)?;
        }
        self.fs.unlink_if_exists(path)
    }
}

/// `hashes/<sha1>` beside `<sha1>-<guid>`.
fn by_hash(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (hash, _) = name.split_once('-')?;
    Some(path.parent()?.join("hashes").join(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "1082 2026 B76 37/5c/375c-415a 4000 12 - aa/bb/c 5000 80 CB72 d";

    #[test]
    fn reads_and_writes_what_dovecot_wrote() {
        let refs = ExternalRef::decode_all(LINE.as_bytes()).unwrap();
        assert_eq!(refs.len(), 3);
        assert_eq!((refs[0].offset, refs[0].size), (1082, 2026));
        let lf = Encoding::Base64 {
            line: 76,
            crlf: false,
        };
        assert_eq!(refs[0].encoding, lf);
        assert_eq!(refs[1].encoding, Encoding::Verbatim);
        assert_eq!(ExternalRef::encode_all(&refs), LINE);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "1 2 -",
            "1 2 - ../../etc/passwd",
            "1 2 - /etc/passwd",
            "1 2 B a",
            "1 2 B0 a",
            "1 2 B77 a",
            "1 2 X a",
            "-1 2 - a",
            "1 x - a",
            "1 5 - a 2 5 - b",
            "1 18446744073709551615 - a",
            "1 2 - a 9",
        ] {
            assert!(ExternalRef::decode_all(bad.as_bytes()).is_err(), "{bad}");
        }
        for len in 0..LINE.len() {
            let _ = ExternalRef::decode_all(&LINE.as_bytes()[..len]);
        }
    }
}
