//! `From_` lines: what begins a message. FORMATS.md §5.2.
//!
//! `From <sender>  <date>`, the date as ctime(3) writes it, in the server's zone. What programs of four
//! decades made of it is accepted as Dovecot accepts it, since it decides where messages end: no
//! seconds, a zone before or after the year, `Thu, 9 Nov 2002 22:33:52`.

use mailbox::MailDate;

/// A line longer than this is judged by its beginning.
pub const LONGEST: usize = 4096;

const WEEKDAYS: [&[u8]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAY: i64 = 24 * 60 * 60;

/// What a `From_` line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromLine<'l> {
    /// Envelope sender, as written.
    pub sender: &'l [u8],
    /// When the message came: UNIX time, seconds.
    pub received: i64,
}

/// Reads a line that follows an LF, `From ` included, without its own LF; `None`: it is no `From_` line.
#[must_use]
pub fn parse(line: &[u8]) -> Option<FromLine<'_>> {
    let rest = line.strip_prefix(b"From ")?;
    let (sender, date) = split_sender(rest)?;
    let received = Text(date).date()?;
    Some(FromLine { sender, received })
}

/// A `From_` line with its LF.
#[must_use]
pub fn compose(sender: &[u8], received: i64) -> Vec<u8> {
    let mut line = b"From ".to_vec();
    let before = line.len();
    line.extend(
        sender
            .iter()
            .filter(|byte| byte.is_ascii_graphic() || **byte >= 0x80),
    );
    if line.len() == before {
        line.extend_from_slice(b"MAILER-DAEMON");
    }
    let local = received.saturating_add(60 * i64::from(MailDate::local(received).offset_minutes));
    let days = local.div_euclid(DAY);
    let seconds = local.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static [u8]], index: i64| -> &'static [u8] {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index).copied())
            .unwrap_or(b"Jan")
    };
    line.extend_from_slice(b"  ");
    line.extend_from_slice(name(&WEEKDAYS, days.rem_euclid(7)));
    line.push(b' ');
    line.extend_from_slice(name(&MONTHS, month - 1));
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let rest = format!(" {day:02} {hours:02}:{minutes:02}:{seconds:02} {year:04}\n");
    line.extend_from_slice(rest.as_bytes());
    line
}

/// The sender ends at a space, a quoted local part may hold some.
fn split_sender(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    if rest.first() == Some(&b'"') {
        at = 1;
        loop {
            match rest.get(at)? {
                b'"' => break at += 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }
    let space = at + rest.get(at..)?.iter().position(|byte| *byte == b' ')?;
    let (sender, date) = rest.split_at_checked(space)?;
    Some((sender, date.trim_ascii_start()))
}

/// What is left of a line.
struct Text<'l>(&'l [u8]);

impl Text<'_> {
    fn peek(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(b'\n')
    }

    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.0.first() == Some(&byte)).then(|| self.skip(1))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.0.get(..count)?;
        let number = number(digits)?;
        self.skip(count);
        Some(number)
    }

    fn month(&mut self) -> Option<i64> {
        let name = self.0.get(..3)?;
        let index = MONTHS
            .iter()
            .position(|month| month.eq_ignore_ascii_case(name));
        // One old mailer knew no months.
        let index = index.or_else(|| (name == b"???").then_some(0))?;
        if self.peek(3) != b' ' {
            return None;
        }
        self.skip(4);
        i64::try_from(index).ok().map(|index| index + 1)
    }

    fn date(mut self) -> Option<i64> {
        // The weekday says nothing that the date does not.
        self.0.get(..4)?;
        self.skip(4);
        let mut date = Civil::default();
        if let Some(month) = self.month() {
            date.month = month;
            date.day = self.day()?;
            self.expect(b' ')?;
            self.time(&mut date)?;
            self.expect(b' ')?;
            self.skip_zone_before_year()?;
            date.year = self.digits(4)?;
        } else {
            self.skip(1);
            date.day = self.short_number()?;
            self.expect(b' ')?;
            date.month = self.month()?;
            date.year = self.digits(4)?;
            self.skip(1);
            self.time(&mut date)?;
            // A space is no part of the date, and may be missing.
            let _ = self.expect(b' ');
        }
        let seconds = date.seconds();
        Some(match self.zone() {
            Some(zone) => seconds - zone,
            None => utc_of_local(seconds),
        })
    }

    fn day(&mut self) -> Option<i64> {
        let _ = self.expect(b' ');
        self.short_number()
    }

    /// One or two digits.
    fn short_number(&mut self) -> Option<i64> {
        self.digits(2).or_else(|| self.digits(1))
    }

    fn time(&mut self, date: &mut Civil) -> Option<()> {
        date.hour = self.digits(2)?;
        self.expect(b':')?;
        date.minute = self.digits(2)?;
        if self.expect(b':').is_some() {
            date.second = self.digits(2)?;
        }
        Some(())
    }

    /// `EET 2001`, `+0200 2001`: such a zone has never been believed.
    fn skip_zone_before_year(&mut self) -> Option<()> {
        let year = self.0.get(..4).and_then(number);
        if year.is_none() {
            let space = self.0.iter().position(|byte| *byte == b' ')?;
            self.skip(space + 1);
        }
        Some(())
    }

    /// ` +0200`, in seconds.
    fn zone(&self) -> Option<i64> {
        let zone = self.0.strip_prefix(b" ").unwrap_or(self.0);
        let (sign, digits) = zone.split_first()?;
        let digits = digits.get(..4)?;
        let hours = number(digits.get(..2)?)?;
        let minutes = number(digits.get(2..)?)?;
        let seconds = (hours * 60 + minutes) * 60;
        match sign {
            b'+' => Some(seconds),
            b'-' => Some(-seconds),
            _ => None,
        }
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// A date as written; out of range it counts on, as mktime(3) does.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Default for Civil {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
        }
    }
}

impl Civil {
    fn seconds(&self) -> i64 {
        let day = self.day.max(1);
        let days = days_of(self.year, self.month) + day - 1;
        days * DAY + (self.hour * 60 + self.minute) * 60 + self.second
    }
}

/// Days from 1970-01-01 to the first of a month. Years begin in March here, so that the leap day is
/// the last one of a year.
fn days_of(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let era_days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    era_days + (153 * month + 2) / 5 - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carry, month, day)
}

/// The zone's offset depends on the time that is looked for: guess, then look again.
fn utc_of_local(local: i64) -> i64 {
    let offset = |at| 60 * i64::from(MailDate::local(at).offset_minutes);
    let guess = local - offset(local);
    local - offset(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(line: &str) -> Option<i64> {
        parse(line.as_bytes()).map(|from| from.received)
    }

    #[test]
    fn known_lines() {
        let zoned = "From a@b  Wed Jan 31 23:00:00 2024 +0000";
        assert_eq!(received(zoned), Some(1_706_742_000));
        assert_eq!(parse(zoned.as_bytes()).unwrap().sender, b"a@b");
        assert_eq!(
            received("From a Thu, 9 Nov 2002 22:33:52 +0200"),
            Some(1_036_874_032)
        );
        assert_eq!(
            received("From \"x \\\" y\"@d Thu Nov  9 22:33:52 2000 -0130"),
            Some(973_814_632)
        );
        for accepted in [
            "From a@b Thu Nov 9 22:33:52 2000",
            "From a@b  Thu Nov 29 22:33 2001",
            "From a@b  Thu Nov 29 22:33:52 EET 2001",
            "From a@b  Thu Nov 29 22:33:52 +0200 2001",
            "From a@b  Thu Nov 29 22:33:52 2001 EET and more",
            "From a@b  Thu ??? 29 22:33:52 2001",
            "From  Wed Jan 31 23:00:00 2024 x",
        ] {
            assert!(received(accepted).is_some(), "{accepted}");
        }
    }

    #[test]
    fn sentences_are_no_from_lines() {
        for not in [
            "",
            "From",
            "From ",
            "From here on",
            "From me to you, Thu Nov 9",
            ">From a  Thu Nov 29 22:33:52 2001",
            "From a@b  Thu Foo 29 22:33:52 2001",
            "From a@b  Thu Nov 29 22-33-52 2001",
            "From a@b  Thu Nov 29 22:33:52 x",
            "From \"a@b  Thu Nov 29 22:33:52 2001",
            "from a@b  Thu Nov 29 22:33:52 2001",
        ] {
            assert_eq!(received(not), None, "{not}");
        }
    }

    #[test]
    fn every_truncation_is_judged() {
        let line = b"From \"a b\"@c  Thu Nov 29 22:33:52 2001 +0100";
        for end in 0..line.len() {
            let _ = parse(&line[..end]);
        }
    }

    #[test]
    fn what_is_composed_is_parsed() {
        for seconds in [
            0,
            1,
            951_782_400,
            1_706_742_000,
            4_102_444_799,
            68_169_600 - 1,
        ] {
            let line = compose(b"a b@c\n", seconds);
            let from = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!(from.sender, b"ab@c");
            assert_eq!(from.received, seconds, "{}", String::from_utf8_lossy(&line));
        }
        assert!(compose(b"", 0).starts_with(b"From MAILER-DAEMON  Thu Jan 01"));
    }
}
