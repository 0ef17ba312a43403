//! Parameters of Content-Type and Content-Disposition: RFC 2045 §5.1, RFC 2231 §3-4.
//!
//! Continuations (`name*0`, `name*1`) are joined; the text stays encoded, since BODYSTRUCTURE sends it so: a joined value
//! with an encoded piece keeps its `*` and is encoded as a whole.

use crate::lex::{Broken, Lexer, Next};
use crate::limits;

/// Names and values, in the order in which Dovecot lists them.
pub(crate) type Params = Vec<(Vec<u8>, Vec<u8>)>;

/// One piece of a continued parameter.
struct Piece {
    name: Vec<u8>,
    index: u32,
    encoded: bool,
    value: Vec<u8>,
}

/// Reads everything after the type. Broken parameters are left out.
pub(crate) fn parse(lexer: &mut Lexer<'_>) -> Params {
    let mut params = Params::new();
    let mut pieces = Vec::new();
    // Dovecot forgets to reset it: `a*1=x; b*=y` makes y the second piece of b.
    let mut index = 0;
    while lexer.peek().is_some() && params.len() + pieces.len() < limits::PARAMETERS {
        let Ok((name, value)) = parameter(lexer) else {
            lexer.take_while(|byte| byte != b';');
            continue;
        };
        match continued(&name, &mut index) {
            Some((len, encoded)) => {
                let name = name.get(..len).unwrap_or(&name).to_vec();
                pieces.push(Piece {
                    name,
                    index,
                    encoded,
                    value,
                });
            }
            None => params.push((name, value)),
        }
    }
    join(&mut pieces, &mut params);
    params
}

/// `; name=value`, then white space.
fn parameter(lexer: &mut Lexer<'_>) -> Result<(Vec<u8>, Vec<u8>), Broken> {
    if lexer.peek() != Some(b';') {
        return Err(Broken);
    }
    lexer.bump();
    lexer.skip_space()?;
    let mut name = Vec::new();
    if lexer.mime_token(&mut name)? == Next::End || lexer.bump() != Some(b'=') {
        return Err(Broken);
    }
    let mut value = Vec::new();
    if lexer.skip_space()? == Next::End {
        return Ok((name, value));
    }
    if lexer.peek() == Some(b'"') {
        lexer.quoted_string(&mut value)?;
    } else if lexer.peek() == Some(b'=') {
        // An encoded word, or base64: people forget to quote them.
        value.extend_from_slice(lexer.take_while(|byte| !b" \t\r\n;".contains(&byte)));
        lexer.skip_space()?;
    } else {
        lexer.mime_token(&mut value)?;
    }
    Ok((name, value))
}

/// Is this `name*`, `name*1` or `name*1*`? Then the length of the name, and whether the value is encoded.
fn continued(name: &[u8], index: &mut u32) -> Option<(usize, bool)> {
    let star = memchr::memchr(b'*', name)?;
    let mut rest = name.get(star + 1..)?;
    if rest.is_empty() {
        return Some((star, true));
    }
    *index = 0;
    while let Some((&digit, tail)) = rest
        .split_first()
        .filter(|(digit, _)| digit.is_ascii_digit())
    {
        *index = index.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        rest = tail;
    }
    match rest {
        b"" => Some((star, false)),
        b"*" => Some((star, true)),
        _ => None,
    }
}

/// Appends the joined parameters, by name.
fn join(pieces: &mut [Piece], params: &mut Params) {
    pieces.sort_by(|a, b| (&a.name, a.index).cmp(&(&b.name, b.index)));
    for pieces in pieces.chunk_by(|a, b| a.name.eq_ignore_ascii_case(&b.name)) {
        let complete = pieces
            .iter()
            .zip(0..)
            .all(|(piece, index)| piece.index == index);
        if complete {
            params.extend(joined(pieces));
        } else {
            params.extend(pieces.iter().map(apart));
        }
    }
}

fn joined(pieces: &[Piece]) -> Option<(Vec<u8>, Vec<u8>)> {
    let first = pieces.first()?;
    let mut name = first.name.clone();
    if !pieces.iter().any(|piece| piece.encoded) {
        return Some((
            name,
            pieces
                .iter()
                .flat_map(|piece| piece.value.iter().copied())
                .collect(),
        ));
    }
    name.push(b'*');
    let mut value = Vec::new();
    if !first.encoded {
        // No charset, no language.
        value.extend_from_slice(b"''");
    }
    for piece in pieces {
        if piece.encoded {
            value.extend_from_slice(&piece.value);
        } else {
            encode(&mut value, &piece.value);
        }
    }
    Some((name, value))
}

/// RFC 2231 §4, as far as Dovecot goes: a percent sign must not look like an encoded byte.
fn encode(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte == b'%' {
            out.extend_from_slice(b"%25");
        } else {
            out.push(byte);
        }
    }
}

/// A piece whose neighbours are missing, as it was written.
fn apart(piece: &Piece) -> (Vec<u8>, Vec<u8>) {
    let mut name = piece.name.clone();
    name.extend_from_slice(format!("*{}", piece.index).as_bytes());
    if piece.encoded {
        name.push(b'*');
    }
    (name, piece.value.clone())
}
