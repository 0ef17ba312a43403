//! Known answers: `doveadm user` of Debian's Dovecot 2.3.19.1 with these templates as userdb fields.

use super::*;

struct User(&'static str);

impl Values for User {
    fn value(&self, name: &Name) -> Option<String> {
        let (username, domain) = self.0.split_once('@').unwrap_or((self.0, ""));
        match name {
            Name::User => Some(self.0.to_owned()),
            Name::Username => Some(username.to_owned()),
            Name::Domain => Some(domain.to_owned()),
            Name::Service => Some("imap".to_owned()),
            _ => None,
        }
    }
}

fn expand(template: &str, user: &'static str) -> String {
    Template::parse(template).unwrap().expand(&User(user))
}

const KNOWN: &[(&str, [&str; 3])] = &[
    ("%Lu", ["user.name@example.org", "ab", "x@y"]),
    ("%2.256Hu", ["67", "72", "79"]),
    ("%1.3n", ["ser", "b", ""]),
    ("%-3n", ["use", "ab", "x"]),
    ("%0.2n", ["us", "ab", "x"]),
    (
        "%Mu",
        [
            "8d1b52192c321ac16048894b0fe8658d",
            "187ef4436122d1cc2f40dc2b92f0eba0",
            "e1f9c3bb8f609c982da4c5efbd0dbe9d",
        ],
    ),
    ("%256Nu", ["c1", "cc", "98"]),
    ("%2.256Nu", ["c1", "cc", "98"]),
    ("%257Nu", ["2", "72", "de"]),
    ("%Nu", ["2c321ac1", "6122d1cc", "8f609c98"]),
    (
        "%{sha1:user}",
        [
            "545345d56ccc971a08d12814120cab4436c26a6f",
            "da23614e02469a0d7c7bd1bdab5c9c474b1904dc",
            "8304809ddf8b603b18bf9b58b6a0ea9758f1aaf9",
        ],
    ),
    ("%08n", ["user.name", "000000ab", "0000000x"]),
    ("%-2.2n", ["me", "ab", "x"]),
    ("%3.-1n", ["r.nam", "", ""]),
    ("%Ud", ["EXAMPLE.ORG", "", "Y"]),
    ("%Ru", ["gro.elpmaxe@eman.resu", "ba", "y@x"]),
    (
        "%{md5:user}",
        [
            "8d1b52192c321ac16048894b0fe8658d",
            "187ef4436122d1cc2f40dc2b92f0eba0",
            "e1f9c3bb8f609c982da4c5efbd0dbe9d",
        ],
    ),
    ("%{username}%{domain}", ["user.nameexample.org", "ab", "xy"]),
    ("%Hu", ["41faa67", "672", "7c79"]),
    ("%.3n", ["use", "ab", "x"]),
    ("%1Mu", ["8", "1", "e"]),
    ("%3.0n", ["r.name", "", ""]),
    ("%2.600Hn", ["115", "1c2", "78"]),
    ("%Xs", ["0", "0", "0"]),
    (
        "%{sha256:username}",
        [
            "c69f268fb43e3b0bd46436177505f548fe105ce296445b5ba5a428f122453429",
            "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603",
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        ],
    ),
    (
        "100%%%u%%u",
        ["100%user.name@example.org%u", "100%ab%u", "100%x@y%u"],
    ),
];

#[test]
fn expands_as_dovecot_does() {
    for (template, answers) in KNOWN {
        for (user, answer) in ["user.name@example.org", "ab", "x@y"]
            .into_iter()
            .zip(answers)
        {
            assert_eq!(expand(template, user), *answer, "{template} {user}");
        }
    }
}

#[test]
fn values_are_inserted_once() {
    assert_eq!(
        expand("/mail/%u", "%n%99999999u%{env:PATH}"),
        "/mail/%n%99999999u%{env:PATH}"
    );
    assert_eq!(expand("%u%u", "%u"), "%u%u");
}

#[test]
fn mistakes_are_told() {
    let error = |text| Template::parse(text).unwrap_err();
    assert_eq!(error("%q"), Error::Unknown("q".to_owned()));
    assert_eq!(error("a%"), Error::Incomplete);
    assert_eq!(error("%L"), Error::Incomplete);
    assert_eq!(error("%{user"), Error::Unterminated("user".to_owned()));
    assert_eq!(
        error("%{env:PATH}"),
        Error::Unknown("{env:PATH}".to_owned())
    );
    assert_eq!(error("%99999999u"), Error::Number("99999999u".to_owned()));
    assert_eq!(error("%é"), Error::Unknown("é".to_owned()));
}

#[test]
fn paths_cannot_be_climbed() {
    let path = |user| {
        Template::parse("/etc/pw/%d/x")
            .unwrap()
            .expand_path(&User(user))
    };
    assert_eq!(
        path("a@example.org").as_deref(),
        Some("/etc/pw/example.org/x")
    );
    assert_eq!(path("a@../../etc").as_deref(), Some("/etc/pw/.._.._etc/x"));
    for user in ["a@..", "a@.", "a@", "a"] {
        assert_eq!(path(user), None, "{user}");
    }
}

#[test]
fn letters_are_never_cut_in_two() {
    for template in ["%1u", "%2u", "%1.1u", "%-1.1u", "%1.-1u"] {
        let _ = expand(template, "éü");
    }
    assert_eq!(expand("%2u", "éü"), "é");
}

#[test]
fn every_truncation_is_read_or_refused() {
    let text = "%-2.300Lu%{sha1:user}%%%08{domain}é";
    for len in (0..text.len()).filter(|len| text.is_char_boundary(*len)) {
        let _ = Template::parse(&text[..len]);
    }
}

#[test]
fn any_text_is_read_or_refused_and_bounded() {
    bolero::check!().for_each(|bytes| {
        if let Ok(template) = Template::parse(&String::from_utf8_lossy(bytes)) {
            assert!(template.expand(&User("user@example.org")).len() <= MAX_EXPANDED);
            let path = template.expand_path(&User("../..@.."));
            assert!(path.is_none_or(|path| template.is_constant() || !path.contains("../..@")));
        }
    });
}
