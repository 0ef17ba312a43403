//! Python's imaplib: a script of a session with every usual command.

use crate::site::User;

#[test]
fn runs_a_session_of_every_usual_command() {
    let user = User::with_mail("imaplib-user");
    user.write("session.py", include_str!("imaplib.py"));
    let said = user.run("python3 session.py imaplib-user secret");
    assert_eq!(said, "done\n");
}
