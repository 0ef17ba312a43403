//! `doveconf -S`: one `name=value` a line, as Dovecot's other programs read it.

use std::fmt::Write;

use crate::print::Node;

/// Appends the lines of `nodes`, whose names begin with `prefix`.
pub fn write(nodes: &[Node], prefix: &str, out: &mut String) {
    let mut done: Vec<&str> = Vec::new();
    for node in nodes {
        match node {
            // Writing to a String doesn't fail.
            Node::Value { name, text } => drop(writeln!(out, "{prefix}{name}={text}")),
            Node::Section { kind, .. } if done.contains(&kind.as_str()) => {}
            Node::Section { kind, .. } => {
                done.push(kind);
                sections(nodes, kind, &format!("{prefix}{kind}"), out);
            }
        }
    }
}

/// All sections of a kind: a line with their names, then what stands in each.
fn sections(nodes: &[Node], wanted: &str, path: &str, out: &mut String) {
    let same = nodes.iter().filter_map(|node| match node {
        Node::Section { kind, name, nodes } if kind == wanted => Some((name, nodes)),
        _ => None,
    });
    let is_free = matches!(wanted, "plugin" | "dict");
    let named: Vec<(String, &String, &Vec<Node>)> = same
        .enumerate()
        .map(|(number, (name, nodes))| match name.as_str() {
            "" => (number.to_string(), name, nodes),
            text => (escaped(text), name, nodes),
        })
        .collect();
    let keys: Vec<&str> = named.iter().map(|(key, ..)| key.as_str()).collect();
    let keys = if is_free {
        String::new()
    } else {
        keys.join(" ")
    };
    out.push_str(&format!("{path}={keys}\n"));
    for (key, name, nodes) in named {
        let inner = if is_free {
            format!("{path}/")
        } else {
            format!("{path}/{key}/")
        };
        if let Some(own) = own_name(wanted) {
            out.push_str(&format!("{inner}{own}={name}\n"));
        }
        write(nodes, &inner, out);
    }
}

/// The setting that holds a section's own name.
fn own_name(kind: &str) -> Option<&'static str> {
    match kind {
        "unix_listener" | "fifo_listener" => Some("path"),
        "metric" => Some("metric_name"),
        // These have it among their settings, or have none.
        "passdb" | "userdb" | "plugin" | "dict" => None,
        _ => Some("name"),
    }
}

/// A name as it stands between slashes and spaces.
pub fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('/', "\\s")
        .replace(' ', "\\_")
}
