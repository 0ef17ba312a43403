//! NAMESPACE: where mailboxes are. RFC 2342 §5.

use imap_proto::{Args, mutf7, write};
use mailbox::NamespaceInfo;

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
        out.extend_from_slice(b"* NAMESPACE (");
        for namespace in &namespaces {
            write_namespace(out, namespace);
        }
        // Other users' and shared mailboxes: there are none.
        out.extend_from_slice(b") NIL NIL\r\n");
    })?;
    Ok(Reply::ok("Namespace completed."))
}

fn write_namespace(out: &mut Vec<u8>, namespace: &NamespaceInfo) {
    out.push(b'(');
    write::string(out, mutf7::encode(&namespace.prefix).as_bytes());
    out.push(b' ');
    write::string(out, namespace.separator.to_string().as_bytes());
    out.push(b')');
}
