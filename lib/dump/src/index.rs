//! An index: `dovecot.index` with what its log adds, and the cache beside it. FORMATS.md §1.1.

mod extension;
mod record;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::index::State;
use ::index::log::{LogHeader, Origin, Walk};
use ::index::state::field;
use sys::fs::Fs;

use super::cache::{Cache, Forced};
use super::input::{beginning, name, read, time, u32_at};
use super::{Target, Trouble};

/// What index files begin with.
const PREFIXES: [&str; 3] = ["dovecot.index", "dovecot.map.index", "dovecot.list.index"];

pub fn detect(target: &Target<'_>) -> bool {
    if target.path.is_dir() {
        return in_directory(target.path).is_some();
    }
    let named = name(target.path);
    let exact = PREFIXES.contains(&named.as_str());
    exact && (target.path.exists() || log_of(target.path).exists())
        || State::decode(&beginning_of_index(target.path)).is_ok()
}

/// All of it, if it begins like one.
fn beginning_of_index(path: &Path) -> Vec<u8> {
    match beginning(path).get(..2) {
        Some([7, _]) => read(path).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn in_directory(directory: &Path) -> Option<PathBuf> {
    let paths = PREFIXES.iter().map(|prefix| directory.join(prefix));
    paths
        .into_iter()
        .find(|path| path.exists() || log_of(path).exists())
}

fn log_of(path: &Path) -> PathBuf {
    beside(path, ".log")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub fn dump(target: &Target<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let path = match target.path.is_dir() {
        true => in_directory(target.path)
            .ok_or_else(|| Trouble::file(format!("no index in {}", target.path.display())))?,
        false => target.path.to_owned(),
    };
    let only = match target.words.first() {
        None => None,
        Some(word) => {
            let uid = word.parse::<u32>();
            Some(uid.map_err(|_| Trouble::file(format!("Invalid uid number {word}")))?)
        }
    };
    let state = load(&path)?;
    let cache = Cache::open(&beside(&path, ".cache"), state.header().index_id());
    if only.is_none() {
        writeln!(out, "-- INDEX: {}", path.display())?;
        write_header(&state, told_tail(&path, &state), out)?;
        extension::write_all(&state, out)?;
        write_keywords(&state, out)?;
        writeln!(out, "\n-- CACHE: {}", beside(&path, ".cache").display())?;
        match &cache {
            Some(cache) => cache.write_header(Forced::Hidden, out)?,
            None => writeln!(out, "cache is unusable")?,
        }
        writeln!(out, "\n-- RECORDS: {}", state.len())?;
    }
    for (seq, mail) in (1_u32..).zip(state.records()) {
        if only.is_none_or(|only| only == mail.uid()) {
            record::write(&state, seq, mail, out)?;
            record::write_cached(&state, mail, cache.as_ref(), out)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The state that checkpoint and log make together; of another file the checkpoint alone.
fn load(path: &Path) -> Result<Arc<State>, Trouble> {
    let prefix = PREFIXES.iter().find(|prefix| name(path) == **prefix);
    if let Some(prefix) = prefix.filter(|_| log_of(path).exists()) {
        let directory = path.parent().unwrap_or(Path::new("."));
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        let mut options = ::index::Options::mailbox(&mailbox::Settings::default());
        options.prefix = (*prefix).into();
        return ::index::Index::look(&Fs::real(), directory, options).map_err(|error| {
            Trouble::file(format!("Couldn't open index {}: {error}", path.display()))
        });
    }
    let state = State::decode(&read(path)?);
    state
        .map(Arc::new)
        .map_err(|wrong| Trouble::file(format!("Couldn't open index {}: {wrong}", path.display())))
}

/// How far the mail has been told of the log: behind it, what others did to the mail needs no telling.
fn told_tail(path: &Path, state: &State) -> u32 {
    let place = state.place();
    // Nobody has said so far.
    if place.tail <= LogHeader::SIZE as u64 {
        return 0;
    }
    let log = read(&log_of(path)).unwrap_or_default();
    let is_current = LogHeader::decode(&log).is_ok_and(|header| header.file_seq == place.file_seq);
    let rest = usize::try_from(place.tail)
        .ok()
        .and_then(|tail| log.get(tail..));
    let mut tail = place.tail;
    if let Some(rest) = rest.filter(|_| is_current) {
        for record in Walk::new(rest, place.tail) {
            if record.origin() == Origin::Internal || record.end() > place.head {
                break;
            }
            tail = record.end();
        }
    }
    u32::try_from(tail).unwrap_or(u32::MAX)
}

fn write_header(state: &State, tail: u32, out: &mut dyn Write) -> Result<(), Trouble> {
    // What is computed when it is written: sizes, counts, where the log was.
    let encoded = state.encode();
    let at = |offset| u32_at(&encoded, offset).unwrap_or_default();
    let byte = |offset: usize| encoded.get(offset).copied().unwrap_or_default();
    let dated = |value| format!("{value} ({})", time(value));
    let base_size = encoded
        .get(2..4)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u16::from_le_bytes(*bytes));
    writeln!(out, "version .................. = {}.{}", byte(0), byte(1))?;
    writeln!(out, "base header size ......... = {base_size}")?;
    writeln!(out, "header size .............. = {}", at(4))?;
    writeln!(out, "record size .............. = {}", at(8))?;
    writeln!(out, "compat flags ............. = {}", byte(12))?;
    writeln!(out, "index id ................. = {}", dated(at(16)))?;
    writeln!(out, "flags .................... = {}", at(field::FLAGS))?;
    let validity = at(field::UID_VALIDITY);
    writeln!(out, "uid validity ............. = {}", dated(validity))?;
    for (name, offset) in [
        ("next uid .................", field::NEXT_UID),
        ("messages count ...........", field::MESSAGES),
        ("seen messages count ......", field::SEEN),
        ("deleted messages count ...", field::DELETED),
        ("first recent uid .........", field::FIRST_RECENT),
        ("first unseen uid lowwater ", field::FIRST_UNSEEN_LOW),
        ("first deleted uid lowwater", field::FIRST_DELETED_LOW),
        ("log file seq .............", field::LOG_SEQ),
    ] {
        writeln!(out, "{name} = {}", at(offset))?;
    }
    writeln!(out, "log file tail offset ..... = {tail}")?;
    writeln!(out, "log file head offset ..... = {}", at(field::LOG_HEAD))?;
    for (name, offset) in [
        ("log2 rotate time .........", field::LOG2_ROTATE_TIME),
        ("last temp file scan ......", field::LAST_TEMP_SCAN),
        ("day stamp ................", field::DAY_STAMP),
    ] {
        writeln!(out, "{name} = {}", dated(at(offset)))?;
    }
    for day in 0..8 {
        let first = at(field::DAY_STAMP + 4 + 4 * day);
        writeln!(out, "day first uid[{day}] ......... = {first}")?;
    }
    Ok(())
}

fn write_keywords(state: &State, out: &mut dyn Write) -> Result<(), Trouble> {
    writeln!(out, "-- Keywords --")?;
    for (number, keyword) in state.keywords().iter().enumerate() {
        writeln!(out, "{number:3} = {keyword}")?;
    }
    Ok(())
}
