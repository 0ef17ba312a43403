//! A user with mail in the machine under test.

use testkit::{Imap, Lmtp, Machine};

/// A user of one test. The password is `secret`.
pub struct User {
    pub name: &'static str,
    pub machine: &'static Machine,
}

impl User {
    /// A new user without mail.
    pub fn new(name: &'static str) -> User {
        let machine = Machine::under_test();
        machine.add_user(name, "secret");
        User { name, machine }
    }

    /// A new user with messages `first`, `second` and `third` in the INBOX: their subject, and in their text
    /// dots at line starts, a long line, and letters beyond ASCII.
    pub fn with_mail(name: &'static str) -> User {
        let user = User::new(name);
        let mut lmtp = Lmtp::connect(user.machine.connect(24));
        for subject in ["first", "second", "third"] {
            lmtp.delivered(&[name], &message(subject));
        }
        user
    }

    /// A logged-in connection, to look at what a client did.
    pub fn imap(&self) -> Imap {
        let mut imap = Imap::connect_tls(self.machine.connect(993));
        imap.ok(&format!("LOGIN {} secret", self.name));
        imap
    }

    /// Runs a shell script in the machine as this user, in the home directory.
    pub fn run(&self, shell: &str) -> String {
        let script = format!("/home/{}/.script", self.name);
        self.machine.write_file(
            &script,
            format!("set -euo pipefail\ncd ~\n{shell}").as_bytes(),
        );
        self.machine
            .run(&format!("runuser -l {} -c 'bash {script} 2>&1'", self.name))
    }

    /// Writes a file into the home directory, 0600.
    pub fn write(&self, file: &str, text: &str) {
        let path = format!("/home/{}/{file}", self.name);
        self.machine.write_file(&path, text.as_bytes());
        self.machine
            .run(&format!("chown {0}: {path} && chmod 600 {path}", self.name));
    }
}

/// A message with this subject.
pub fn message(subject: &str) -> Vec<u8> {
    let long = "long ".repeat(150);
    format!(
        "From: Friend <friend@example.org>\r\nTo: you@example.org\r\nSubject: {subject}\r\n\
         Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{subject}@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         text of {subject}\r\n.a dot\r\n..two dots\r\nGrüße\r\n{long}\r\n"
    )
    .into_bytes()
}
