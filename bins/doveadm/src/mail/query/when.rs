//! Dates, intervals and sizes as people write them.

use imap_proto::Args;
use imap_proto::date::Date;
use imap_proto::search::DateTest;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use search::When;

use super::wrong;
use crate::failure::Failure;

/// `13-Apr-2007` (a day, as in IMAP), `2007-04-13` (from midnight here), `1176418800` (a UNIX time) or
/// `2weeks` (before now).
pub fn date(text: &str, test: DateTest) -> Result<When, Failure> {
    let unix = if is_number(text) {
        text.parse().ok()
    } else if let Some(day) = iso_day(text) {
        day
    } else {
        let mut args = Args::new(text.as_bytes());
        if let (Ok(day), true) = (Date::take(&mut args), args.is_empty()) {
            return Ok(When::Day(test, day.days()));
        }
        let ago = interval(text);
        ago.and_then(|ago| now().checked_sub(i64::from(ago)))
    };
    let unix = unix.ok_or_else(|| wrong(format!("Invalid search date parameter: {text}")))?;
    Ok(When::Time(test, unix))
}

/// UNIX time: mails have dates, and people ask for those before now.
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

/// `None`: it does not look like one. `Some(None)`: there is no such day.
fn iso_day(text: &str) -> Option<Option<i64>> {
    let shape = |(at, letter): (usize, char)| match at {
        4 | 7 => letter == '-',
        _ => letter.is_ascii_digit(),
    };
    if text.len() != 10 || !text.chars().enumerate().all(shape) {
        return None;
    }
    let day: Option<civil::Date> = text.parse().ok();
    let midnight = day.and_then(|day| day.to_zoned(TimeZone::system()).ok());
    Some(midnight.map(|midnight| midnight.timestamp().as_second()))
}

/// Seconds of `5mins`; units may be abbreviated.
fn interval(text: &str) -> Option<u32> {
    const UNITS: [(&str, u32); 5] = [
        ("secs", 1),
        ("mins", 60),
        ("hours", 3600),
        ("days", 86_400),
        ("weeks", 604_800),
    ];
    let (number, unit) = number_and_unit(text)?;
    let unit = unit.trim_start_matches(' ');
    let known = UNITS.iter().find(|(name, _)| is_abbreviated(unit, name));
    u32::try_from(number).ok()?.checked_mul(known?.1)
}

/// Octets of `10`, `10B`, `10k`, `10M`, `10G`, `10T`.
pub fn size(text: &str) -> Result<u64, Failure> {
    let invalid = || wrong(format!("Invalid size: {text}"));
    let (number, unit) = number_and_unit(text).ok_or_else(invalid)?;
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(invalid()),
    };
    number.checked_mul(1 << shift).ok_or_else(invalid)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_abbreviated(short: &str, name: &str) -> bool {
    let beginning = name.get(..short.len());
    !short.is_empty() && beginning.is_some_and(|name| name.eq_ignore_ascii_case(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_ways_to_say_when() {
        let on = |text| date(text, DateTest::On).ok();
        assert_eq!(on("13-Apr-2007"), Some(When::Day(DateTest::On, 13_616)));
        assert_eq!(
            on("1176418800"),
            Some(When::Time(DateTest::On, 1_176_418_800))
        );
        assert!(on("2007-04-13").is_some() && on("2007-02-30").is_none());
        assert!(on("1week").is_some() && on("2years").is_none() && on("tomorrow").is_none());
    }

    #[test]
    fn units_may_be_abbreviated() {
        for (text, seconds) in [
            ("1w", 604_800),
            ("2days", 172_800),
            ("3 h", 10_800),
            ("4min", 240),
        ] {
            assert_eq!(interval(text), Some(seconds), "{text}");
        }
        for wrong in ["w", "1", "1x", "1weeksx", "99999999999s", "-1d"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, octets) in [
            ("0", 0),
            ("7B", 7),
            ("1k", 1024),
            ("1K", 1024),
            ("2M", 2 << 20),
        ] {
            assert_eq!(size(text).ok(), Some(octets), "{text}");
        }
        for wrong in ["", "k", "0.5k", "1x", "99999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
