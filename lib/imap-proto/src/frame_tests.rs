//! Commands whole, in pieces, truncated, and too large.

use super::*;
use proptest::prelude::*;

const SMALL: Limits = Limits {
    line: 64,
    literal: 16,
    literals: 24,
};

/// What a client would see and a server would do, in order.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Seen {
    Command(Vec<u8>),
    Continue(u64),
    Message(Vec<u8>, u64),
    Refused(Refusal),
}

/// Feeds pieces; reads streamed messages as a session would.
fn run(pieces: &[&[u8]], messages: Messages) -> Vec<Seen> {
    let mut decoder = Decoder::new(SMALL, messages);
    let mut seen = Vec::new();
    let mut message_left = 0u64;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            if message_left > 0 {
                let count = rest
                    .len()
                    .min(usize::try_from(message_left).unwrap_or(usize::MAX));
                message_left -= count as u64;
                rest = &rest[count..];
                continue;
            }
            let (count, event) = decoder.feed(rest);
            rest = &rest[count..];
            match event {
                Event::Incomplete => assert!(rest.is_empty()),
                Event::Command(command) => seen.push(Seen::Command(command.into_bytes())),
                Event::NeedContinuation { size } => seen.push(Seen::Continue(size)),
                Event::Message { command, size, .. } => {
                    seen.push(Seen::Message(command.into_bytes(), size));
                    message_left = size;
                }
                Event::Refused { reason, .. } => {
                    seen.push(Seen::Refused(reason));
                    if reason == Refusal::Ambiguous {
                        return seen;
                    }
                }
            }
        }
    }
    seen
}

fn whole(input: &[u8]) -> Vec<Seen> {
    run(&[input], Messages::Streamed)
}

/// Whatever the pieces, the same is seen.
fn same_in_all_pieces(input: &[u8]) -> Vec<Seen> {
    let expected = whole(input);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(run(&bytes, Messages::Streamed), expected, "byte at a time");
    for at in 0..=input.len() {
        let (one, other) = input.split_at(at);
        assert_eq!(
            run(&[one, other], Messages::Streamed),
            expected,
            "split at {at}"
        );
        let truncated = whole(one);
        assert!(
            expected.starts_with(&truncated),
            "truncated at {at}: {truncated:?}"
        );
    }
    expected
}

fn command(text: &[u8]) -> Seen {
    Seen::Command(text.to_vec())
}

#[test]
fn lines_end_in_crlf_or_lf() {
    let seen = same_in_all_pieces(b"a NOOP\r\nb NOOP\n\r\nc LOGOUT\r\n");
    assert_eq!(
        seen,
        [
            command(b"a NOOP"),
            command(b"b NOOP"),
            command(b""),
            command(b"c LOGOUT")
        ]
    );
}

#[test]
fn literals_stand_in_their_place() {
    let seen = same_in_all_pieces(b"a LOGIN {3}\r\nx\r\n {2+}\r\npw\r\nb NOOP\r\n");
    assert_eq!(
        seen,
        [
            Seen::Continue(3),
            command(b"a LOGIN {3}\r\nx\r\n {2+}\r\npw"),
            command(b"b NOOP")
        ]
    );
    let seen = same_in_all_pieces(b"a LOGIN {0+}\r\n {0}\r\n\r\n");
    assert_eq!(
        seen,
        [Seen::Continue(0), command(b"a LOGIN {0+}\r\n {0}\r\n")]
    );
}

#[test]
fn no_continuation_for_what_is_no_literal() {
    let seen = same_in_all_pieces(b"a X {-1}\r\nb X {+5}\r\nc X { 5}\r\nd X {5 }\r\ne X {0x5}\r\nf X {99999999999999999999}\r\n");
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|seen| matches!(seen, Seen::Command(_))));
}

#[test]
fn the_message_of_append_is_not_kept() {
    let seen = same_in_all_pieces(b"a APPEND x (\\Seen) {500+}\r\n");
    assert_eq!(
        seen,
        [Seen::Message(
            b"a APPEND x (\\Seen) {500+}\r\n".to_vec(),
            500
        )]
    );
    let seen = same_in_all_pieces(b"a append {5+}\r\nINBOX {4}\r\nbody\r\n");
    assert_eq!(
        seen,
        [
            Seen::Message(b"a append {5+}\r\nINBOX {4}\r\n".to_vec(), 4),
            command(b"")
        ]
    );
    assert_eq!(
        run(&[b"a APPEND x {4+}\r\nbody\r\n"], Messages::Buffered),
        [command(b"a APPEND x {4+}\r\nbody")]
    );
}

#[test]
fn long_lines_are_refused_once_and_dropped() {
    let long = [b"a X ".as_slice(), &[b'x'; 100], b"\r\nb NOOP\r\n"].concat();
    assert_eq!(
        same_in_all_pieces(&long),
        [Seen::Refused(Refusal::LineTooLong), command(b"b NOOP")]
    );
    let endless = vec![b'('; 1 << 20];
    assert_eq!(whole(&endless), [Seen::Refused(Refusal::LineTooLong)]);
}

#[test]
fn literals_in_dropped_lines_are_dropped_too() {
    let long = [
        b"a X ".as_slice(),
        &[b'x'; 100],
        b" {10+}\r\nb LOGIN \r\n\r\nc NOOP\r\n",
    ]
    .concat();
    assert_eq!(
        same_in_all_pieces(&long),
        [Seen::Refused(Refusal::LineTooLong), command(b"c NOOP")]
    );
}

#[test]
fn refused_literals_are_never_commands() {
    let refused = |size, sync| Seen::Refused(Refusal::LiteralTooLong { size, sync });
    assert_eq!(
        same_in_all_pieces(b"a X {17}\r\nb NOOP\r\n"),
        [refused(17, Sync::Waits), command(b"b NOOP")]
    );
    let seen = same_in_all_pieces(b"a X {20+}\r\nb LOGIN eve evepw\r\n\n x\r\nc NOOP\r\n");
    assert_eq!(seen, [refused(20, Sync::Sends), command(b"c NOOP")]);
    let seen = same_in_all_pieces(b"a X {16+}\r\n0123456789abcdef {9+}\r\n123456789\r\nc NOOP\r\n");
    assert_eq!(seen, [refused(9, Sync::Sends), command(b"c NOOP")]);
    assert_eq!(
        whole(b"a X \"{5+}\r\nb NOOP\r\n"),
        [Seen::Refused(Refusal::Ambiguous)]
    );
}

#[test]
fn refusals_know_the_tag() {
    let mut decoder = Decoder::new(SMALL, Messages::Streamed);
    let (_, event) = decoder.feed(b"tag X {100}\r\n");
    assert!(matches!(event, Event::Refused { tag: Some(tag), .. } if tag.as_str() == "tag"));
    assert!(!decoder.is_partial());
}

#[test]
fn lines_that_are_no_commands() {
    let mut decoder = Decoder::new(SMALL, Messages::Streamed);
    assert_eq!(decoder.feed_line(b"DO"), (2, Event::Incomplete));
    assert_eq!(
        decoder.feed_line(b"NE {5+}\r\nx"),
        (9, Event::Command(Command::new(b"DONE {5+}".to_vec())))
    );
    assert!(matches!(
        decoder.feed_line(&[b'A'; 65]),
        (
            65,
            Event::Refused {
                reason: Refusal::LineTooLong,
                ..
            }
        )
    ));
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        words in proptest::collection::vec("a |X |\"|\\\\|\\{[0-9+]{0,3}\\}\r\n|\r\n|\n|APPEND x |[ -~]{0,9}", 0..30),
        cuts in proptest::collection::vec(0usize..200, 0..8),
    ) {
        let input = words.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        prop_assert_eq!(run(&pieces, Messages::Streamed), whole(&input));
    }
}
