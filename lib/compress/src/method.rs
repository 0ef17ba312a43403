//! The methods: names, levels, first bytes.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::{BadLevel, lz4};

/// How a mail is compressed. The names are those of the setting `zlib_save`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `gz`: RFC 1952.
    Gz,
    /// `bz2`
    Bz2,
    /// `xz`
    Xz,
    /// `lz4`: Dovecot's own frames around lz4 blocks.
    Lz4,
    /// `zstd`: RFC 8878.
    Zstd,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gz, Self::Bz2, Self::Xz, Self::Lz4, Self::Zstd];

    /// So many first bytes are enough for [`Method::recognise`].
    pub const MAGIC_LEN: usize = lz4::MAGIC.len();

    /// Tells by the first bytes; `None`: not compressed, as far as these bytes say.
    #[must_use]
    pub fn recognise(first: &[u8]) -> Option<Self> {
        let of_bz2 = |rest: &[u8]| {
            rest.split_first().is_some_and(|(level, rest)| {
                matches!(level, b'1'..=b'9')
                    && (rest.starts_with(b"\x31\x41\x59\x26\x53\x59")
                        || rest.starts_with(b"\x17\x72\x45\x38\x50\x90"))
            })
        };
        match first {
            _ if first.starts_with(b"\x1f\x8b") => Some(Self::Gz),
            _ if first.strip_prefix(b"BZh").is_some_and(of_bz2) => Some(Self::Bz2),
            _ if first.starts_with(b"\xfd7zXZ\0") => Some(Self::Xz),
            _ if first.starts_with(lz4::MAGIC) => Some(Self::Lz4),
            _ if first.starts_with(b"\x28\xb5\x2f\xfd") => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Tells by what a source begins with, and leaves it at its beginning.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn of<R: Read + Seek>(source: &mut R) -> io::Result<Option<Self>> {
        let mut first = Vec::with_capacity(Self::MAGIC_LEN);
        source.seek(SeekFrom::Start(0))?;
        source
            .take(Self::MAGIC_LEN as u64)
            .read_to_end(&mut first)?;
        source.seek(SeekFrom::Start(0))?;
        Ok(Self::recognise(&first))
    }

    /// From the setting's word.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The setting's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gz => "gz",
            Self::Bz2 => "bz2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Lowest, usual and highest level. lz4 takes levels and does not care.
    const fn levels(self) -> [u8; 3] {
        match self {
            Self::Gz => [0, 6, 9],
            Self::Bz2 => [1, 9, 9],
            Self::Xz => [0, 6, 9],
            Self::Lz4 => [1, 1, 9],
            Self::Zstd => [1, 3, 22],
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A method and a level that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    method: Method,
    level: u8,
}

impl Encoding {
    /// Checks the level (`zlib_save_level`); `None`: the usual one.
    ///
    /// # Errors
    /// The method has no such level.
    pub fn new(method: Method, level: Option<u8>) -> Result<Self, BadLevel> {
        let [min, usual, max] = method.levels();
        let level = level.unwrap_or(usual);
        if (min..=max).contains(&level) {
            Ok(Self { method, level })
        } else {
            Err(BadLevel {
                method,
                level,
                min,
                max,
            })
        }
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> Method {
        self.method
    }

    /// The level.
    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels() {
        for method in Method::ALL {
            assert_eq!(Method::by_name(method.name()), Some(method));
            let [min, usual, max] = method.levels();
            assert_eq!(Encoding::new(method, None).unwrap().level(), usual);
            assert!(Encoding::new(method, Some(min)).is_ok());
            assert!(Encoding::new(method, Some(max)).is_ok());
            assert!(Encoding::new(method, Some(max + 1)).is_err());
        }
        assert_eq!(Method::by_name("deflate"), None);
        let error = Encoding::new(Method::Bz2, Some(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bz2 has no level 0: it must be between 1 and 9"
        );
    }

    #[test]
    fn mail_is_not_compressed() {
        for plain in [
            &b""[..],
            b"\x1f",
            b"BZh",
            b"BZh9 is a name",
            b"Dovecot-LZ4 rocks\n\n",
            b"Subject: x\n\n",
        ] {
            assert_eq!(Method::recognise(plain), None);
        }
    }
}
