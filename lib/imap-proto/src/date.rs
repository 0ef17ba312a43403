//! Dates: `date` and `date-time` of RFC 3501 §9, and the way between them and UNIX time.

use crate::args::{Args, SyntaxError};

/// A day of the Gregorian calendar that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A point in time, and the zone that its writer saw it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix: i64,
    /// Seconds east of Greenwich, whole minutes, less than a day.
    pub offset: i32,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: i64 = 86_400;

impl Date {
    /// `None` if there is no such day. `year` 0 to 9999, `month` and `day` from 1.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        let exists =
            year <= 9999 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        exists.then_some(date)
    }

    /// Takes `1-Feb-1994`, with or without quotes.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        Self::parse(&args.astring()?).ok_or(SyntaxError::new("Invalid search date parameter."))
    }

    /// Reads `1-Feb-1994` or `01-Feb-1994`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(3, |byte| *byte == b'-');
        let day = small_number(parts.next()?, 1..=2)?;
        let month = month(parts.next()?)?;
        let year = small_number(parts.next()?, 4..=4)?;
        Self::new(year, month, u8::try_from(day).ok()?)
    }

    /// Days since 1970-01-01; negative before.
    pub fn days(self) -> i64 {
        // Years start in March here: the leap day comes last, and months have a formula.
        let early = i64::from(self.month <= 2);
        let year = i64::from(self.year) - early;
        let month = i64::from(self.month) + 12 * early - 3;
        let day_of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + day_of_year - 719_468
    }

    /// The day that many days after 1970-01-01; days outside the years 0 to 9999 become the nearest inside.
    pub fn from_days(days: i64) -> Self {
        let first = Self {
            year: 0,
            month: 1,
            day: 1,
        };
        let last = Self {
            year: 9999,
            month: 12,
            day: 31,
        };
        let days = days.clamp(first.days(), last.days());
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let early = i64::from(month >= 10);
        let narrow = |value: i64| u8::try_from(value).unwrap_or(1);
        Self {
            year: u16::try_from(era * 400 + year_of_era + early).unwrap_or(0),
            month: narrow(month + 3 - 12 * early),
            day: narrow(day_of_year - (153 * month + 2) / 5 + 1),
        }
    }
}

impl DateTime {
    /// Takes `"17-Jul-1996 02:44:25 -0700"` with its quotes.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        Self::parse(&args.string()?).ok_or(SyntaxError::new("Invalid internal date."))
    }

    /// Reads `17-Jul-1996 02:44:25 -0700`; a single-digit day may have a space before it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b" ").unwrap_or(text);
        let mut words = text.splitn(3, |byte| *byte == b' ');
        let date = Date::parse(words.next()?)?;
        let seconds = time(words.next()?)?;
        let offset = zone(words.next()?)?;
        Some(Self {
            unix: date.days() * DAY + seconds - i64::from(offset),
            offset,
        })
    }

    /// The day that the writer's calendar showed.
    pub fn date(self) -> Date {
        Date::from_days(self.local().div_euclid(DAY))
    }

    fn local(self) -> i64 {
        self.unix.saturating_add(i64::from(self.offset))
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let month = usize::from(self.month)
            .checked_sub(1)
            .and_then(|index| MONTHS.get(index));
        write!(
            formatter,
            "{:02}-{}-{:04}",
            self.day,
            month.unwrap_or(&"Jan"),
            self.year
        )
    }
}

/// As in INTERNALDATE, without the quotes.
impl std::fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.local().rem_euclid(DAY);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs() / 60;
        let date = self.date();
        write!(
            formatter,
            "{date} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
            minutes / 60,
            minutes % 60
        )
    }
}

/// `02:44:25` as seconds of the day; a leap second counts into the next minute.
fn time(text: &[u8]) -> Option<i64> {
    let mut parts = text.splitn(3, |byte| *byte == b':');
    let mut part = |limit: u16| {
        small_number(parts.next()?, 2..=2)
            .filter(|value| *value <= limit)
            .map(i64::from)
    };
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    Some(hour * 3600 + minute * 60 + second)
}

/// `-0700` as seconds east.
fn zone(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let value = i32::from(small_number(digits, 4..=4)?);
    let (hours, minutes) = (value / 100, value % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn month(name: &[u8]) -> Option<u8> {
    let index = MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(month.as_bytes()))?;
    u8::try_from(index + 1).ok()
}

fn small_number(digits: &[u8], width: std::ops::RangeInclusive<usize>) -> Option<u16> {
    let number = crate::literal::number(digits).filter(|_| width.contains(&digits.len()))?;
    u16::try_from(number).ok()
}

fn days_of(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_points_in_time() {
        let when = DateTime::parse(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!(
            when,
            DateTime {
                unix: 837_596_665,
                offset: -25_200
            }
        );
        assert_eq!(when.to_string(), "17-Jul-1996 02:44:25 -0700");
        assert_eq!(
            DateTime::parse(b" 1-Jan-1970 00:00:00 +0000").map(|when| when.unix),
            Some(0)
        );
        assert_eq!(Date::parse(b"29-feb-2024").map(Date::days), Some(19_782));
        assert_eq!(Date::parse(b"1-Jan-1970").map(Date::days), Some(0));
    }

    #[test]
    fn days_that_are_none() {
        for wrong in [
            "29-Feb-2023",
            "0-Jan-2020",
            "32-Jan-2020",
            "1-Foo-2020",
            "1-Jan-20",
            "1-Jan-02020",
            "1-Jan",
            "",
            "--",
        ] {
            assert_eq!(Date::parse(wrong.as_bytes()), None, "{wrong}");
        }
        for wrong in [
            "1-Jan-2020",
            "1-Jan-2020 25:00:00 +0000",
            "1-Jan-2020 00:00:00",
            "1-Jan-2020 00:00:00 0000",
            "1-Jan-2020 00:00:00 +9999",
        ] {
            assert_eq!(DateTime::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn times_out_of_range_stay_printable() {
        assert_eq!(
            DateTime {
                unix: i64::MAX,
                offset: 3600
            }
            .date()
            .to_string(),
            "31-Dec-9999"
        );
        assert_eq!(
            DateTime {
                unix: i64::MIN,
                offset: -3600
            }
            .date()
            .to_string(),
            "01-Jan-0000"
        );
    }

    proptest! {
        #[test]
        fn printing_is_the_inverse_of_parsing(unix in -60_000_000_000i64..250_000_000_000, minutes in -1439i32..1440) {
            let when = DateTime { unix, offset: minutes * 60 };
            prop_assert_eq!(DateTime::parse(when.to_string().as_bytes()), Some(when));
        }

        #[test]
        fn days_count_both_ways(days in -719_528i64..2_932_896) {
            prop_assert_eq!(Date::from_days(days).days(), days);
        }
    }
}
