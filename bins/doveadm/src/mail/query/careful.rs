//! Queries of commands that remove mails: each branch must say where and what.

use super::{Leaf, Node};
use crate::failure::Failure;

/// Where: a mailbox in every branch. What: something else in every branch, if only `all`.
pub fn check(query: &Node, command: &str) -> Result<(), Failure> {
    if !says_where(query) {
        return Err(Failure::Refused(format!(
            "{command}: To avoid accidents, search query must contain MAILBOX in all search branches"
        )));
    }
    if !says_what(query) {
        return Err(Failure::Refused(format!(
            "{command}: To avoid accidents, each branch in search query must contain something else besides MAILBOX \
             (e.g. just add \"all\" if you want everything)"
        )));
    }
    Ok(())
}

fn says_where(node: &Node) -> bool {
    match node {
        Node::Leaf(leaf) => is_mailbox(leaf),
        // What is not in a mailbox is in all others.
        Node::Not(_) => false,
        Node::Any(nodes) => nodes.iter().all(says_where),
        Node::Every(nodes) => nodes.iter().any(says_where),
    }
}

fn says_what(node: &Node) -> bool {
    match node {
        Node::Leaf(leaf) => !is_mailbox(leaf),
        Node::Not(node) => says_what(node),
        Node::Any(nodes) => nodes.iter().all(says_what),
        Node::Every(nodes) => nodes.iter().any(says_what),
    }
}

fn is_mailbox(leaf: &Leaf) -> bool {
    matches!(leaf, Leaf::Mailbox(_) | Leaf::MailboxGuid(_))
}
