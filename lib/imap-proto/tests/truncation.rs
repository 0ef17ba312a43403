//! Every command, cut off at every byte: an error or another command, never a panic, and never a longer reading.

use imap_proto::list::List;
use imap_proto::search::Program;
use imap_proto::store::Store;
use imap_proto::{Args, fetch, id, status};

fn at_every_byte(text: &str, parse: impl Fn(&mut Args<'_>) -> bool) {
    assert!(parse(&mut Args::new(text.as_bytes())), "{text}");
    for end in 0..text.len() {
        let cut = text.as_bytes().get(..end).unwrap_or_default();
        parse(&mut Args::new(cut));
    }
}

#[test]
fn arguments() {
    at_every_byte(
        " (SPECIAL-USE) \"\" (\"a b\" {3}\r\nabc) RETURN (CHILDREN)",
        |args| List::take(args).is_ok(),
    );
    at_every_byte(
        " CHARSET utf-8 OR (NOT SEEN UID 1:*,5) HEADER \"a\" {2+}\r\nxy SENTON \"1-Feb-1994\" 1,2:* KEYWORD k",
        |args| Program::take(args).is_ok(),
    );
    at_every_byte("+FLAGS.SILENT (\\Seen $Forwarded)", |args| {
        Store::take(args).is_ok()
    });
    at_every_byte(
        "(UID BODY.PEEK[1.2.HEADER.FIELDS (\"a\" b {1}\r\nc)]<0.10> RFC822)",
        |args| fetch::items(args).is_ok(),
    );
    at_every_byte(" (\"name\" \"a\\\"b\" \"os\" NIL)", |args| {
        id::take(args).is_ok()
    });
    at_every_byte("(MESSAGES UNSEEN)", |args| status::items(args).is_ok());
}
