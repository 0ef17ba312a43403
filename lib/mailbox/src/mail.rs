//! One message.

use std::io::{Read, Seek};
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::{Error, MailCache};

/// A point in time as mail stores it: seconds since 1970 UTC, and the zone to show it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailDate {
    /// UNIX time, seconds.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}

impl MailDate {
    /// A point in time, shown in the system's time zone as Dovecot does. The zone is loaded at the
    /// first call: make one before the process can no longer read /etc/localtime.
    #[must_use]
    pub fn local(seconds: i64) -> Self {
        static ZONE: OnceLock<TimeZone> = OnceLock::new();
        let zone = ZONE.get_or_init(TimeZone::system);
        let offset = Timestamp::from_second(seconds).map_or(0, |at| zone.to_offset(at).seconds());
        Self {
            seconds,
            offset_minutes: i16::try_from(offset / 60).unwrap_or(0),
        }
    }
}

impl MailDate {
    /// `2007-04-13 00:00:00`, as a clock in its zone showed.
    #[must_use]
    pub fn wall_clock(self) -> String {
        let shown = self
            .seconds
            .saturating_add(i64::from(self.offset_minutes) * 60);
        Timestamp::from_second(shown).map_or_else(
            |_| self.seconds.to_string(),
            |time| {
                let time = time.to_zoned(TimeZone::UTC);
                time.strftime("%Y-%m-%d %H:%M:%S").to_string()
            },
        )
    }
}

/// Bytes of a message: streamed, and repositioned for partial fetches.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// What only some formats know of a message, for administrators and POP3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backend {
    /// The UIDL that it had on another server.
    pub pop3_uidl: Option<String>,
    /// Where POP3 lists it.
    pub pop3_order: Option<u32>,
    /// How many messages share its bytes.
    pub refcount: Option<u64>,
    /// Names its bytes within the storage.
    pub storage_id: Option<String>,
}

/// One message of a view.
pub trait Mail {
    /// RFC822.SIZE: every line ended by CRLF, bytes.
    ///
    /// # Errors
    /// The message cannot be read.
    fn size(&mut self) -> Result<u64, Error>;

    /// INTERNALDATE.
    ///
    /// # Errors
    /// The message cannot be read.
    fn internal_date(&mut self) -> Result<MailDate, Error>;

    /// When it came into this mailbox; `None`: unknown.
    ///
    /// # Errors
    /// The message cannot be read.
    fn save_date(&mut self) -> Result<Option<MailDate>, Error>;

    /// Names this message whatever mailbox it is copied to.
    ///
    /// # Errors
    /// The message cannot be read.
    fn guid(&mut self) -> Result<String, Error>;

    /// Who sent it by SMTP; `None`: this format does not keep it.
    ///
    /// # Errors
    /// The message cannot be read.
    fn envelope_sender(&mut self) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// What only some formats know.
    ///
    /// # Errors
    /// The message cannot be read.
    fn backend(&mut self) -> Result<Backend, Error> {
        Ok(Backend::default())
    }

    /// What may be known of it without reading it; `None`: this mailbox has no cache. Dates and sizes are
    /// asked there by [`Mail::size`] and the like.
    fn cache(&mut self) -> Option<&mut dyn MailCache> {
        None
    }

    /// The bytes as stored, decompressed; line ends may be LF or CRLF.
    ///
    /// # Errors
    /// [`Error::Expunged`] when the file is gone.
    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error>;
}
