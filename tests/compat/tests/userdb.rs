//! Fields of userdb that are settings: what a session makes of them, ours beside Dovecot's.
#![allow(clippy::panic, reason = "a failed test is a panic")]

use testkit::{Dovecot, Imap, Machine, Reply};

/// Users `NAME:{PLAIN}pw:uid:gid::home::fields`.
const USERS: &str = "\
plain:{PLAIN}pw:3001:3001::/srv/users/plain::
capable:{PLAIN}pw:3001:3001::/srv/users/capable::userdb_imap_capability=XFOO
prefixed:{PLAIN}pw:3001:3001::/srv/users/prefixed::userdb_namespace/inbox/prefix=Mail/
trash:{PLAIN}pw:3001:3001::/srv/users/trash::userdb_namespace/inbox/mailbox/Trash/auto=create
located:{PLAIN}pw:3001:3001::/srv/users/located::userdb_mail=maildir:~/100%%n
setting:{PLAIN}pw:3001:3001::/srv/users/setting::userdb_mail_location=maildir:~/by-%n
longer:{PLAIN}pw:3001:3001::/srv/users/longer::userdb_mail_location+=:INBOX=~/Other
flag:{PLAIN}pw:3001:3001::/srv/users/flag::userdb_namespace/inbox/subscriptions
unknown:{PLAIN}pw:3001:3001::/srv/users/unknown::userdb_nonsense=1 userdb_quota_rule=*:storage=1M
absent:{PLAIN}pw:3001:3001::/srv/users/absent::userdb_namespace/other/prefix=x/
wrong:{PLAIN}pw:3001:3001::/srv/users/wrong::userdb_mail_max_keyword_length=many
word:{PLAIN}pw:3001:3001::/srv/users/word::userdb_mail_fsync=perhaps
plus:{PLAIN}pw:3001:3001::/srv/users/plus::userdb_mail_max_userip_connections+=1
";

const SETTINGS: &str = "
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    special_use = \\Trash
  }
}
passdb {
  driver = passwd-file
  args = /srv/users/passwd
}
userdb {
  driver = passwd-file
  args = /srv/users/passwd
}
";

const OURS: &str = "
protocols = imap lmtp
ssl = yes
ssl_cert = </etc/culver/tls/cert.pem
ssl_key = </etc/culver/tls/key.pem
";

fn names() -> impl Iterator<Item = &'static str> {
    USERS.lines().filter_map(|line| line.split(':').next())
}

fn prepare(machine: &Machine) {
    machine.run("groupadd -g 3001 vmail; useradd -u 3001 -g 3001 -M vmail; mkdir -p /srv/users");
    machine.write_file("/srv/users/passwd", USERS.as_bytes());
    machine.run(
        "cut -d: -f6 /srv/users/passwd | xargs -I{} install -d -o vmail -g vmail {}; chmod 755 /srv/users",
    );
}

/// What a user sees, and what lies in its home afterwards.
fn picture(machine: &Machine, user: &str) -> String {
    let mut imap = Imap::connect(machine.connect(143));
    let login = imap.try_command(&format!("LOGIN {user} pw"));
    if !login.is_ok_and(|reply| reply.is_ok()) || imap.try_command("NOOP").is_err() {
        return "no session".to_owned();
    }
    let mut seen = String::new();
    if user == "capable" {
        seen += &lines(&imap.ok("CAPABILITY"));
    }
    for command in ["NAMESPACE", "LIST \"\" *", "LSUB \"\" *"] {
        seen += &lines(&imap.ok(command));
    }
    drop(imap);
    seen + &machine.run(&format!(
        "cd /srv/users/{user} && find . -maxdepth 2 -type d -name 'cur' | sort"
    ))
}

/// Lines in one order, and without what else there is to say of a mailbox: that is for other tests.
fn lines(reply: &Reply) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in &reply.untagged {
        let name = line
            .text
            .strip_prefix("* LIST (")
            .and_then(|rest| rest.split_once(')'));
        lines.push(name.map_or_else(|| line.text.clone(), |(_, name)| name.to_owned()));
    }
    lines.sort_unstable();
    lines.join("\n") + "\n"
}

#[test]
fn fields_are_settings() {
    let dovecot = Dovecot::boot(SETTINGS);
    let ours = Machine::with_culver();
    for machine in [&*dovecot, &ours] {
        prepare(machine);
    }
    ours.configure(&format!("{OURS}{SETTINGS}"));
    let mut differences = String::new();
    for user in names() {
        let (theirs, mine) = (picture(&dovecot, user), picture(&ours, user));
        println!("{user}:\n{theirs}");
        if mine != theirs {
            differences += &format!("{user}:\n{mine}instead of\n{theirs}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
    let told = ours.run("journalctl --no-pager -o cat CULVER_USER=wrong");
    assert!(
        told.contains("Invalid userdb input 'mail_max_keyword_length=many'"),
        "{told}"
    );
}
