//! A client's program as a condition on the mails of one view.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use imap_proto::SyntaxError;
use imap_proto::search::{Program, SearchKey};
use mailbox::{Flags, Keyword};
use message::search::Needle;
use search::{Key, Search, When};

use crate::session::{By, Failure, Reply, Selected};

/// Checks charset and keys, and finds what they name in the view.
pub fn compile(program: &Program, selected: &Selected) -> Result<Search, Failure> {
    let compiler = Compiler {
        charset: charset(program.charset.as_deref())?,
        selected,
    };
    let key = Key::Every(compiler.keys(&program.keys)?);
    Ok(Search::new(key, &*selected.mailbox))
}

struct Compiler<'s> {
    charset: &'static Encoding,
    selected: &'s Selected,
}

impl Compiler<'_> {
    fn keys(&self, keys: &[SearchKey]) -> Result<Vec<Key>, Failure> {
        keys.iter().map(|key| self.key(key)).collect()
    }

    fn key(&self, key: &SearchKey) -> Result<Key, Failure> {
        Ok(match key {
            SearchKey::All => Key::Always(true),
            // Numbers that are not in the view match nothing: in SEARCH that is no error.
            SearchKey::Seqs(set) => Key::Seqs(set.resolve(self.selected.mailbox.len())),
            SearchKey::Uids(set) => Key::Seqs(self.selected.resolve(set, By::Uid)?),
            SearchKey::Has(flag) => Key::Has(crate::command::system_flag(*flag)),
            SearchKey::Lacks(flag) => not(Key::Has(crate::command::system_flag(*flag))),
            SearchKey::Recent => Key::Has(Flags::RECENT),
            SearchKey::Keyword(word) => Keyword::new(word).map_or(Key::Always(false), Key::Keyword),
            SearchKey::Received(test, date) => Key::Received(When::Day(*test, date.days())),
            SearchKey::Sent(test, date) => Key::Sent(When::Day(*test, date.days())),
            SearchKey::Larger(size) => Key::Larger(*size),
            SearchKey::Smaller(size) => Key::Smaller(*size),
            SearchKey::Header { name, value } => Key::Header {
                name: name.clone(),
                needle: self.needle(value)?,
            },
            SearchKey::Body(text) => Key::Body(self.needle(text)?),
            SearchKey::Text(text) => Key::Text(self.needle(text)?),
            SearchKey::Not(key) => not(self.key(key)?),
            SearchKey::Or(one, other) => Key::Any(vec![self.key(one)?, self.key(other)?]),
            SearchKey::And(keys) => Key::Every(self.keys(keys)?),
        })
    }

    fn needle(&self, text: &[u8]) -> Result<Needle, Failure> {
        let text = self
            .charset
            .decode_without_bom_handling_and_without_replacement(text);
        text.map(|text| Needle::new(&text))
            .ok_or_else(|| SyntaxError::new("Invalid search key.").into())
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

/// RFC 3501 §6.4.4: an unknown charset is NO [BADCHARSET]. Without one, and as US-ASCII, UTF-8 is read as well.
fn charset(name: Option<&str>) -> Result<&'static Encoding, Failure> {
    let Some(name) = name.filter(|name| !name.eq_ignore_ascii_case("us-ascii")) else {
        return Ok(UTF_8);
    };
    let known = Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != REPLACEMENT);
    known.ok_or_else(|| Reply::no("Unknown charset.").with_code("BADCHARSET").into())
}
