//! A client's program as tests of mails in one view.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use imap_proto::SyntaxError;
use imap_proto::search::{Program, SearchKey};
use mailbox::{Flags, Keyword};
use message::search::Needle;

use super::test::Test;
use crate::session::{By, Failure, Reply, Selected};

/// A program, ready to be asked of each mail.
pub struct Search {
    /// What must hold.
    pub test: Test,
    /// What header keys look for.
    pub headers: Vec<HeaderKey>,
    /// What BODY keys look for.
    pub bodies: Vec<Needle>,
    /// What TEXT keys look for.
    pub texts: Vec<Needle>,
    /// Does anything ask for INTERNALDATE?
    pub needs_date: bool,
    /// Does anything ask for the size?
    pub needs_size: bool,
}

/// What a header key looks for, and in which field.
pub struct HeaderKey {
    name: Vec<u8>,
    /// Empty: that the field is there.
    pub needle: Needle,
}

impl HeaderKey {
    /// Is it about this field?
    pub fn is_named(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Search {
    /// Checks charset and keys, and finds what they name in the view.
    pub fn compile(program: &Program, selected: &Selected) -> Result<Self, Failure> {
        let charset = charset(program.charset.as_deref())?;
        let mut search = Self {
            test: Test::Always(true),
            headers: Vec::new(),
            bodies: Vec::new(),
            texts: Vec::new(),
            needs_date: false,
            needs_size: false,
        };
        let tests = search.tests(&program.keys, charset, selected)?;
        search.test = Test::Every(tests);
        Ok(search)
    }

    fn tests(
        &mut self,
        keys: &[SearchKey],
        charset: &'static Encoding,
        selected: &Selected,
    ) -> Result<Vec<Test>, Failure> {
        keys.iter()
            .map(|key| self.compile_key(key, charset, selected))
            .collect()
    }

    fn compile_key(
        &mut self,
        key: &SearchKey,
        charset: &'static Encoding,
        selected: &Selected,
    ) -> Result<Test, Failure> {
        Ok(match key {
            SearchKey::All => Test::Always(true),
            // Numbers that are not in the view match nothing: in SEARCH that is no error.
            SearchKey::Seqs(set) => Test::Seqs(set.resolve(selected.mailbox.len())),
            SearchKey::Uids(set) => Test::Seqs(selected.resolve(set, By::Uid)?),
            SearchKey::Has(flag) => Test::Has(crate::command::system_flag(*flag)),
            SearchKey::Lacks(flag) => {
                Test::Not(Box::new(Test::Has(crate::command::system_flag(*flag))))
            }
            SearchKey::Recent => Test::Has(Flags::RECENT),
            SearchKey::Keyword(word) => keyword(word, selected),
            SearchKey::Received(test, date) => {
                self.needs_date = true;
                Test::Received(*test, date.days())
            }
            SearchKey::Sent(test, date) => Test::Sent(*test, date.days()),
            SearchKey::Larger(size) => {
                self.needs_size = true;
                Test::Larger(*size)
            }
            SearchKey::Smaller(size) => {
                self.needs_size = true;
                Test::Smaller(*size)
            }
            SearchKey::Header { name, value } => {
                self.headers.push(HeaderKey {
                    name: name.clone(),
                    needle: needle(value, charset)?,
                });
                Test::Header(self.headers.len() - 1)
            }
            SearchKey::Body(text) => {
                self.bodies.push(needle(text, charset)?);
                Test::Body(self.bodies.len() - 1)
            }
            SearchKey::Text(text) => {
                self.texts.push(needle(text, charset)?);
                Test::Text(self.texts.len() - 1)
            }
            SearchKey::Not(key) => Test::Not(Box::new(self.compile_key(key, charset, selected)?)),
            SearchKey::Or(one, other) => Test::Any(vec![
                self.compile_key(one, charset, selected)?,
                self.compile_key(other, charset, selected)?,
            ]),
            SearchKey::And(keys) => Test::Every(self.tests(keys, charset, selected)?),
        })
    }
}

/// No mail has a keyword that the mailbox does not know.
fn keyword(word: &str, selected: &Selected) -> Test {
    let number = Keyword::new(word).ok().and_then(|word| {
        selected
            .mailbox
            .keywords()
            .iter()
            .position(|known| *known == word)
    });
    number.map_or(Test::Always(false), Test::Keyword)
}

/// RFC 3501 §6.4.4: an unknown charset is NO [BADCHARSET]. Without one, and as US-ASCII, UTF-8 is read as well.
fn charset(name: Option<&str>) -> Result<&'static Encoding, Failure> {
    let Some(name) = name.filter(|name| !name.eq_ignore_ascii_case("us-ascii")) else {
        return Ok(UTF_8);
    };
    let known = Encoding::for_label(name.as_bytes()).filter(|encoding| *encoding != REPLACEMENT);
    known.ok_or_else(|| Reply::no("Unknown charset.").with_code("BADCHARSET").into())
}

fn needle(text: &[u8], charset: &'static Encoding) -> Result<Needle, Failure> {
    let text = charset.decode_without_bom_handling_and_without_replacement(text);
    text.map(|text| Needle::new(&text))
        .ok_or_else(|| SyntaxError::new("Invalid search key.").into())
}
