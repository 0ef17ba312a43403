//! What Dovecot 2.3.19 makes of the same templates: in settings for Jo.Doe@Example.ORG, which auth has lowered, and as userdb
//! fields for others.

use super::{Error, MAX, Template, expand, of_user};

fn jo(name: &str) -> Option<String> {
    let service = || (name == "service").then(|| "doveadm".to_owned());
    of_user("jo.doe@example.org", name).or_else(service)
}

fn value(template: &str) -> String {
    expand(template, &jo).unwrap()
}

#[test]
fn a_value_is_not_read_again_and_bounded() {
    let run = |template: &str, user: &str| expand(template, &|name| of_user(user, name));
    assert_eq!(
        run("%u", "%99999999u%{env:PATH}").unwrap(),
        "%99999999u%{env:PATH}"
    );
    assert_eq!(
        run(&"%u".repeat(MAX / 255 + 1), &"x".repeat(255)),
        Err(Error::TooLong)
    );
    assert_eq!(run("%h", "x"), Err(Error::Missing("home".to_owned())));
}

#[test]
fn values_are_dovecots() {
    let known = [
        ("%n/%d/%u", "jo.doe/example.org/jo.doe@example.org"),
        ("%1n", "j"),
        ("%2.1u", "."),
        ("%-2.1u", "r"),
        ("%2.-3u", ".doe@example."),
        ("%Un", "JO.DOE"),
        ("%5Mu", "dcf07"),
        (
            "%{user}|%{domain}|%{username}",
            "jo.doe@example.org|example.org|jo.doe",
        ),
        ("%{if;%d;eq;;none;%d}", "example.org"),
        ("%{if;%u;*;Jo*;y;n}", "n"),
        ("%{if;5;>=;3;y;n}", "y"),
        ("%10.16u", "mple.org"),
        ("%1.8Nu", "6"),
        ("%Nu", "9fa6d296"),
        ("%1.2Hu", "1"),
        ("%4.100Hu", "005b"),
        ("%Hu", "95afb97"),
        ("%100Hu", "5b"),
        ("%%x", "%x"),
        ("%010.5u", "mple."),
        ("%Tu", "jo.doe@example.org"),
        ("%Xu", "0"),
        ("%Ru", "gro.elpmaxe@eod.oj"),
        ("%L{user}", "jo.doe@example.org"),
        ("%2Lu", "jo"),
        ("%0.3u", "jo."),
        ("%2Mu", "dc"),
        ("%Dd", "example,dc=org"),
        ("%s", "doveadm"),
        ("%", ""),
    ];
    for (template, expected) in known {
        assert_eq!(value(template), expected, "{template}");
    }
}

#[test]
fn unknown_names_and_broken_conditions_are_errors() {
    let error = |template: &str| expand(template, &|_| None).unwrap_err();
    assert_eq!(error("%z"), Error::Unknown("z".to_owned()));
    assert_eq!(error("%{nope}"), Error::Unknown("nope".to_owned()));
    assert_eq!(error("%{"), Error::Unterminated(String::new()));
    assert_eq!(error("%{user"), Error::Unterminated("user".to_owned()));
    assert_eq!(error("%99999999u"), Error::Number("99999999u".to_owned()));
    assert_eq!(error("%é"), Error::Unknown("é".to_owned()));
    assert!(matches!(error("%{if;a;~;b;c;d}"), Error::Condition(_)));
    assert!(matches!(error("%{if;a;eq;b}"), Error::Condition(_)));
}

#[test]
fn the_default_postmaster_address_is_understood() {
    let template = "postmaster@%{if;%d;ne;;%d;%{hostname}}";
    assert_eq!(value(template), "postmaster@example.org");
    let lookup = |name: &str| match name {
        "domain" => Some(String::new()),
        "hostname" => Some("mx.example.org".to_owned()),
        _ => None,
    };
    assert_eq!(
        expand(template, &lookup).unwrap(),
        "postmaster@mx.example.org"
    );
}

const OF_USERDB: &[(&str, [&str; 3])] = &[
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
        "100%%%u%%u",
        ["100%user.name@example.org%u", "100%ab%u", "100%x@y%u"],
    ),
];

#[test]
fn userdb_fields_are_dovecots() {
    for (template, answers) in OF_USERDB {
        for (user, answer) in ["user.name@example.org", "ab", "x@y"]
            .into_iter()
            .zip(answers)
        {
            let service = |name: &str| (name == "service").then(|| "imap".to_owned());
            let found = expand(template, &|name| {
                of_user(user, name).or_else(|| service(name))
            });
            assert_eq!(found.unwrap(), *answer, "{template} {user}");
        }
    }
}

#[test]
fn paths_cannot_be_climbed() {
    let path = |text: &str, user: &'static str| {
        let template = Template::parse(text).unwrap();
        template.expand_path(&|name| of_user(user, name)).unwrap()
    };
    let plain = "/etc/pw/%d/x";
    assert_eq!(
        path(plain, "a@example.org").as_deref(),
        Some("/etc/pw/example.org/x")
    );
    assert_eq!(
        path(plain, "a@../../etc").as_deref(),
        Some("/etc/pw/.._.._etc/x")
    );
    for user in ["a@..", "a@.", "a@", "a"] {
        assert_eq!(path(plain, user), None, "{user}");
        assert_eq!(path("/etc/%{if;a;eq;a;%d;x}", user), None, "{user}");
    }
}

#[test]
fn letters_are_never_cut_in_two() {
    let run = |template: &str| expand(template, &|name| of_user("éü", name)).unwrap();
    for template in ["%1u", "%1.1u", "%-1.1u", "%1.-1u"] {
        run(template);
    }
    assert_eq!(run("%2u"), "é");
}

#[test]
fn a_template_tells_its_names() {
    let template = Template::parse("a%u%{md5:rip}%{if;%s;eq;x;%{userdb:mail};%%}").unwrap();
    assert_eq!(template.names(), ["user", "rip", "service", "userdb:mail"]);
    assert!(!template.is_constant());
    assert!(Template::parse("100%%").unwrap().is_constant());
}

proptest::proptest! {
    #[test]
    fn no_template_panics(template in "[%{};:.0-9LUHNMDXTREumd5\\\\if*é-]{0,40}") {
        let lookup = |name: &str| of_user("../..ö@..", name);
        if let Ok(template) = Template::parse(&template) {
            let _ = template.expand(&lookup);
            let path = template.expand_path(&lookup).ok().flatten();
            assert!(template.is_constant() || path.is_none_or(|path| !path.contains("../..")));
        }
    }
}
