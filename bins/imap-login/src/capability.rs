//! What the server can do, before authentication. RFC 3501 §6.1.1, §7.2.1.

use login::Client;

/// Extensions that count before authentication, or whose presence clients want to know early.
const ALWAYS: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+";

/// The list for this client as it is connected now.
pub fn list(client: &Client) -> String {
    let mut list = ALWAYS.to_owned();
    if client.offers_tls() {
        list.push_str(" STARTTLS");
    }
    let plaintext = client.allows_plaintext();
    if !plaintext {
        list.push_str(" LOGINDISABLED");
    }
    for mech in client.shared().mechs() {
        if plaintext || !is_plaintext(&mech) {
            list.push_str(" AUTH=");
            list.push_str(&mech);
        }
    }
    list
}

/// Does this mechanism send the password as it is?
pub fn is_plaintext(mech: &str) -> bool {
    mech.eq_ignore_ascii_case("PLAIN") || mech.eq_ignore_ascii_case("LOGIN")
}
