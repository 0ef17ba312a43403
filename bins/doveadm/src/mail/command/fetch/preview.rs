//! `body.preview`: the beginning of what a mail says.

use std::io::{Read, SeekFrom};

use message::charset::CharsetDecoder;
use message::transfer::Decoder;
use message::{Kind, Message, PartId};

use super::reader::{Reader, Trouble};

/// Characters of a preview, RFC 8970 §2.
const LENGTH: usize = 200;
/// How much of a text is looked at, bytes.
const LOOKED_AT: u64 = 64 << 10;

/// The beginning of the first text, white space as single spaces, without what is quoted from others.
pub fn of(mail: &mut Reader<'_>) -> Result<String, Trouble> {
    let message = mail.message()?.clone();
    let first = message.part_ids().find(|&id| {
        let part = message.part(id);
        part.kind == Kind::Text && part.is_searchable() && !is_attached(&message, id)
    });
    let Some(id) = first else {
        return Ok(String::new());
    };
    let text = text(mail, &message, id)?;
    let own: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('>'))
        .flat_map(str::split_whitespace)
        .collect();
    let preview: String = own.join(" ").chars().take(LENGTH).collect();
    Ok(preview.trim_end().to_owned())
}

/// Is it within another message?
fn is_attached(message: &Message, id: PartId) -> bool {
    let above = std::iter::successors(message.parent(id), |&id| message.parent(id));
    above
        .into_iter()
        .any(|id| message.part(id).kind == Kind::Message)
}

fn text(mail: &mut Reader<'_>, message: &Message, id: PartId) -> Result<String, Trouble> {
    let part = message.part(id);
    let file = mail.start()?;
    file.seek(SeekFrom::Start(part.body.start))
        .map_err(Trouble::Read)?;
    let mut stored = Vec::new();
    let most = part.body.size.physical.min(LOOKED_AT);
    file.take(most)
        .read_to_end(&mut stored)
        .map_err(Trouble::Read)?;
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let mut transfer = Decoder::new(part.encoding);
    transfer.feed(&stored, &mut bytes);
    transfer.finish(&mut bytes);
    let mut charset = CharsetDecoder::new(message.charset(id));
    charset.feed(&bytes, &mut text);
    charset.finish(&mut text);
    Ok(text)
}
