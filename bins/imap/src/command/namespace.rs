//! NAMESPACE: where mailboxes are. RFC 2342 §5.

use imap_proto::{Args, mutf7, write};
use mailbox::{NamespaceInfo, NamespaceKind};

use super::{After, Command, State};
use crate::session::{Failure, Reply, Session};

pub const COMMAND: Command = Command {
    name: "NAMESPACE",
    valid_in: State::Authenticated,
    after: After::Nothing,
    run,
};

fn run(session: &mut Session<'_>, args: Args<'_>) -> Result<Reply, Failure> {
    args.end()?;
    let namespaces = session.store.namespaces();
    session.client.write_with(|out| {
        out.extend_from_slice(b"* NAMESPACE");
        for kind in KINDS {
            write_kind(out, &namespaces, kind);
        }
        out.extend_from_slice(b"\r\n");
    })?;
    Ok(Reply::ok("Namespace completed."))
}

/// In the order of the response.
const KINDS: [NamespaceKind; 3] = [
    NamespaceKind::Personal,
    NamespaceKind::OtherUsers,
    NamespaceKind::Shared,
];

fn write_kind(out: &mut Vec<u8>, namespaces: &[NamespaceInfo], kind: NamespaceKind) {
    let mut of_kind = namespaces.iter().filter(|one| one.kind == kind).peekable();
    if of_kind.peek().is_none() {
        return out.extend_from_slice(b" NIL");
    }
    out.extend_from_slice(b" (");
    of_kind.for_each(|namespace| write_namespace(out, namespace));
    out.push(b')');
}

fn write_namespace(out: &mut Vec<u8>, namespace: &NamespaceInfo) {
    out.push(b'(');
    write::string(out, mutf7::encode(&namespace.prefix).as_bytes());
    out.push(b' ');
    write::string(out, namespace.separator.to_string().as_bytes());
    out.push(b')');
}
