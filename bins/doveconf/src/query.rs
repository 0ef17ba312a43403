//! `doveconf [-n] [setting …]`: prints the configuration.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use config::table::{self, Readers};
use config::{Config, Effect, Problems, Severity};

use crate::cli::Query;
use crate::print::{Look, Node, Printer, Which};
use crate::simple;
use crate::view::{self, View};

/// Prints what was asked for. Errors are told first, all of them. What cannot be understood keeps everything
/// from being printed; what is wrong only as a whole does not, as with Dovecot's doveconf.
pub fn run(path: &Path, query: &Query) -> anyhow::Result<()> {
    let config = if query.defaults {
        config::parse_text(path, "")
    } else {
        config::parse_file(path)
    };
    let whole = config.check();
    tell(config.problems());
    tell(&whole);
    if config.problems().have_errors() {
        bail!("{}: errors in the configuration", path.display());
    }
    print(&config, query)?;
    if whole.have_errors() {
        bail!("{}: errors in the configuration", path.display());
    }
    Ok(())
}

fn tell(problems: &Problems) {
    for problem in problems.iter() {
        match problem.severity {
            Severity::Error => eprintln!("doveconf: Error: {problem}"),
            Severity::Warning => eprintln!("doveconf: Warning: {problem}"),
        }
    }
}

fn print(config: &Config, query: &Query) -> anyhow::Result<()> {
    let view = view::of(config, &query.filter)?;
    let which = match query {
        Query { changed: true, .. } => Which::Changed,
        Query { assigned: true, .. } => Which::Assigned,
        Query {
            show_hidden: true, ..
        } => Which::Hidden,
        _ => Which::All,
    };
    let printer = Printer {
        which,
        look: look(query),
        readers: readers(query.module.as_deref())?,
    };
    let text = if query.simple {
        simple(&view, &printer, query)?
    } else if query.names.is_empty() {
        whole(config, &view, &printer)
    } else {
        named(&view, &printer, query)?
    };
    // Whoever closed the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Whose settings are printed (`-m`).
fn readers(service: Option<&str>) -> anyhow::Result<Readers> {
    let Some(service) = service else {
        return Ok(Readers::ALL);
    };
    let known = table::SERVICES.iter().find(|(name, ..)| *name == service);
    known
        .map(|(.., readers)| *readers)
        .with_context(|| format!("There is no service {service}"))
}

fn look(query: &Query) -> Look {
    match query {
        Query {
            expand: true,
            show_secrets: true,
            ..
        } => Look::Expanded,
        Query { expand: true, .. } => Look::ExpandedHidden,
        Query {
            show_secrets: true, ..
        } => Look::Raw,
        _ => Look::RawHidden,
    }
}

fn whole(config: &Config, view: &View, printer: &Printer) -> String {
    let host = rustix::system::uname();
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("# {version} (Culver): {}\n", config.path().display());
    let system = [host.sysname(), host.release(), host.machine()]
        .map(|part| part.to_string_lossy().into_owned())
        .join(" ");
    text.push_str(&format!(
        "# OS: {system}\n# Hostname: {}\n",
        host.nodename().to_string_lossy()
    ));
    let silent = |effect: &&Effect| effect.differs && effect.status != table::Status::Works;
    match config.effects().iter().filter(silent).count() {
        0 => {}
        count => text.push_str(&format!(
            "# {count} settings change nothing here, see doveconf --explain\n"
        )),
    }
    if printer.which.is_all() {
        text.push_str("# NOTE: Send doveconf -n output instead when asking for help.\n");
    }
    for node in printer.root(&view.root) {
        node.write(&mut text, 0);
    }
    for scope in &view.scopes {
        if let Some(node) = printer.scope(scope) {
            node.write(&mut text, 0);
        }
    }
    text
}

/// `-S`: without comments, nothing hidden.
fn simple(view: &View, printer: &Printer, query: &Query) -> anyhow::Result<String> {
    let look = match printer.look {
        Look::RawHidden => Look::Raw,
        Look::ExpandedHidden => Look::Expanded,
        other => other,
    };
    let nodes = Printer { look, ..*printer }.root(&view.root);
    let mut text = String::new();
    if query.names.is_empty() {
        simple::write(&nodes, "", &mut text);
    }
    for name in &query.names {
        let found: Vec<Node> = find(&nodes, name).into_iter().cloned().collect();
        if found.is_empty() {
            bail!("Unknown setting: {name}");
        }
        simple::write(&found, "", &mut text);
    }
    Ok(text)
}

/// `name`, `section`, `section/name`, `section/name/setting`, `plugin/setting`.
fn named(view: &View, printer: &Printer, query: &Query) -> anyhow::Result<String> {
    let secret = match printer.look {
        Look::RawHidden => Look::Raw,
        other => other,
    };
    let nodes = |which| {
        let printer = Printer {
            which,
            look: secret,
            ..*printer
        };
        printer.root(&view.root)
    };
    let (usual, hidden) = (nodes(Which::All), nodes(Which::Hidden));
    let mut text = String::new();
    for name in &query.names {
        let mut found = find(&usual, name);
        if found.is_empty() {
            found = find(&hidden, name);
        }
        if found.is_empty() {
            bail!("Unknown setting: {name}");
        }
        for node in found {
            match node {
                Node::Value { text: value, .. } if query.hide_names => {
                    text.push_str(&format!("{value}\n"))
                }
                Node::Value { text: value, .. } => text.push_str(&format!("{name} = {value}\n")),
                section @ Node::Section { .. } => section.write(&mut text, 0),
            }
        }
    }
    Ok(text)
}

fn find<'n>(nodes: &'n [Node], path: &str) -> Vec<&'n Node> {
    let named = find_in(nodes, path, |name| !name.is_empty());
    if named.is_empty() {
        find_in(nodes, path, str::is_empty)
    } else {
        named
    }
}

/// As [`find`], within sections whose names `enter` likes.
fn find_in<'n>(nodes: &'n [Node], path: &str, enter: fn(&str) -> bool) -> Vec<&'n Node> {
    let mut found = Vec::new();
    for node in nodes {
        match node {
            Node::Value { name, .. } if name == path => found.push(node),
            Node::Section { kind, .. } if path == kind => found.push(node),
            Node::Section { kind, name, nodes } if enter(name) => {
                let full = if name.is_empty() {
                    kind.clone()
                } else {
                    format!("{kind}/{name}")
                };
                let rest = path.strip_prefix(full.as_str());
                match rest.map(|rest| (rest, rest.strip_prefix('/'))) {
                    Some(("", _)) => found.push(node),
                    Some((_, Some(rest))) => found.extend(find(nodes, rest)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found
}
