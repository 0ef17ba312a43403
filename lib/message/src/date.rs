//! The Date field: RFC 5322 §3.3 and its obsolete forms (§4.3).

/// A moment, and the zone in which its sender said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Seconds since 1970, UTC.
    pub unix: i64,
    /// Minutes east of UTC, within ±1440.
    pub offset_minutes: i32,
}

impl Date {
    /// Days since 1970-01-01 on the sender's calendar, which SENTBEFORE, SENTON and SENTSINCE compare (RFC 3501 §6.4.4:
    /// "disregarding time and timezone").
    #[must_use]
    pub fn local_day(self) -> i64 {
        (self.unix + i64::from(self.offset_minutes) * 60).div_euclid(86_400)
    }
}

/// Days since 1970-01-01 of a date on the Gregorian calendar; `month` and `day` count from 1.
#[must_use]
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

/// Parses the value of a Date field. None where it is no date.
#[must_use]
pub fn parse(value: &[u8]) -> Option<Date> {
    let tokens = tokens(value)?;
    let mut tokens = tokens.iter().map(Vec::as_slice).peekable();
    if tokens
        .peek()
        .is_some_and(|first| first.iter().all(u8::is_ascii_alphabetic))
    {
        // The name of the day says nothing.
        tokens.next();
    }
    let day = number(tokens.next()?, 2).filter(|day| (1..=31).contains(day))?;
    let month = month(tokens.next()?)?;
    let year = year(tokens.next()?)?;
    let (hour, minute, second) = time(tokens.next()?)?;
    let offset_minutes = tokens.next().map_or(0, zone);
    let seconds = day_number(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Date {
        unix: seconds - i64::from(offset_minutes) * 60,
        offset_minutes,
    })
}

/// Words of a date; commas, comments and white space are between them, and dashes, where they are not a zone's sign.
fn tokens(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    /// Longer values are no dates.
    const LONGEST: usize = 1000;
    let value = without_comments(value.get(..LONGEST).unwrap_or(value));
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for word in value
        .split(|&byte| byte.is_ascii_whitespace() || byte == b',')
        .filter(|word| !word.is_empty())
    {
        if tokens.len() < 3 && !word.contains(&b':') {
            tokens.extend(
                word.split(|&byte| byte == b'-')
                    .filter(|word| !word.is_empty())
                    .map(<[u8]>::to_vec),
            );
        } else {
            tokens.push(word.to_vec());
        }
    }
    Some(joined_time(tokens)).filter(|tokens| tokens.len() >= 4)
}

/// `10 : 20` is `10:20` in the obsolete form.
fn joined_time(tokens: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    for token in tokens {
        match joined.last_mut() {
            Some(last) if last.ends_with(b":") || token.starts_with(b":") => last.extend(token),
            _ => joined.push(token),
        }
    }
    joined
}

fn without_comments(value: &[u8]) -> Vec<u8> {
    let (mut out, mut depth, mut bytes) = (Vec::new(), 0_usize, value.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => {
                depth -= 1;
                out.push(b' ');
            }
            b'\\' if depth > 0 => drop(bytes.next()),
            _ if depth == 0 => out.push(byte),
            _ => {}
        }
    }
    out
}

/// A number of at most so many digits.
fn number(token: &[u8], digits: usize) -> Option<i64> {
    let valid = (1..=digits).contains(&token.len()) && token.iter().all(u8::is_ascii_digit);
    valid.then(|| {
        token
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    })
}

fn month(token: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let name = token.get(..3)?;
    (1..)
        .zip(MONTHS)
        .find(|(_, month)| month.eq_ignore_ascii_case(name))
        .map(|(number, _)| number)
}

/// Two digits are 1970 to 2069, as for Dovecot (RFC 5322 §4.3 would begin in 1950), three count from 1900.
fn year(token: &[u8]) -> Option<i64> {
    let year = number(token, 4)?;
    Some(match token.len() {
        0 | 1 => return None,
        2 if year < 70 => year + 2000,
        2 | 3 => year + 1900,
        _ => year,
    })
}

fn time(token: &[u8]) -> Option<(i64, i64, i64)> {
    let mut fields = token.split(|&byte| byte == b':' || byte == b'.');
    let hour = number(fields.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = number(fields.next()?, 2).filter(|minute| *minute < 60)?;
    let second = match fields.next() {
        // A leap second is not counted in UNIX time.
        Some(second) => number(second, 2).filter(|second| *second <= 60)?.min(59),
        None => 0,
    };
    fields.next().is_none().then_some((hour, minute, second))
}

/// Minutes east of UTC. What nobody knows is UTC.
fn zone(token: &[u8]) -> i32 {
    let (sign, digits) = match token.split_first() {
        Some((b'+', digits)) => (1, digits),
        Some((b'-', digits)) => (-1, digits),
        _ => return named_zone(token),
    };
    match number(digits, 4)
        .filter(|_| digits.len() == 4)
        .map(i32::try_from)
    {
        Some(Ok(zone)) if zone < 2400 => sign * (zone / 100 * 60 + zone % 100),
        _ => 0,
    }
}

fn named_zone(token: &[u8]) -> i32 {
    const ZONES: [(&[u8], i32); 8] = [
        (b"EST", -5),
        (b"EDT", -4),
        (b"CST", -6),
        (b"CDT", -5),
        (b"MST", -7),
        (b"MDT", -6),
        (b"PST", -8),
        (b"PDT", -7),
    ];
    if let &[letter] = token {
        return military_zone(letter.to_ascii_uppercase());
    }
    let hours = ZONES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(token));
    hours.map_or(0, |(_, hours)| hours * 60)
}

/// A to M without J are east, N to Y west, Z is UTC (RFC 822 §5.1 as it was meant).
fn military_zone(letter: u8) -> i32 {
    let hours = match letter {
        b'A'..=b'I' => i32::from(letter) - 64,
        b'K'..=b'M' => i32::from(letter) - 65,
        b'N'..=b'Y' => 77 - i32::from(letter),
        _ => 0,
    };
    hours * 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: &str) -> Option<(i64, i32)> {
        parse(value.as_bytes()).map(|date| (date.unix, date.offset_minutes))
    }

    #[test]
    fn dates_new_and_old() {
        let moment = 989_000_744;
        for (value, offset) in [
            ("Fri, 4 May 2001 14:25:44 -0400", -240),
            ("4 May 2001 18:25:44 +0000", 0),
            ("Fri,4 May 01 14:25:44 EDT (summer \\) (in) New York)", -240),
            ("Friday, 04-May-101 14 : 25: 44 EDT", -240),
            (" 4 (x) May 2001\r\n 18:25:44", 0),
            ("4 May 2001 18.25.44 Z", 0),
            ("4 May 2001 19:25:44 A", 60),
            ("4 May 2001 06:25:44 y", -720),
            ("4 May 2001 23:55:44 +0530", 330),
        ] {
            assert_eq!(at(value), Some((moment, offset)), "{value}");
        }
        assert_eq!(at("1 Jan 1970 00:00 GMT"), Some((0, 0)));
        assert_eq!(
            at("29 Feb 2024 23:59:60 -1200").map(|(unix, _)| unix),
            Some(1_709_294_399)
        );
    }

    #[test]
    fn what_is_no_date() {
        for value in [
            "",
            "x",
            "32 May 2001 10:00",
            "4 Foo 2001 10:00",
            "4 May 2001",
            "4 May 2001 25:00",
            "4 May 1 10:00",
            "May",
            "4 May 2001 1:2:3:4",
        ] {
            assert_eq!(at(value), None, "{value}");
        }
        let value = b"Fri, 4 May 2001 14:25:44 -0400 (x)";
        for len in 0..value.len() {
            let _ = parse(&value[..len]);
        }
    }

    #[test]
    fn the_day_is_the_sender_s() {
        let date = parse(b"1 Jan 2020 23:30 -0500").unwrap();
        assert_eq!(date.local_day(), day_number(2020, 1, 1));
        assert_eq!(day_number(1969, 12, 31), -1);
        assert_eq!(day_number(2000, 3, 1), 11_017);
    }
}
