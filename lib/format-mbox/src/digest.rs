//! A message's GUID: the MD5 sum of some of its headers. FORMATS.md §5.3.

use md5::{Digest, Md5};

/// The sum of a message that has none of these headers.
pub const NO_HEADERS: [u8; 16] = [
    0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e,
];

/// Which headers: `mbox_md5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Md5Headers {
    /// `apop3d`: the first Received, what stands before it of Date and Message-ID, every Delivered-To
    /// and X-Delivery-ID.
    #[default]
    Apop3d,
    /// `all` but those that we manage.
    All,
}

/// What a header means to the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Out,
    /// As long as no Received was seen.
    Early,
    Received,
    In,
}

/// The sum of one message, header by header.
#[derive(Clone)]
pub struct HeaderDigest {
    headers: Md5Headers,
    md5: Md5,
    has_received: bool,
    part: Part,
}

impl HeaderDigest {
    /// Of a message with no header yet.
    #[must_use]
    pub fn new(headers: Md5Headers) -> Self {
        Self {
            headers,
            md5: Md5::new(),
            has_received: false,
            part: Part::Out,
        }
    }

    /// A header begins, one that we do not manage.
    pub fn begin(&mut self, name: &[u8]) {
        self.end();
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        self.part = match self.headers {
            Md5Headers::All => Part::In,
            Md5Headers::Apop3d if is("Date") || is("Message-ID") => Part::Early,
            Md5Headers::Apop3d if is("Received") => Part::Received,
            Md5Headers::Apop3d if is("Delivered-To") || is("X-Delivery-ID") => Part::In,
            Md5Headers::Apop3d => Part::Out,
        };
    }

    /// Is the value of this header of any interest?
    #[must_use]
    pub fn wants(&self) -> bool {
        match self.part {
            Part::Out => false,
            Part::Early | Part::Received => !self.has_received,
            Part::In => true,
        }
    }

    /// A piece of its value, without line ends.
    pub fn add(&mut self, value: &[u8]) {
        if self.wants() {
            self.md5.update(value);
        }
    }

    /// The header is over.
    pub fn end(&mut self) {
        self.has_received |= self.part == Part::Received;
        self.part = Part::Out;
    }

    /// The sum.
    #[must_use]
    pub fn finish(self) -> [u8; 16] {
        self.md5.finalize().into()
    }
}
