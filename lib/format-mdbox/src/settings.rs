//! What the configuration says about mdbox storage.

use std::time::Duration;

use compress::Encoding;
use dbox::AttachmentDir;
use mailbox::MailDate;

/// Of one storage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the configuration says to every format.
    pub common: mailbox::Settings,
    /// `zlib_save`, `mail_compress`; `None`: bodies are stored as they are.
    pub encoding: Option<Encoding>,
    /// `mail_attachment_dir`, to read what was stored there.
    pub attachments: Option<AttachmentDir>,
    /// `mdbox_rotate_size`, bytes: a mail file is not appended to beyond it.
    pub rotate_size: u64,
    /// `mdbox_rotate_interval`: a mail file is not appended to when it is older. Zero: any age.
    pub rotate_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            common: mailbox::Settings::default(),
            encoding: None,
            attachments: None,
            rotate_size: 10 * 1024 * 1024,
            rotate_interval: Duration::ZERO,
        }
    }
}

impl Settings {
    /// Files made before this moment are too old to be appended to; UNIX seconds. The interval is
    /// counted in whole local days, hours or minutes, the current one included.
    #[must_use]
    pub(crate) fn oldest(&self, now: MailDate) -> i64 {
        let Ok(interval) = i64::try_from(self.rotate_interval.as_secs()) else {
            return i64::MIN;
        };
        if interval == 0 {
            return i64::MIN;
        }
        let unit = match interval {
            86400.. => 86400,
            3600.. => 3600,
            60.. => 60,
            _ => 1,
        };
        let east = i64::from(now.offset_minutes) * 60;
        let begun = (now.seconds + east).div_euclid(unit) * unit - east;
        begun.saturating_sub(interval - unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oldest(interval: u64, seconds: i64, offset_minutes: i16) -> i64 {
        let settings = Settings {
            rotate_interval: Duration::from_secs(interval),
            ..Settings::default()
        };
        settings.oldest(MailDate {
            seconds,
            offset_minutes,
        })
    }

    #[test]
    fn intervals_begin_with_their_unit() {
        let day = 86400;
        let noon = 100 * day + day / 2 + 65;
        assert_eq!(oldest(0, noon, 0), i64::MIN);
        assert_eq!(oldest(86400, noon, 0), 100 * day);
        // Two hours east of UTC the day began at 22:00.
        assert_eq!(oldest(86400, noon, 120), 100 * day - 7200);
        assert_eq!(oldest(7 * 86400, noon, 0), 94 * day);
        assert_eq!(oldest(3600, noon, 0), 100 * day + day / 2);
        assert_eq!(oldest(120, noon, 0), 100 * day + day / 2);
        assert_eq!(oldest(30, noon, 0), noon - 29);
        assert_eq!(oldest(u64::MAX, noon, 0), i64::MIN);
    }
}
