//! Numbers with units as Dovecot 2.3 reads and prints them: sizes, times, booleans, octal modes.

/// A factor and the word that `doveconf` prints for it, largest first.
type Unit = (u64, &'static str);

const SIZES: [Unit; 5] = [
    (1 << 40, "T"),
    (1 << 30, "G"),
    (1 << 20, "M"),
    (1 << 10, "k"),
    (1, "B"),
];
const TIMES: [Unit; 5] = [
    (604_800, "weeks"),
    (86_400, "days"),
    (3_600, "hours"),
    (60, "mins"),
    (1, "secs"),
];

/// `yes`, `y`, `1` or `no`, in any case. Anything else is wrong, `n` and `0` too.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "1" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("Invalid boolean value: {text} (use yes or no)")),
    }
}

/// A decimal number from 0 to 2³²-1, or octal when it begins with 0 and `base` says so.
pub fn parse_number(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| format!("Invalid number {text}: {why}");
    if text.starts_with('-') && text.len() > 1 {
        return Err(wrong("Number too small"));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("Not a valid number"));
    }
    text.parse::<u32>()
        .map(u64::from)
        .map_err(|_| wrong("Number too large"))
}

/// A file mode: octal when it begins with 0, otherwise decimal, as Dovecot has it (`mode = 600` is 01130).
pub fn parse_mode(text: &str) -> Result<u64, String> {
    if !text.starts_with('0') {
        return parse_number(text);
    }
    u32::from_str_radix(text, 8)
        .map(u64::from)
        .map_err(|_| format!("Invalid number: {text}"))
}

/// A TCP port, 0 to 65535.
pub fn parse_port(text: &str) -> Result<u64, String> {
    text.parse::<u16>()
        .map(u64::from)
        .map_err(|_| format!("Invalid port number {text}"))
}

/// A number of bytes: `100`, `64 k`, `1M`, `3 GB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("Invalid size: {text}");
    let (digits, unit) = split_number(text).ok_or_else(wrong)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    number.ok_or_else(|| format!("Size is too large: {text}"))
}

/// Which units a time may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Whole seconds; milliseconds are refused.
    Seconds,
    /// The value counts milliseconds.
    Millis,
}

/// A time: `2 secs`, `90m`, `1 weeks`; only 0 may stand without a unit. The result counts in `precision`.
pub fn parse_time(text: &str, precision: Precision) -> Result<u64, String> {
    let wrong = || format!("Invalid time interval: {text}");
    let too_large = || format!("Time interval is too large: {text}");
    let (digits, unit) = split_number(text).ok_or_else(wrong)?;
    let number: u64 = digits.parse().map_err(|_| too_large())?;
    let unit = unit.to_ascii_lowercase();
    let millis = match unit.as_str() {
        "" if number == 0 => return Ok(0),
        "" => {
            return Err(format!(
                "Time interval '{text}' is missing units (add e.g. 's' for seconds)"
            ));
        }
        word if is_unit(word, &["secs", "seconds"]) => 1_000,
        word if is_unit(word, &["mins", "minutes"]) => 60_000,
        word if is_unit(word, &["msecs", "milliseconds"]) => 1,
        word if is_unit(word, &["hours"]) => 3_600_000,
        word if is_unit(word, &["days"]) => 86_400_000,
        word if is_unit(word, &["weeks"]) => 604_800_000,
        _ => return Err(wrong()),
    };
    if millis == 1 && precision == Precision::Seconds {
        return Err(format!(
            "Milliseconds not supported for this setting: {text}"
        ));
    }
    let step = if precision == Precision::Millis {
        millis
    } else {
        millis / 1_000
    };
    let value = number.checked_mul(step).ok_or_else(too_large)?;
    u32::try_from(value).map(u64::from).map_err(|_| too_large())
}

/// Is `word` the beginning of one of these names? `m` and `mi` are minutes, since those are asked first.
fn is_unit(word: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.starts_with(word))
}

/// `12 kb` is `12` and `kb`. None when it doesn't begin with a digit.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    (!digits.is_empty()).then_some((digits, unit.trim_start()))
}

/// As `doveconf` prints a size: in the largest unit that divides it; `0` alone.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

/// As `doveconf` prints a time of whole seconds.
pub fn show_seconds(seconds: u64) -> String {
    show(seconds, &TIMES)
}

/// As `doveconf` prints a time that counts milliseconds.
pub fn show_millis(millis: u64) -> String {
    if millis.is_multiple_of(1_000) {
        show(millis / 1_000, &TIMES)
    } else {
        format!("{millis} ms")
    }
}

fn show(value: u64, units: &[Unit]) -> String {
    let fits = units
        .iter()
        .find(|(factor, _)| value != 0 && value.is_multiple_of(*factor));
    fits.map_or_else(
        || value.to_string(),
        |(factor, word)| format!("{} {word}", value / factor),
    )
}
