//! One name everywhere: binary, unit, socket, descriptor, user. And the sandbox block of a unit is sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;
use crate::{Violation, checkout, read};

/// Binaries that no unit runs under their own name.
const TOOLS: [&str; 2] = ["doveadm", "doveconf"];

/// A unit file.
#[derive(Debug, Default)]
pub struct Unit {
    /// From the root of the checkout.
    pub path: PathBuf,
    /// `culver-imap.socket`.
    pub name: String,
    /// As it stands there.
    pub text: String,
}

impl Unit {
    /// All words of all assignments to a key, each with its line.
    fn words<'a, 'k>(
        &'a self,
        key: &'k str,
    ) -> impl Iterator<Item = (usize, &'a str)> + use<'a, 'k> {
        self.text
            .lines()
            .enumerate()
            .flat_map(move |(index, line)| {
                let value = line
                    .strip_prefix(key)
                    .and_then(|rest| rest.strip_prefix('='));
                value
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(move |word| (index + 1, word))
            })
    }

    fn value(&self, key: &str) -> &str {
        self.words(key).next().map_or("", |(_, word)| word)
    }

    fn is(&self, kind: &str) -> bool {
        Path::new(&self.name)
            .extension()
            .is_some_and(|extension| extension == kind)
    }

    fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation::new(&self.path, line, what)
    }
}

/// Everything that is compared with each other.
#[derive(Debug, Default)]
pub struct Installed {
    /// Services and sockets by name.
    pub units: BTreeMap<String, Unit>,
    /// Names of the directories in bins.
    pub binaries: BTreeSet<String>,
    /// Users and groups of sysusers.d.
    pub accounts: BTreeSet<String>,
    /// The script that makes the package.
    pub package: String,
}

/// Reads units, bins and packaging.
///
/// # Panics
/// They are not there.
#[must_use]
pub fn installed() -> Installed {
    let root = checkout();
    let names = |directory: &str| -> Vec<String> {
        fs::read_dir(root.join(directory))
            .unwrap_or_else(|error| panic!("{directory}: {error}"))
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    };
    let mut installed = Installed {
        binaries: names("bins").into_iter().collect(),
        accounts: accounts(&read("units/sysusers.d/culver.conf")),
        package: read("packaging/deb/build"),
        ..Installed::default()
    };
    for name in names("units") {
        if name.ends_with(".service") || name.ends_with(".socket") {
            let path = Path::new("units").join(&name);
            let text = read(&path.to_string_lossy());
            installed
                .units
                .insert(name.clone(), Unit { path, name, text });
        }
    }
    installed
}

fn accounts(sysusers: &str) -> BTreeSet<String> {
    let lines = sysusers
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| matches!(words.first(), Some(&"u" | &"g")))
        .filter_map(|words| words.get(1).map(|name| (*name).to_owned()))
        .collect()
}

/// Every comparison.
#[must_use]
pub fn of_installed(installed: &Installed, sources: &[Source]) -> Vec<Violation> {
    let mut violations = binaries(installed);
    for unit in installed.units.values() {
        if unit.is("socket") {
            violations.extend(socket(unit, installed));
        } else {
            violations.extend(service(unit, installed));
        }
        violations.extend(sorted(unit));
        for key in ["User", "Group", "SocketUser", "SocketGroup"] {
            for (line, name) in unit.words(key) {
                if name != "root" && !installed.accounts.contains(name) {
                    violations.push(unit.violation(line, format!("sysusers.d makes no {name}")));
                }
            }
        }
    }
    violations.extend(users(installed));
    violations.extend(descriptors(installed, sources));
    violations
}

/// The uid of a caller names its unit (lib/service/src/callers.rs): no two services share a user.
fn users(installed: &Installed) -> Vec<Violation> {
    let mut owners = BTreeMap::new();
    let mut violations = Vec::new();
    for unit in installed.units.values() {
        for (line, user) in unit.words("User") {
            if let Some(other) = owners.insert(user, unit.name.as_str()) {
                violations.push(unit.violation(line, format!("{other} runs as {user} too")));
            }
        }
    }
    violations
}

fn binaries(installed: &Installed) -> Vec<Violation> {
    let mut violations = Vec::new();
    for name in &installed.binaries {
        let path = Path::new("bins").join(name);
        let unit = format!("culver-{name}.service");
        if !TOOLS.contains(&name.as_str()) && !installed.units.contains_key(&unit) {
            violations.push(Violation::new(&path, 0, format!("no units/{unit}")));
        }
        let packed = installed.package.lines().any(|line| {
            let list = line
                .strip_prefix("static=(")
                .or_else(|| line.strip_prefix("dynamic=("));
            list.unwrap_or_default()
                .trim_end_matches(')')
                .split_whitespace()
                .any(|word| word == name)
        });
        if !packed {
            violations.push(Violation::new(
                &path,
                0,
                "not in the lists of packaging/deb/build",
            ));
        }
    }
    violations
}

fn service(unit: &Unit, installed: &Installed) -> Vec<Violation> {
    let mut violations = Vec::new();
    let command = unit.value("ExecStart");
    let binary = command
        .strip_prefix("/usr/libexec/culver/")
        .unwrap_or_default();
    if !installed.binaries.contains(binary) {
        violations.push(unit.violation(0, format!("ExecStart={command}: no such binary of ours")));
    }
    let main = unit.name == "culver.service";
    if !main && unit.name != format!("culver-{binary}.service") {
        violations.push(unit.violation(0, format!("runs {binary}: its name is another")));
    }
    for (line, name) in unit.words("Sockets") {
        match installed.units.get(name) {
            None => violations.push(unit.violation(line, format!("no units/{name}"))),
            Some(socket) if socket.value("Service") != unit.name => {
                violations.push(unit.violation(line, format!("{name} has another Service=")));
            }
            Some(_) => {}
        }
    }
    if !unit
        .text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .any(|line| line.contains("Rights: "))
    {
        violations.push(unit.violation(1, "no Rights: line in the file head"));
    }
    if main {
        violations.extend(whole(unit, installed));
    }
    violations
}

/// culver.service brings up every socket and passes reloads on to every service; to one without a program in its root
/// directory that could run as `ExecReload=`, by a signal of its own.
fn whole(unit: &Unit, installed: &Installed) -> Vec<Violation> {
    let wanted: BTreeSet<&str> = unit.words("Wants").map(|(_, word)| word).collect();
    let told: BTreeSet<&str> = unit
        .words("PropagatesReloadTo")
        .chain(unit.words("ExecReload"))
        .map(|(_, word)| word)
        .filter(|word| word.ends_with(".service"))
        .collect();
    let others = installed
        .units
        .values()
        .filter(|other| other.name != unit.name);
    let missing = others.filter_map(|other| {
        let name = other.name.as_str();
        let (list, key) = if other.is("socket") {
            (&wanted, "Wants")
        } else {
            (&told, "PropagatesReloadTo")
        };
        (!list.contains(name)).then(|| unit.violation(0, format!("no {key}={name}")))
    });
    let unknown = wanted
        .union(&told)
        .filter(|name| !installed.units.contains_key(**name));
    missing
        .chain(unknown.map(|name| unit.violation(0, format!("no units/{name}"))))
        .collect()
}

fn socket(unit: &Unit, installed: &Installed) -> Vec<Violation> {
    let mut violations = Vec::new();
    let service = unit.value("Service");
    match installed.units.get(service) {
        None => violations.push(unit.violation(0, format!("Service={service}: no such unit"))),
        Some(service) if !service.words("Sockets").any(|(_, word)| word == unit.name) => {
            violations.push(unit.violation(0, format!("{} has no Sockets= of it", service.name)));
        }
        Some(_) => {}
    }
    let descriptor = unit.value("FileDescriptorName");
    if unit.name != format!("culver-{descriptor}.socket") {
        violations.push(unit.violation(
            0,
            format!("FileDescriptorName={descriptor}: its name is another"),
        ));
    }
    violations
}

/// What a service takes by name is what its sockets are called, and the other way round.
fn descriptors(installed: &Installed, sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for unit in installed.units.values().filter(|unit| unit.is("service")) {
        let binary = unit
            .value("ExecStart")
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let code = || {
            sources
                .iter()
                .filter(|source| source.package() == format!("bins/{binary}"))
        };
        let sockets = unit
            .words("Sockets")
            .filter_map(|(_, name)| installed.units.get(name));
        let names: BTreeSet<&str> = sockets
            .map(|socket| socket.value("FileDescriptorName"))
            .collect();
        for name in &names {
            let word = format!("\"{name}\"");
            let taken = code().any(|source| {
                source
                    .text
                    .lines()
                    .enumerate()
                    .any(|(index, line)| line.contains(&word) && !source.is_test(index + 1))
            });
            if !taken {
                violations
                    .push(unit.violation(0, format!("bins/{binary} takes no descriptor {word}")));
            }
        }
        for source in code() {
            for (line, name) in taken_by_name(&source.text) {
                if !names.contains(name) && !source.is_test(line) {
                    let what = format!("no socket of {} has FileDescriptorName={name}", unit.name);
                    violations.push(Violation::new(&source.path, line, what));
                }
            }
        }
    }
    violations
}

/// `take_listener("name")` and `take_listeners("name")`.
fn taken_by_name(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let (_, rest) = line.split_once("take_listener")?;
        let name = rest
            .trim_start_matches('s')
            .strip_prefix("(\"")?
            .split('"')
            .next()?;
        Some((index + 1, name))
    })
}

/// After `# Sandbox, sorted.`, to the next empty line.
fn sorted(unit: &Unit) -> Option<Violation> {
    let lines = || {
        unit.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    };
    let block: Vec<(usize, &str)> = lines()
        .skip_while(|(_, line)| *line != "# Sandbox, sorted.")
        .take_while(|(_, line)| !line.is_empty())
        .filter_map(|(number, line)| line.split_once('=').map(|(key, _)| (number, key)))
        .collect();
    if block.is_empty() && unit.is("service") {
        return Some(unit.violation(0, "no block `# Sandbox, sorted.`"));
    }
    let wrong = block
        .windows(2)
        .find(|pair| matches!(pair, [(_, a), (_, b)] if a > b))?;
    let (line, key) = wrong.last()?;
    Some(unit.violation(*line, format!("{key} is out of order")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "# x.\n#\n# Rights: none.\n[Service]\nExecStart=/usr/libexec/culver/anvil\n\
        Sockets=culver-anvil.socket\nUser=culver-anvil\n\n# Sandbox, sorted.\nPrivateNetwork=yes\nUMask=0077\n";
    const SOCKET: &str = "[Socket]\nFileDescriptorName=anvil\nService=culver-anvil.service\nSocketGroup=culver-anvil\n";
    const CODE: &str = "fn f() { s.take_listener(\"anvil\"); }";

    fn check(service: &str, socket: &str, code: &str) -> Vec<String> {
        let mut installed = Installed {
            binaries: ["anvil".to_owned()].into(),
            accounts: ["culver-anvil".to_owned()].into(),
            package: "static=(anvil)".to_owned(),
            ..Installed::default()
        };
        for (name, text) in [
            ("culver-anvil.service", service),
            ("culver-anvil.socket", socket),
        ] {
            let unit = Unit {
                path: Path::new("units").join(name),
                name: name.to_owned(),
                text: text.to_owned(),
            };
            installed.units.insert(name.to_owned(), unit);
        }
        let source = Source::parse("bins/anvil/src/main.rs", code);
        of_installed(&installed, &[source])
            .iter()
            .map(Violation::to_string)
            .collect()
    }

    #[test]
    fn what_fits_is_silent() {
        assert_eq!(check(SERVICE, SOCKET, CODE), [""; 0]);
    }

    #[test]
    fn a_user_of_two_services_is_found() {
        let unit = |name: &str| {
            let unit = Unit {
                path: name.into(),
                name: name.to_owned(),
                text: "[Service]\nUser=culver\n".to_owned(),
            };
            (name.to_owned(), unit)
        };
        let units = [unit("culver-a.service"), unit("culver-b.service")];
        let installed = Installed {
            units: units.into(),
            ..Installed::default()
        };
        assert_eq!(users(&installed).len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_found() {
        let other = |from: &str, to: &str| SERVICE.replace(from, to);
        assert_eq!(
            check(&other("Sockets=", "Sockets=x.socket "), SOCKET, CODE).len(),
            1
        );
        assert_eq!(
            check(&other("/anvil\n", "/hammer\n"), SOCKET, CODE).len(),
            3
        );
        assert_eq!(
            check(&other("User=culver-anvil", "User=nobody"), SOCKET, CODE).len(),
            1
        );
        assert_eq!(check(&other("Rights", "Wrongs"), SOCKET, CODE).len(), 1);
        assert_eq!(
            check(&other("PrivateNetwork", "Zebra"), SOCKET, CODE).len(),
            1
        );
        assert_eq!(
            check(SERVICE, &SOCKET.replace("=anvil", "=hammer"), CODE).len(),
            3
        );
        assert_eq!(
            check(SERVICE, SOCKET, "fn f() { s.take_listeners(\"hammer\"); }").len(),
            2
        );
    }
}
