//! Mail files of sdbox (`u.*`) and mdbox (`m.*`). FORMATS.md §2.2.

use std::io::Write;

use super::input::{beginning, name, read};
use super::{Target, Trouble};

/// Bytes that stand at the beginning of a message and behind it.
const MAGIC_PRE: &[u8] = b"\x01\x02";
const MAGIC_POST: &[u8] = b"\n\x01\x03\n";
/// Where in a message's header its size is: 16 digits.
const SIZE_AT: std::ops::Range<usize> = 13..29;

pub fn detect(target: &Target<'_>) -> bool {
    let name = name(target.path);
    let named = name.starts_with("m.") || name.starts_with("u.");
    named || beginning(target.path).starts_with(b"2 M")
}

pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let bytes = read(target.path)?;
    let mut file = Dbox {
        bytes: &bytes,
        at: 0,
    };
    let header = file.header(out)?;
    loop {
        writeln!(out)?;
        if file.at >= bytes.len() {
            return Ok(());
        }
        file.message(header, out)?;
    }
}

struct Dbox<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Dbox<'b> {
    fn line(&mut self) -> Option<&'b [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += end + 1;
        rest.get(..end)
    }

    fn wrong(&self, what: &str) -> Trouble {
        Trouble::file(format!("{what} at {}", self.at))
    }

    /// The first line; returns how long the headers of messages are.
    fn header(&mut self, out: &mut dyn Write) -> Result<usize, Trouble> {
        let line = self.line().ok_or_else(|| Trouble::file("Empty file"))?;
        let line = String::from_utf8_lossy(line).into_owned();
        let mut words = line.split(' ');
        match words.next() {
            Some("2") => {}
            Some(version) if version.bytes().all(|byte| byte.is_ascii_digit()) => {
                let what = format!("Unsupported dbox file version {version}");
                return Err(Trouble::file(what));
            }
            _ => return Err(Trouble::file("not a dbox file")),
        }
        let mut size = 0;
        for word in words {
            match word.split_at_checked(1) {
                Some(("M", value)) => {
                    size = self.number("msg_header_size header", value)?;
                    writeln!(out, "file.msg_header_size = {size}")?;
                }
                Some(("C", value)) => {
                    let stamp = self.number("file.create_stamp", value)?;
                    writeln!(out, "file.create_stamp = {}", stamped(stamp))?;
                }
                Some((key, value)) => writeln!(out, "file.unknown-{key} = {value}")?,
                None => {}
            }
        }
        match usize::try_from(size) {
            Ok(size) if size > SIZE_AT.end => Ok(size),
            _ => Err(Trouble::file("Missing msg_header_size in file header")),
        }
    }

    fn message(&mut self, header: usize, out: &mut dyn Write) -> Result<(), Trouble> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(head) = rest.get(..header) else {
            let what = format!("Partial message header read ({} bytes)", rest.len());
            return Err(self.wrong(&what));
        };
        writeln!(out, "offset {}:", self.at)?;
        if !head.starts_with(MAGIC_PRE) {
            return Err(self.wrong("dbox wrong pre-magic"));
        }
        let size = String::from_utf8_lossy(head.get(SIZE_AT).unwrap_or_default()).into_owned();
        let size = self.number("msg.size", &size)?;
        writeln!(out, "msg.size = {size}")?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.at = self.at.saturating_add(header).saturating_add(size);
        self.metadata(out)
    }

    fn metadata(&mut self, out: &mut dyn Write) -> Result<(), Trouble> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(MAGIC_POST) {
            return Err(self.wrong("dbox wrong post-magic"));
        }
        self.at += MAGIC_POST.len();
        loop {
            let line = self.line();
            let line =
                line.ok_or_else(|| Trouble::file("dbox metadata ended unexpectedly at EOF"))?;
            let Some((key, value)) = line.split_first() else {
                return Ok(());
            };
            let value = String::from_utf8_lossy(value);
            match key {
                b'G' => writeln!(out, "msg.guid = {value}")?,
                b'P' => writeln!(out, "msg.pop3-uidl = {value}")?,
                b'O' => writeln!(out, "msg.pop3-order = {value}")?,
                b'R' => writeln!(
                    out,
                    "msg.received = {}",
                    stamped(self.number("msg.received", &value)?)
                )?,
                b'Z' => writeln!(
                    out,
                    "msg.physical-size = {}",
                    self.number("msg.physical-size", &value)?
                )?,
                b'V' => writeln!(
                    out,
                    "msg.virtual-size = {}",
                    self.number("msg.virtual-size", &value)?
                )?,
                b'X' => writeln!(out, "msg.ext-ref = {value}")?,
                b'B' => writeln!(out, "msg.orig-mailbox = {value}")?,
                b'E' | b'F' | b'K' | b'S' | b' ' => {
                    writeln!(out, "msg.obsolete-{} = {value}", char::from(*key))?;
                }
                key => writeln!(out, "msg.unknown-{} = {value}", char::from(*key))?,
            }
        }
    }

    fn number(&self, what: &str, hex: &str) -> Result<u64, Trouble> {
        u64::from_str_radix(hex.trim_end(), 16)
            .map_err(|_| self.wrong(&format!("Invalid {what}: {hex}")))
    }
}

fn stamped(unix: u64) -> String {
    let time = i64::try_from(unix).map_or_else(
        |_| String::new(),
        |unix| mailbox::MailDate::local(unix).wall_clock(),
    );
    format!("{unix} ({time})")
}
