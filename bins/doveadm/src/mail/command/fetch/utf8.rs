//! `text.utf8`: all headers and bodies of a mail, decoded.

use std::io::{Read, SeekFrom};

use message::charset::CharsetDecoder;
use message::transfer::{Decoder, Encoding};
use message::{Kind, Message, PartId, field, words};

use super::reader::{Reader, Trouble, pieces};
use crate::output::Rows;

/// Prints it part by part.
pub fn print(mail: &mut Reader<'_>, rows: &mut dyn Rows) -> Result<(), Trouble> {
    let message = mail.message()?.clone();
    for id in message.part_ids() {
        header(mail, &message, id, rows)?;
        if matches!(
            message.part(id).kind,
            Kind::Text | Kind::Other | Kind::Overflow
        ) {
            body(mail, &message, id, rows)?;
        }
    }
    rows.end().map_err(Trouble::Output)
}

fn header(
    mail: &mut Reader<'_>,
    message: &Message,
    id: PartId,
    rows: &mut dyn Rows,
) -> Result<(), Trouble> {
    let span = message.part(id).header;
    let file = mail.start()?;
    file.seek(SeekFrom::Start(span.start))
        .map_err(Trouble::Read)?;
    let fields = field::read(file.take(span.size.physical), |_| true).map_err(Trouble::Read)?;
    for field in fields {
        let name = String::from_utf8_lossy(&field.name).into_owned();
        let line = format!("{name}: {}\n", words::decode(&field.value));
        rows.piece(line.as_bytes()).map_err(Trouble::Output)?;
    }
    rows.piece(b"\n").map_err(Trouble::Output)
}

fn body(
    mail: &mut Reader<'_>,
    message: &Message,
    id: PartId,
    rows: &mut dyn Rows,
) -> Result<(), Trouble> {
    let part = message.part(id);
    let file = mail.start()?;
    file.seek(SeekFrom::Start(part.body.start))
        .map_err(Trouble::Read)?;
    let mut transfer = Decoder::new(part.encoding);
    let mut charset = CharsetDecoder::new(message.charset(id));
    let mut lines = Lines::of(part.encoding);
    let (mut bytes, mut text) = (Vec::new(), String::new());
    pieces(&mut file.take(part.body.size.physical), |piece| {
        transfer.feed(piece, &mut bytes);
        charset.feed(&bytes, &mut text);
        let printed = rows.piece(lines.ended(&text).as_bytes());
        bytes.clear();
        text.clear();
        printed.map_err(Trouble::Output)
    })?;
    transfer.finish(&mut bytes);
    charset.feed(&bytes, &mut text);
    charset.finish(&mut text);
    let printed = rows.piece(lines.ended(&text).as_bytes());
    printed.map_err(Trouble::Output)
}

/// How lines end: in quoted-printable by CRLF, as in Dovecot; else as stored.
struct Lines {
    crlf: bool,
    after_cr: bool,
}

impl Lines {
    fn of(encoding: Encoding) -> Self {
        Self {
            crlf: encoding == Encoding::QuotedPrintable,
            after_cr: false,
        }
    }

    fn ended(&mut self, text: &str) -> String {
        if !self.crlf {
            return text.to_owned();
        }
        let mut ended = String::with_capacity(text.len());
        for letter in text.chars() {
            if letter == '\n' && !self.after_cr {
                ended.push('\r');
            }
            self.after_cr = letter == '\r';
            ended.push(letter);
        }
        ended
    }
}
