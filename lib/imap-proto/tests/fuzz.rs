//! Random bytes through everything that clients can reach: no panic, no unbounded growth, and pieces do not matter.

use imap_proto::append::Append;
use imap_proto::list::List;
use imap_proto::search::Program;
use imap_proto::store::Store;
use imap_proto::{
    Args, Command, Decoder, Event, Limits, Messages, Refusal, SequenceSet, fetch, id, mutf7, status,
};

const LIMITS: Limits = Limits {
    line: 256,
    literal: 64,
    literals: 128,
};

fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Decoder::new(LIMITS, Messages::Streamed);
    let mut events = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (taken, event) = decoder.feed(rest);
            rest = rest.get(taken..).unwrap_or_default();
            match event {
                Event::Incomplete => assert!(rest.is_empty(), "incomplete, but input is left"),
                Event::Refused {
                    reason: Refusal::Ambiguous,
                    ..
                } => return events,
                event => events.push(event),
            }
        }
    }
    events
}

fn every_grammar(bytes: &[u8]) {
    let args = || Args::new(bytes);
    let _ = Append::take(&mut args());
    let _ = List::take(&mut args());
    let _ = List::take_lsub(&mut args());
    let _ = Program::take(&mut args());
    let _ = Store::take(&mut args());
    let _ = SequenceSet::take(&mut args());
    let _ = fetch::items(&mut args());
    let _ = id::take(&mut args());
    let _ = status::items(&mut args());
}

#[test]
fn framing_does_not_depend_on_pieces() {
    bolero::check!()
        .with_type::<(Vec<u8>, usize)>()
        .for_each(|(input, at)| {
            let (one, other) = input.split_at(at.checked_rem(input.len() + 1).unwrap_or(0));
            assert_eq!(events(&[one, other]), events(&[input]));
        });
}

#[test]
fn no_grammar_panics() {
    bolero::check!().for_each(|input: &[u8]| {
        every_grammar(input);
        let command = Command::new(input.to_vec());
        if let Ok(head) = command.head() {
            every_grammar(head.args.rest());
        }
    });
}

#[test]
fn names_of_mailboxes_go_both_ways() {
    bolero::check!().for_each(|input: &[u8]| {
        if let Some(name) = mutf7::decode(input) {
            assert_eq!(mutf7::decode(mutf7::encode(&name).as_bytes()), Some(name));
        }
        let name = String::from_utf8_lossy(input);
        assert_eq!(
            mutf7::decode(mutf7::encode(&name).as_bytes()).as_deref(),
            Some(&*name)
        );
    });
}
