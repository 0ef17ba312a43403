//! What the Content-* fields of one part's header say: RFC 2045, RFC 2183 (disposition), RFC 3282 (language),
//! RFC 2557 (location), RFC 1864 (MD5); told as BODYSTRUCTURE tells it (RFC 3501 §7.4.2).

use crate::lex::{Broken, Lexer, Next};
use crate::limits;
use crate::param::{self, Params};
use crate::part::Kind;
use crate::transfer::Encoding;
use crate::wire;

/// A Content-Type. Type and subtype are empty where the field is broken.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentType {
    pub main: Vec<u8>,
    pub sub: Vec<u8>,
    pub params: Params,
}

impl ContentType {
    pub fn parse(value: &[u8]) -> Self {
        let mut lexer = Lexer::new(value);
        let (main, sub) = media_type(&mut lexer).unwrap_or_default();
        let params = if main.is_empty() {
            Params::new()
        } else {
            param::parse(&mut lexer)
        };
        Self { main, sub, params }
    }

    /// The value of a parameter, which is not a continued one.
    pub fn param(&self, name: &[u8]) -> Option<&[u8]> {
        self.params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// What bodies of this type are made of. A multipart needs a boundary, too.
    pub fn kind(&self) -> Kind {
        let is = |main: &str| self.main.eq_ignore_ascii_case(main.as_bytes());
        if is("text") {
            Kind::Text
        } else if is("multipart") && !self.sub.is_empty() {
            Kind::Multipart
        } else if is("message") && self.sub.eq_ignore_ascii_case(b"rfc822") {
            Kind::Message
        } else {
            Kind::Other
        }
    }

    pub fn is_digest(&self) -> bool {
        self.kind() == Kind::Multipart && self.sub.eq_ignore_ascii_case(b"digest")
    }
}

/// `type/subtype` and what may follow it; or a type alone, if there is nothing else but a comment.
fn media_type(lexer: &mut Lexer<'_>) -> Result<(Vec<u8>, Vec<u8>), Broken> {
    let (mut main, mut sub) = (Vec::new(), Vec::new());
    lexer.skip_space()?;
    if lexer.mime_token(&mut main) != Ok(Next::More) {
        return Ok((main, sub));
    }
    if main.is_empty() || lexer.bump() != Some(b'/') {
        return Err(Broken);
    }
    lexer.skip_space()?;
    let next = lexer.mime_token(&mut sub)?;
    if sub.is_empty() || (next == Next::More && lexer.peek() != Some(b';')) {
        return Err(Broken);
    }
    Ok((main, sub))
}

/// All fields of one header that describe the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub content_type: Option<ContentType>,
    transfer_encoding: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    md5: Option<Vec<u8>>,
    disposition: Option<(Vec<u8>, Params)>,
    language: Option<Vec<Vec<u8>>>,
    location: Option<Vec<u8>>,
}

impl Content {
    /// Is this header field one of ours?
    pub fn wants(name: &[u8]) -> bool {
        name.get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
    }

    /// Takes one field. Where a field is repeated the first one counts.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        match name
            .get(8..)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_slice()
        {
            b"type" if self.content_type.is_none() => {
                self.content_type = Some(ContentType::parse(value))
            }
            b"transfer-encoding" if self.transfer_encoding.is_none() => {
                self.transfer_encoding = token(value)
            }
            b"id" => set_text(&mut self.id, value),
            b"description" => set_text(&mut self.description, value),
            b"md5" => set_text(&mut self.md5, value),
            b"location" => set_text(&mut self.location, value),
            b"disposition" => self.add_disposition(value),
            b"language" if self.language.is_none() => self.language = languages(value),
            _ => {}
        }
    }

    /// Here the first one with parameters counts.
    fn add_disposition(&mut self, value: &[u8]) {
        if self
            .disposition
            .as_ref()
            .is_none_or(|(_, params)| params.is_empty())
        {
            self.disposition = disposition(value).or(self.disposition.take());
        }
    }

    /// How the body is encoded (RFC 2045 §6.1).
    pub fn encoding(&self) -> Encoding {
        self.transfer_encoding
            .as_deref()
            .map(Encoding::from_name)
            .unwrap_or_default()
    }

    /// Does SEARCH look into such a body?
    pub fn is_searchable(&self, kind: Kind) -> bool {
        let main = self
            .content_type
            .as_ref()
            .map(|content_type| content_type.main.as_slice());
        match kind {
            Kind::Multipart | Kind::Message => false,
            _ => main.is_none_or(|main| {
                main.eq_ignore_ascii_case(b"text") || main.eq_ignore_ascii_case(b"message")
            }),
        }
    }

    /// Of a leaf: type, parameters, id, description, encoding.
    pub fn append_basic(&self, out: &mut Vec<u8>, kind: Kind) {
        let mut params = Params::new();
        match (kind, &self.content_type) {
            (Kind::Message, _) => out.extend_from_slice(b"\"message\" \"rfc822\""),
            (Kind::Overflow, _) => out.extend_from_slice(b"\"application\" \"octet-stream\""),
            (_, None) => out.extend_from_slice(b"\"text\" \"plain\""),
            // A container that contains nothing.
            (_, Some(content_type)) if content_type.main.eq_ignore_ascii_case(b"multipart") => {
                out.extend_from_slice(b"\"application\" \"octet-stream\"");
            }
            (_, Some(content_type)) => {
                wire::string(out, &content_type.main);
                out.push(b' ');
                wire::string(out, &content_type.sub);
            }
        }
        if let Some(content_type) = &self.content_type {
            params.clone_from(&content_type.params);
        }
        if kind == Kind::Text
            && !params
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(b"charset"))
        {
            params.push((b"charset".to_vec(), b"us-ascii".to_vec()));
        }
        out.push(b' ');
        append_params(out, &params);
        for text in [&self.id, &self.description] {
            out.push(b' ');
            wire::optional(out, text.as_deref());
        }
        out.push(b' ');
        wire::string(out, self.transfer_encoding.as_deref().unwrap_or(b"7bit"));
    }

    /// Of a multipart: the subtype.
    pub fn append_subtype(&self, out: &mut Vec<u8>) {
        match &self.content_type {
            Some(content_type) => wire::string(out, &content_type.sub),
            None => out.extend_from_slice(b"\"x-unknown\""),
        }
    }

    /// Of a multipart: the parameters.
    pub fn append_params(&self, out: &mut Vec<u8>) {
        append_params(
            out,
            self.content_type
                .as_ref()
                .map_or(&[], |content_type| &content_type.params),
        );
    }

    pub fn append_md5(&self, out: &mut Vec<u8>) {
        wire::optional(out, self.md5.as_deref());
    }

    /// Disposition, language, location.
    pub fn append_extension(&self, out: &mut Vec<u8>) {
        match &self.disposition {
            Some((value, params)) => {
                out.push(b'(');
                wire::string(out, value);
                out.push(b' ');
                append_params(out, params);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        match &self.language {
            Some(languages) => append_languages(out, languages),
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        wire::optional(out, self.location.as_deref());
    }
}

fn set_text(field: &mut Option<Vec<u8>>, value: &[u8]) {
    field.get_or_insert_with(|| value.to_vec());
}

/// A field that is one token and nothing else.
fn token(value: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let mut token = Vec::new();
    lexer.skip_space().ok()?;
    (lexer.mime_token(&mut token) == Ok(Next::End))
        .then_some(token)
        .filter(|token| !token.is_empty())
}

fn disposition(value: &[u8]) -> Option<(Vec<u8>, Params)> {
    let mut lexer = Lexer::new(value);
    let mut token = Vec::new();
    // A comment without an end leaves nothing to read.
    let _ = lexer.skip_space();
    if lexer.mime_token(&mut token).ok()? == Next::More && lexer.peek() != Some(b';') {
        lexer.take_while(|byte| byte != b';');
    }
    Some((token, param::parse(&mut lexer)))
}

/// Atoms between commas, as far as they go.
fn languages(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut lexer = Lexer::new(value);
    let mut languages = Vec::new();
    lexer.skip_space().ok()?;
    while languages.len() < limits::PARAMETERS {
        let mut language = Vec::new();
        let next = lexer.atom(&mut language);
        if language.is_empty() || next.is_err() {
            break;
        }
        languages.push(language);
        if lexer.peek() != Some(b',') {
            break;
        }
        lexer.bump();
        if lexer.skip_space() != Ok(Next::More) {
            break;
        }
    }
    Some(languages).filter(|languages| !languages.is_empty())
}

fn append_params(out: &mut Vec<u8>, params: &[(Vec<u8>, Vec<u8>)]) {
    if params.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for (index, (name, value)) in params.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        wire::string(out, name);
        out.push(b' ');
        wire::string(out, value);
    }
    out.push(b')');
}

fn append_languages(out: &mut Vec<u8>, languages: &[Vec<u8>]) {
    out.push(b'(');
    for (index, language) in languages.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        wire::string(out, language);
    }
    out.push(b')');
}
