//! Strings, lists and their limits.

use super::*;

fn astring(text: &[u8]) -> Result<Vec<u8>, SyntaxError> {
    let mut args = Args::new(text);
    let word = args.astring()?.into_owned();
    args.end().map(|()| word)
}

#[test]
fn three_ways_to_write_a_string() {
    for text in [
        "a\\b",
        "\"a\\\\b\"",
        "{3}\r\na\\b",
        "{3+}\r\na\\b",
        "{3}\na\\b",
    ] {
        assert_eq!(astring(text.as_bytes()), Ok(b"a\\b".to_vec()), "{text}");
    }
    assert_eq!(astring(b"\"\""), Ok(vec![]));
    assert_eq!(astring(b"{0}\r\n"), Ok(vec![]));
    assert_eq!(astring(b"\"\xe4\""), Ok(vec![0xe4]));
    assert_eq!(astring(b"\"a\\\"b\\\"\""), Ok(b"a\"b\"".to_vec()));
}

#[test]
fn wrong_strings() {
    let wrong: [&[u8]; 16] = [
        b"",
        b"\"",
        b"\"a",
        b"\"a\\",
        b"\"a\\\"",
        b"\"a\0\"",
        b"\"a\\\0\"",
        b"\"a\r\n\"",
        b"{3}\r\nab",
        b"{3}",
        b"{-1}\r\n",
        b"{}\r\n",
        b"{1}\r\n\0",
        b"a\xe4",
        b"a\"b",
        b"{99999999999999999999}\r\n",
    ];
    for text in wrong {
        assert!(astring(text).is_err(), "{text:?}");
    }
}

#[test]
fn nil_is_nothing_only_as_an_atom() {
    assert_eq!(Args::new(b"nil").nstring(), Ok(None));
    assert_eq!(
        Args::new(b"\"NIL\"").nstring().map(|text| text.is_some()),
        Ok(true)
    );
    assert!(Args::new(b"NILS").nstring().is_err());
}

#[test]
fn lists_and_their_spaces() {
    let words = |text: &[u8]| {
        Args::new(text)
            .list(|args| args.atom().map(<[u8]>::to_vec))
            .map(|list| list.len())
    };
    assert_eq!(words(b"()"), Ok(0));
    assert_eq!(words(b"( a  b )"), Ok(2));
    assert!(words(b"(a").is_err());
    assert!(words(b"(a b").is_err());
    assert!(words(b"a)").is_err());
}

#[test]
fn parentheses_are_bounded() {
    fn deep(args: &mut Args<'_>) -> Result<(), SyntaxError> {
        args.list(deep).map(|_| ())
    }
    let nested = |depth: usize| "(".repeat(depth) + &")".repeat(depth);
    assert!(deep(&mut Args::new(nested(50).as_bytes())).is_ok());
    assert!(deep(&mut Args::new(nested(51).as_bytes())).is_err());
    assert!(deep(&mut Args::new("(".repeat(100_000).as_bytes())).is_err());
}
