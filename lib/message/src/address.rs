//! Addresses of From, To and the like: RFC 5322 §3.4 with its obsolete forms, and Dovecot's answers to what is broken.
//!
//! What a header does not say is filled in as Dovecot does: `MISSING_MAILBOX`, `MISSING_DOMAIN`, `SYNTAX_ERROR` and
//! `INVALID_ROUTE`. A group is its name in `mailbox` without a domain, its members, and an entry with nothing in it
//! (RFC 3501 §7.4.2).

use crate::lex::{Broken, Lexer, Next, is_atext};

/// One entry of an address list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, not decoded; or the comment after the address.
    pub name: Option<Vec<u8>>,
    /// The source route (RFC 5322 §4.4), like `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// What is before the `@`; the name of a group at its start.
    pub mailbox: Option<Vec<u8>>,
    /// What is after the `@`; none at the start and the end of a group.
    pub domain: Option<Vec<u8>>,
}

/// Reads the unparsed value of an address header. At most `limit` entries are read.
#[must_use]
pub fn parse(value: &[u8], limit: usize) -> Vec<Address> {
    let mut parser = Parser {
        lexer: Lexer::new(value),
        found: Vec::new(),
        limit,
    };
    parser.list();
    parser.found
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    found: Vec<Address>,
    limit: usize,
}

impl Parser<'_> {
    /// `address-list`.
    fn list(&mut self) {
        if self.lexer.skip_space() != Ok(Next::More) {
            return;
        }
        while self.found.len() < self.limit {
            self.address();
            if self.lexer.peek() != Some(b',') {
                return;
            }
            self.lexer.bump();
            match self.lexer.skip_space() {
                Ok(Next::More) => {}
                Ok(Next::End) => return,
                Err(Broken) => return self.add_mailbox(Address::default()),
            }
        }
    }

    /// `address`: a group or a mailbox.
    fn address(&mut self) {
        let start = self.lexer.rest();
        let mut name = Vec::new();
        if self.lexer.phrase(&mut name) == Ok(Next::More) && self.lexer.peek() == Some(b':') {
            self.group(name);
        } else {
            self.lexer.restore(start);
            self.mailbox();
        }
    }

    /// `group` from its colon.
    fn group(&mut self, name: Vec<u8>) {
        self.lexer.bump();
        self.add(Address {
            mailbox: Some(name),
            ..Address::default()
        });
        if self.lexer.skip_space() == Ok(Next::More) && self.lexer.peek() != Some(b';') {
            self.members();
        }
        if self.lexer.peek() == Some(b';') {
            self.lexer.bump();
            // What is broken behind the group is the list's business.
            let _ = self.lexer.skip_space();
        }
        self.add(Address::default());
    }

    fn members(&mut self) {
        while self.found.len() < self.limit {
            self.mailbox();
            if self.lexer.peek() != Some(b',') {
                return;
            }
            self.lexer.bump();
            if self.lexer.skip_space() != Ok(Next::More) {
                return;
            }
        }
    }

    /// `mailbox`: a name and an address in angle brackets, or an address alone.
    fn mailbox(&mut self) {
        let start = self.lexer.rest();
        let mut name = Vec::new();
        let address =
            if self.lexer.phrase(&mut name) == Ok(Next::More) && self.lexer.peek() == Some(b'<') {
                self.named(name)
            } else {
                self.lexer.restore(start);
                self.unnamed()
            };
        self.add_mailbox(address);
    }

    /// `name-addr` from its opening bracket.
    fn named(&mut self, name: Vec<u8>) -> Address {
        let mut address = Address {
            name: Some(name).filter(|name| !name.is_empty()),
            ..Address::default()
        };
        if self.angle(&mut address).is_err() {
            address.domain = Some(b"SYNTAX_ERROR".to_vec());
        }
        address
    }

    /// `angle-addr`.
    fn angle(&mut self, address: &mut Address) -> Result<(), Broken> {
        self.lexer.bump();
        self.more()?;
        if self.lexer.peek() == Some(b'@') {
            address.route = Some(
                self.route()
                    .unwrap_or_else(|Broken| b"INVALID_ROUTE".to_vec()),
            );
            self.more()?;
        }
        if self.lexer.peek() != Some(b'>') {
            let mut local = Vec::new();
            let next = self.local_part(&mut local)?;
            address.mailbox = Some(local);
            if next == Next::End {
                return Err(Broken);
            }
            if self.lexer.peek() == Some(b'@') {
                address.domain = Some(self.domain()?);
            }
        }
        if self.lexer.peek() != Some(b'>') {
            return Err(Broken);
        }
        self.lexer.bump();
        self.lexer.skip_space().map(|_| ())
    }

    fn more(&mut self) -> Result<(), Broken> {
        if self.lexer.skip_space()? == Next::End {
            Err(Broken)
        } else {
            Ok(())
        }
    }

    /// `obs-domain-list` and its colon.
    fn route(&mut self) -> Result<Vec<u8>, Broken> {
        let mut route = Vec::new();
        loop {
            match self.lexer.peek() {
                Some(b'@') => {}
                Some(b':') => break,
                _ => return Err(Broken),
            }
            if !route.is_empty() {
                route.push(b',');
            }
            route.push(b'@');
            let domain = self.domain()?;
            route.extend_from_slice(&domain);
            while self.lexer.skip_space()? == Next::More && self.lexer.peek() == Some(b',') {
                self.lexer.bump();
            }
        }
        self.lexer.bump();
        Ok(route)
    }

    /// `addr-spec` and what people write in its place: a name alone, or the name in a comment behind.
    fn unnamed(&mut self) -> Address {
        let mut address = Address::default();
        let quoted = self.lexer.peek() == Some(b'"');
        self.lexer.comment = Some(Vec::new());
        let mut local = Vec::new();
        let parsed = self.local_part(&mut local);
        let has_domain = self.lexer.peek() == Some(b'@');
        if has_domain {
            address.domain = self.domain().ok();
        }
        let comment = self
            .lexer
            .comment
            .take()
            .filter(|comment| !comment.is_empty());
        let words = if has_domain || comment.is_some() {
            Vec::new()
        } else {
            self.words()
        };
        if let Some(comment) = comment {
            address.name = Some(comment);
        } else if !words.is_empty() {
            address.name = Some([local.as_slice(), b" ", &words].concat());
            return address;
        } else if quoted && parsed.is_ok() && !has_domain {
            address.name = Some(local);
            return address;
        }
        address.mailbox = parsed.ok().map(|_| local);
        address
    }

    /// More words where an address should go on make a name of it. Broken words are shown as far as they can be read.
    fn words(&mut self) -> Vec<u8> {
        let mut words = Vec::new();
        let _ = self.lexer.phrase(&mut words);
        words
    }

    /// `local-part`. Dots may stand at its ends and beside each other, but nothing may follow a dot except `@`.
    fn local_part(&mut self, out: &mut Vec<u8>) -> Result<Next, Broken> {
        if self.lexer.peek() == Some(b'"') {
            return self.lexer.quoted_string(out);
        }
        loop {
            let text = self.lexer.take_while(|byte| is_atext(byte) || byte == b'.');
            out.extend_from_slice(text);
            match self.lexer.peek() {
                _ if text.is_empty() => return Err(Broken),
                None => return Ok(Next::End),
                Some(b'@') => return Ok(Next::More),
                Some(_) if text.ends_with(b".") => return Err(Broken),
                Some(_) => {}
            }
            let next = self.lexer.skip_space()?;
            if self.lexer.peek() != Some(b'.') {
                return Ok(next);
            }
        }
    }

    /// `domain` from its `@`.
    fn domain(&mut self) -> Result<Vec<u8>, Broken> {
        let mut domain = Vec::new();
        self.lexer.bump();
        self.more()?;
        if self.lexer.peek() == Some(b'[') {
            self.lexer.domain_literal(&mut domain)?;
        } else {
            self.lexer.dot_atom(&mut domain)?;
        }
        Ok(domain)
    }

    fn add_mailbox(&mut self, mut address: Address) {
        address
            .mailbox
            .get_or_insert_with(|| b"MISSING_MAILBOX".to_vec());
        address
            .domain
            .get_or_insert_with(|| b"MISSING_DOMAIN".to_vec());
        self.add(address);
    }

    fn add(&mut self, address: Address) {
        if self.found.len() < self.limit {
            self.found.push(address);
        }
    }
}
