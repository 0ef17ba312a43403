//! One mail's FETCH response. RFC 3501 §7.4.2.

use std::io::{self, Read};

use imap_proto::date::DateTime;
use imap_proto::fetch::FetchItem;
use imap_proto::write;
use mailbox::{Flags, Mail, Seq, Uid};
use message::{Found, SectionReader};

use super::known::Known;
use super::plan::{Plan, Wanted};
use super::source::{Remembered, Source, Trouble};
use crate::session::{Client, Counters, EndReason, Failure, Selected, Session};

/// How much of a mail is in memory at once.
const PIECE: usize = 16 << 10;

/// What became of one mail.
pub enum Answered {
    /// The client has it.
    Sent,
    /// The client has it, and was told that it is `\Seen` now.
    SentAndSeen,
    /// Another session has removed it.
    Expunged,
    /// It could not be read; the log says why.
    Unreadable,
}

/// What the view tells of a mail.
struct Facts {
    seq: Seq,
    uid: Uid,
    /// `(\Seen keyword)`
    flags: Vec<u8>,
    becomes_seen: bool,
}

/// Answers for one mail.
pub fn answer(session: &mut Session<'_>, seq: Seq, plan: &Plan) -> Result<Answered, Failure> {
    let Some(selected) = &mut session.selected else {
        return Ok(Answered::Expunged);
    };
    let Some(facts) = facts(selected, seq, plan) else {
        return Ok(Answered::Expunged);
    };
    let mut out = Out {
        client: &mut session.client,
        counters: &mut session.counters,
    };
    let sent = if needs_mail(plan) {
        session.remembered.only(facts.uid);
        match selected.mailbox.mail(seq) {
            Ok(mut mail) => out.mail(&mut *mail, &facts, plan, &mut session.remembered),
            Err(error) => Ok(Err(error.into())),
        }
    } else {
        out.known(&facts, plan).map(Ok)
    };
    if let Err(EndReason::Unreadable(error)) = &sent {
        session.log_unreadable(seq, error);
    }
    match sent? {
        Ok(()) if facts.becomes_seen => Ok(Answered::SentAndSeen),
        Ok(()) => Ok(Answered::Sent),
        Err(Trouble::Store(mailbox::Error::Expunged)) => Ok(Answered::Expunged),
        Err(Trouble::Store(error)) => {
            session.log(&error);
            Ok(Answered::Unreadable)
        }
        Err(Trouble::Read(error)) => {
            session.log_unreadable(seq, &error);
            Ok(Answered::Unreadable)
        }
    }
}

fn facts(selected: &Selected, seq: Seq, plan: &Plan) -> Option<Facts> {
    let uid = selected.mailbox.uid(seq)?;
    let mut state = selected.mailbox.flags(seq)?;
    let becomes_seen =
        plan.sets_seen && selected.is_writable() && !state.flags.contains(Flags::SEEN);
    if becomes_seen {
        state.flags = state.flags.with(Flags::SEEN);
    }
    let mut flags = Vec::new();
    selected.write_flags(&mut flags, &state);
    Some(Facts {
        seq,
        uid,
        flags,
        becomes_seen,
    })
}

/// Is there anything that only the mail itself can tell?
fn needs_mail(plan: &Plan) -> bool {
    let known = |item: &FetchItem| matches!(item, FetchItem::Uid | FetchItem::Flags);
    !plan.sections.is_empty() || !plan.items.iter().all(known)
}

/// Where an answer goes.
struct Out<'o, 'a> {
    client: &'o mut Client<'a>,
    counters: &'o mut Counters,
}

impl Out<'_, '_> {
    /// What the view knows is all that is asked for.
    fn known(&mut self, facts: &Facts, plan: &Plan) -> Result<(), EndReason> {
        let mut small = Small::new(facts);
        for item in &plan.items {
            small.known(facts, item);
        }
        small.flags_if_new(facts, plan);
        self.client.write(&small.bytes)?;
        self.client.write(b")\r\n")
    }

    /// What needs the mail. Trouble is returned as long as nothing was sent; later it ends the session.
    fn mail(
        &mut self,
        mail: &mut dyn Mail,
        facts: &Facts,
        plan: &Plan,
        remembered: &mut Remembered,
    ) -> Result<Result<(), Trouble>, EndReason> {
        let known = Known::of(mail, plan);
        let mut small = Small::new(facts);
        let wanted = (plan, &known);
        let Opened { mut source, parts } = match small.prepare(mail, facts, wanted, remembered) {
            Ok(opened) => opened,
            Err(trouble) => return Ok(Err(trouble)),
        };
        self.client.write(&small.bytes)?;
        let mut separator = separator(&small.bytes);
        for (wanted, part) in plan.sections.iter().zip(&parts) {
            self.client.write(separator)?;
            separator = b" ";
            match (part, &mut source) {
                (Part::Known(bytes), _) => self.known_section(wanted, bytes)?,
                (Part::Found(found), Some(source)) => {
                    self.section(source, wanted, found, remembered)?;
                }
                (Part::Found(_), None) => {}
            }
        }
        self.client.write(b")\r\n")?;
        if let Some(closed) = source.map(Source::close) {
            let missing = known.missing(plan);
            if known.wants_lesson(&missing)
                && let (Some(lesson), Some(cache)) = (closed.lesson(), mail.cache())
            {
                cache.learn(&lesson, &missing);
            }
            closed.remember(remembered);
        }
        Ok(Ok(()))
    }

    /// One section with its label.
    fn section(
        &mut self,
        source: &mut Source<'_>,
        wanted: &Wanted,
        found: &Found,
        remembered: &mut Remembered,
    ) -> Result<(), EndReason> {
        let mut reader = found.open(source.file()).map_err(EndReason::Unreadable)?;
        let (start, size) = wanted.part_of(reader.size());
        seek(&mut reader, found, start, remembered).map_err(EndReason::Unreadable)?;
        self.label(wanted, size)?;
        self.pieces(&mut reader, size)?;
        if let (SectionReader::Span(reader), Found::Span(span), Some(_)) =
            (&reader, found, wanted.partial)
        {
            remembered.ended(*span, reader.position());
        }
        self.count(wanted, size);
        Ok(())
    }

    /// One section that the cache has.
    fn known_section(&mut self, wanted: &Wanted, bytes: &[u8]) -> Result<(), EndReason> {
        let (start, size) = wanted.part_of(bytes.len() as u64);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.label(wanted, size)?;
        self.pieces(&mut bytes.get(start..).unwrap_or_default(), size)?;
        self.count(wanted, size);
        Ok(())
    }

    fn label(&mut self, wanted: &Wanted, size: u64) -> Result<(), EndReason> {
        self.client.write_with(|out| {
            out.extend_from_slice(&wanted.label);
            out.push(b' ');
            write::literal_size(out, size);
        })
    }

    /// Exactly `size` bytes, as the client was told; less is the end of the session.
    fn pieces(&mut self, reader: &mut impl Read, size: u64) -> Result<(), EndReason> {
        let most = usize::try_from(size).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; most];
        let mut left = size;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let count = reader
                .read(piece.get_mut(..room).unwrap_or_default())
                .map_err(EndReason::Unreadable)?;
            if count == 0 {
                return Err(EndReason::Unreadable(io::ErrorKind::UnexpectedEof.into()));
            }
            self.client.write(piece.get(..count).unwrap_or_default())?;
            left = left.saturating_sub(count as u64);
        }
        Ok(())
    }

    fn count(&mut self, wanted: &Wanted, bytes: u64) {
        let counters = &mut *self.counters;
        if wanted.is_header() {
            counters.headers += 1;
            counters.header_bytes += bytes;
        } else {
            counters.bodies += 1;
            counters.body_bytes += bytes;
        }
    }
}

/// A mail whose sections were found.
struct Opened<'m> {
    /// `None`: the mail need not be read.
    source: Option<Source<'m>>,
    /// In the plan's order.
    parts: Vec<Part>,
}

/// Where a section is.
enum Part {
    /// The cache has it.
    Known(Vec<u8>),
    /// In the mail.
    Found(Found),
}

/// The answer up to its sections.
struct Small {
    bytes: Vec<u8>,
}

impl Small {
    fn new(facts: &Facts) -> Self {
        Self {
            bytes: format!("* {} FETCH (", facts.seq).into_bytes(),
        }
    }

    fn start(&mut self, text: &str) {
        self.bytes.extend_from_slice(separator(&self.bytes));
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn known(&mut self, facts: &Facts, item: &FetchItem) {
        match item {
            FetchItem::Uid => self.start(&format!("UID {}", facts.uid)),
            FetchItem::Flags => {
                self.start("FLAGS ");
                self.bytes.extend_from_slice(&facts.flags);
            }
            _ => {}
        }
    }

    /// A mail that becomes `\Seen` by being fetched says so. RFC 3501 §6.4.5.
    fn flags_if_new(&mut self, facts: &Facts, plan: &Plan) {
        if facts.becomes_seen && !plan.wants(&FetchItem::Flags) {
            self.known(facts, &FetchItem::Flags);
        }
    }

    /// Everything that can fail without harm: the small answers, and where the sections are.
    fn prepare<'m>(
        &mut self,
        mail: &'m mut dyn Mail,
        facts: &Facts,
        (plan, known): (&Plan, &Known),
        remembered: &mut Remembered,
    ) -> Result<Opened<'m>, Trouble> {
        let date = if plan.wants(&FetchItem::InternalDate) {
            Some(mail.internal_date()?)
        } else {
            None
        };
        let size = if plan.needs_size() { mail.size()? } else { 0 };
        let mut source = match known.is_enough(plan) {
            true => None,
            false => Some(Source::new(mail.body()?, size, remembered)),
        };
        for (item, known) in plan.items.iter().zip(&known.items) {
            self.known(facts, item);
            match (item, date) {
                (FetchItem::InternalDate, Some(date)) => {
                    self.start("INTERNALDATE ");
                    let offset = i32::from(date.offset_minutes) * 60;
                    write::internal_date(
                        &mut self.bytes,
                        DateTime {
                            unix: date.seconds,
                            offset,
                        },
                    );
                }
                (FetchItem::Size, _) => self.start(&format!("RFC822.SIZE {size}")),
                _ => self.parsed(source.as_mut(), item, known.as_deref())?,
            }
        }
        self.flags_if_new(facts, plan);
        let mut parts = Vec::with_capacity(plan.sections.len());
        for (wanted, known) in plan.sections.iter().zip(&known.sections) {
            parts.push(match (known, &mut source) {
                (Some(known), _) => Part::Known(known.clone()),
                (None, Some(source)) => Part::Found(source.find(&wanted.section)?),
                (None, None) => Part::Found(Found::Nothing),
            });
        }
        Ok(Opened { source, parts })
    }

    fn parsed(
        &mut self,
        source: Option<&mut Source<'_>>,
        item: &FetchItem,
        known: Option<&[u8]>,
    ) -> Result<(), Trouble> {
        match item {
            FetchItem::Envelope => self.start("ENVELOPE "),
            FetchItem::Body => self.start("BODY "),
            FetchItem::BodyStructure => self.start("BODYSTRUCTURE "),
            _ => return Ok(()),
        }
        match (known, source) {
            (Some(known), _) => self.bytes.extend_from_slice(known),
            (None, None) => {}
            (None, Some(source)) => match item {
                FetchItem::Envelope => self.bytes.extend(source.envelope()?),
                FetchItem::Body => source.message()?.write_body(&mut self.bytes)?,
                _ => source.message()?.write_body_structure(&mut self.bytes)?,
            },
        }
        Ok(())
    }
}

/// Between two answers of one mail, none behind the parenthesis.
fn separator(so_far: &[u8]) -> &'static [u8] {
    if so_far.ends_with(b"(") { b"" } else { b" " }
}

/// To the first byte that is wanted; from where the last piece ended, if that is nearer than the beginning.
fn seek<R: io::Read + io::Seek>(
    reader: &mut SectionReader<R>,
    found: &Found,
    start: u64,
    remembered: &Remembered,
) -> io::Result<()> {
    if let (SectionReader::Span(reader), Found::Span(span)) = (&mut *reader, found)
        && let Some(position) = remembered.position(*span, start)
    {
        reader.resume(position)?;
    }
    if start > 0 {
        reader.skip_to(start)
    } else {
        Ok(())
    }
}
