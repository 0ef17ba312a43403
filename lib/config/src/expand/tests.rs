//! What Dovecot 2.3.19 makes of the same templates for Jo.Doe@Example.ORG, which auth has lowered.

use super::{Error, expand, of_user};

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
        run(&"%u".repeat(100), &"x".repeat(255)),
        Err(Error::TooLong)
    );
    assert_eq!(run("%99999999999999999999999u", "x").unwrap(), "x");
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
    assert_eq!(error("%{"), Error::Unknown("{".to_owned()));
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

proptest::proptest! {
    #[test]
    fn no_template_panics(template in "[%{};.0-9LUHNMu\\\\if*é-]{0,40}") {
        let _ = expand(&template, &|name| of_user("jö@x", name));
    }
}
