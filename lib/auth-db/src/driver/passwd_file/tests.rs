//! The grammar of password files.

use super::parse::parse;

#[test]
fn columns_are_read() {
    let content = parse(b"#c\n:x\n\nalice:{PLAIN}pw:1:2:ge cos:/home/alice:/bin/sh:a=b userdb_c=d:e\r\nbob\ncarol:pw\n");
    assert!(content.problems.is_empty(), "{:?}", content.problems);
    assert_eq!(content.order, ["alice", "bob", "carol"]);
    let alice = content.entries.get("alice").unwrap();
    let user = alice.user.as_ref().unwrap();
    assert_eq!(
        (user.uid, user.gid, user.home.as_deref()),
        (Some(1), Some(2), Some("/home/alice"))
    );
    assert_eq!(alice.password.as_str(), "{PLAIN}pw");
    let bob = content.entries.get("bob").unwrap();
    assert!(bob.user.is_none() && bob.password.is_empty());
}

#[test]
fn types_in_brackets_are_libpam_pwdfiles() {
    let content = parse(b"a:xyz[13]\nb:xyz[34]\nc:xyz[56]\nd:{PLAIN}x[34]\ne:x[y\n");
    let password = |name: &str| content.entries.get(name).unwrap().password.to_string();
    assert_eq!(
        ["a", "b", "c", "d", "e"].map(password),
        [
            "{CRYPT}xyz",
            "{PLAIN-MD5}xyz",
            "{DIGEST-MD5}xyz",
            "{PLAIN}x[34]",
            "x[y"
        ]
    );
}

#[test]
fn names_of_system_users_and_groups_are_numbers() {
    let content = parse(b"a:x:daemon:daemon\nb:x:no-such-user:1\nc:x:1:no-such-group\nd:x:root:1\ne:x:4294967295:1\nf:x:-1:1\n");
    assert_eq!(
        content.entries.get("a").unwrap().user.as_ref().unwrap().uid,
        Some(1)
    );
    assert_eq!(content.order, ["a"]);
    assert_eq!(content.problems.len(), 5);
}

#[test]
fn hostile_files_are_read_to_their_end() {
    let content = parse(b"\xff\xfe:x\nalice:%q:1:1::::x=%q\nbob:x\nbob:y\n\0:z\n");
    assert_eq!(content.problems.len(), 3, "{:?}", content.problems);
    assert!(content.entries.contains_key("bob"));
    let whole = b"alice:{PLAIN}pw:1:2:ge:/home/alice:/bin/sh:a=%u b=c\n";
    for len in 0..whole.len() {
        parse(&whole[..len]);
    }
}

#[test]
fn passwords_are_not_printed() {
    let content = parse(b"alice:{PLAIN}hunter2\n");
    assert!(!format!("{content:?}").contains("hunter2"));
}

#[test]
fn any_bytes_are_a_file() {
    bolero::check!().for_each(|bytes| {
        let content = parse(bytes);
        assert_eq!(content.order.len(), content.entries.len());
    });
}
