//! Our parser against imap-codec's: whatever RFC 3501 allows, both read the same.

use std::collections::BTreeSet;

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::imap_types as theirs;
use imap_proto::fetch::{FetchItem, Rfc822, SectionText, Seen};
use imap_proto::flag::{Flag, SystemFlag};
use imap_proto::search::{DateTest, Program, SearchKey};
use imap_proto::store::{Store, StoreMode, StoreReply};
use imap_proto::{Args, Command, SequenceSet, fetch};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use theirs::command::CommandBody;

/// The largest number in use.
const LARGEST: u32 = 60;

fn covered(spans: impl IntoIterator<Item = (u32, u32)>) -> String {
    let all: BTreeSet<u32> = spans
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .collect();
    format!("{all:?}")
}

fn our_set(set: &SequenceSet) -> String {
    covered(
        set.resolve(LARGEST)
            .iter()
            .map(|span| (span.first, span.last)),
    )
}

fn their_set(set: &theirs::sequence::SequenceSet) -> String {
    use theirs::sequence::{SeqOrUid, Sequence};
    let number = |value: &SeqOrUid| match value {
        SeqOrUid::Value(value) => value.get(),
        SeqOrUid::Asterisk => LARGEST,
    };
    covered(set.0.as_ref().iter().map(|sequence| match sequence {
        Sequence::Single(one) => (number(one), number(one)),
        Sequence::Range(one, other) => (
            number(one).min(number(other)),
            number(one).max(number(other)),
        ),
    }))
}

fn our_key(key: &SearchKey) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let flag = |flag: &SystemFlag| flag.name().trim_start_matches('\\').to_ascii_uppercase();
    let test = |test: &DateTest| format!("{test:?}").to_ascii_uppercase();
    match key {
        SearchKey::All => "ALL".into(),
        SearchKey::Seqs(set) => our_set(set),
        SearchKey::Uids(set) => format!("UID {}", our_set(set)),
        SearchKey::Has(system) => flag(system),
        SearchKey::Lacks(system) => format!("UN{}", flag(system)),
        SearchKey::Recent => "RECENT".into(),
        SearchKey::Keyword(word) => format!("KEYWORD {word}"),
        SearchKey::Received(how, date) => format!("{} {date}", test(how)),
        SearchKey::Sent(how, date) => format!("SENT{} {date}", test(how)),
        SearchKey::Larger(size) => format!("LARGER {size}"),
        SearchKey::Smaller(size) => format!("SMALLER {size}"),
        SearchKey::Header { name, value } => format!("HEADER {} {}", text(name), text(value)),
        SearchKey::Body(value) => format!("BODY {}", text(value)),
        SearchKey::Text(value) => format!("TEXT {}", text(value)),
        SearchKey::Not(key) => format!("NOT {}", our_key(key)),
        SearchKey::Or(one, other) => format!("OR {} {}", our_key(one), our_key(other)),
        SearchKey::And(keys) => format!(
            "({})",
            keys.iter().map(our_key).collect::<Vec<_>>().join(" ")
        ),
    }
}

fn their_key(key: &theirs::search::SearchKey<'_>) -> String {
    use theirs::search::SearchKey as Key;
    let text =
        |value: &theirs::core::AString<'_>| String::from_utf8_lossy(value.as_ref()).into_owned();
    let day = |date: &theirs::datetime::NaiveDate| date.as_ref().format("%d-%b-%Y").to_string();
    let header =
        |name: &str, value: &theirs::core::AString<'_>| format!("HEADER {name} {}", text(value));
    match key {
        Key::And(keys) => format!(
            "({})",
            keys.as_ref()
                .iter()
                .map(their_key)
                .collect::<Vec<_>>()
                .join(" ")
        ),
        Key::SequenceSet(set) => their_set(set),
        Key::Uid(set) => format!("UID {}", their_set(set)),
        Key::All => "ALL".into(),
        Key::Answered => "ANSWERED".into(),
        Key::Bcc(value) => header("BCC", value),
        Key::Before(date) => format!("BEFORE {}", day(date)),
        Key::Body(value) => format!("BODY {}", text(value)),
        Key::Cc(value) => header("CC", value),
        Key::Deleted => "DELETED".into(),
        Key::Draft => "DRAFT".into(),
        Key::Flagged => "FLAGGED".into(),
        Key::From(value) => header("FROM", value),
        Key::Header(name, value) => header(&text(name), value),
        Key::Keyword(word) => format!("KEYWORD {}", word.as_ref()),
        Key::Larger(size) => format!("LARGER {size}"),
        Key::New => "(RECENT UNSEEN)".into(),
        Key::Not(key) => format!("NOT {}", their_key(key)),
        Key::Old => "NOT RECENT".into(),
        Key::On(date) => format!("ON {}", day(date)),
        Key::Or(one, other) => format!("OR {} {}", their_key(one), their_key(other)),
        Key::Recent => "RECENT".into(),
        Key::Seen => "SEEN".into(),
        Key::SentBefore(date) => format!("SENTBEFORE {}", day(date)),
        Key::SentOn(date) => format!("SENTON {}", day(date)),
        Key::SentSince(date) => format!("SENTSINCE {}", day(date)),
        Key::Since(date) => format!("SINCE {}", day(date)),
        Key::Smaller(size) => format!("SMALLER {size}"),
        Key::Subject(value) => header("SUBJECT", value),
        Key::Text(value) => format!("TEXT {}", text(value)),
        Key::To(value) => header("TO", value),
        Key::Unanswered => "UNANSWERED".into(),
        Key::Undeleted => "UNDELETED".into(),
        Key::Undraft => "UNDRAFT".into(),
        Key::Unflagged => "UNFLAGGED".into(),
        Key::Unkeyword(word) => format!("NOT KEYWORD {}", word.as_ref()),
        Key::Unseen => "UNSEEN".into(),
    }
}

fn our_item(item: &FetchItem) -> String {
    let FetchItem::Section(item) = item else {
        return match item {
            FetchItem::Size => "RFC822.SIZE".into(),
            FetchItem::Rfc822(Rfc822::Full) => "RFC822".into(),
            FetchItem::Rfc822(Rfc822::Header) => "RFC822.HEADER".into(),
            FetchItem::Rfc822(Rfc822::Text) => "RFC822.TEXT".into(),
            other => format!("{other:?}").to_ascii_uppercase(),
        };
    };
    let fields = |fields: &[fetch::FieldName]| {
        fields
            .iter()
            .map(|field| String::from_utf8_lossy(field.bytes()).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let text = match &item.section.text {
        SectionText::All => String::new(),
        SectionText::Header => "HEADER".into(),
        SectionText::Fields(names) => format!("FIELDS {}", fields(names)),
        SectionText::FieldsNot(names) => format!("NOT {}", fields(names)),
        SectionText::Text => "TEXT".into(),
        SectionText::Mime => "MIME".into(),
    };
    let partial = item.partial.map(|partial| (partial.start, partial.count));
    format!(
        "BODY {} {:?} {text} {partial:?}",
        item.seen == Seen::Keeps,
        item.section.part
    )
}

fn their_item(item: &theirs::fetch::MessageDataItemName<'_>) -> String {
    use theirs::fetch::{MessageDataItemName as Item, Section};
    let Item::BodyExt {
        section,
        partial,
        peek,
    } = item
    else {
        return match item {
            Item::Rfc822Size => "RFC822.SIZE".into(),
            Item::Rfc822Header => "RFC822.HEADER".into(),
            Item::Rfc822Text => "RFC822.TEXT".into(),
            other => format!("{other:?}").to_ascii_uppercase(),
        };
    };
    let part = |part: &theirs::fetch::Part| {
        part.0
            .as_ref()
            .iter()
            .map(|number| number.get())
            .collect::<Vec<_>>()
    };
    let maybe = |maybe: &Option<theirs::fetch::Part>| maybe.as_ref().map(part).unwrap_or_default();
    let names = |fields: &[theirs::core::AString<'_>]| {
        let upper = |name: &theirs::core::AString<'_>| {
            String::from_utf8_lossy(name.as_ref()).to_ascii_uppercase()
        };
        fields.iter().map(upper).collect::<Vec<_>>().join(" ")
    };
    let (numbers, text) = match section {
        None => (vec![], String::new()),
        Some(Section::Part(numbers)) => (part(numbers), String::new()),
        Some(Section::Header(numbers)) => (maybe(numbers), "HEADER".into()),
        Some(Section::HeaderFields(numbers, fields)) => {
            (maybe(numbers), format!("FIELDS {}", names(fields.as_ref())))
        }
        Some(Section::HeaderFieldsNot(numbers, fields)) => {
            (maybe(numbers), format!("NOT {}", names(fields.as_ref())))
        }
        Some(Section::Text(numbers)) => (maybe(numbers), "TEXT".into()),
        Some(Section::Mime(numbers)) => (part(numbers), "MIME".into()),
    };
    let partial = partial.map(|(start, count)| (u64::from(start), u64::from(count.get())));
    format!("BODY {peek} {numbers:?} {text} {partial:?}")
}

/// What they read, or `None` if they refuse.
fn their_reading(line: &str) -> Option<String> {
    let bytes = format!("{line}\r\n");
    let (rest, command) = CommandCodec::default().decode(bytes.as_bytes()).ok()?;
    assert!(rest.is_empty());
    match command.body {
        CommandBody::Search { criteria, .. } => Some(
            criteria
                .as_ref()
                .iter()
                .map(their_key)
                .collect::<Vec<_>>()
                .join(" "),
        ),
        CommandBody::Fetch {
            sequence_set,
            macro_or_item_names,
            ..
        } => {
            use theirs::fetch::MacroOrMessageDataItemNames as Names;
            let mut items: Vec<String> = match &macro_or_item_names {
                Names::Macro(name) => name.expand().iter().map(their_item).collect(),
                Names::MessageDataItemNames(items) => items.iter().map(their_item).collect(),
            };
            items.sort();
            Some(format!("{} {items:?}", their_set(&sequence_set)))
        }
        CommandBody::Store {
            sequence_set,
            kind,
            response,
            flags,
            ..
        } => {
            let flags: Vec<String> = flags
                .iter()
                .map(|flag| flag.to_string().to_ascii_uppercase())
                .collect();
            Some(format!(
                "{} {kind:?} {response:?} {flags:?}",
                their_set(&sequence_set)
            ))
        }
        other => Some(format!("{other:?}")),
    }
}

fn our_reading(line: &str) -> Option<String> {
    let command = Command::new(line.as_bytes().to_vec());
    let mut head = command.head().ok()?;
    let name = head.name.clone();
    let args = &mut head.args;
    match name.as_str() {
        "SEARCH" => {
            let program = Program::take(args).ok()?;
            Some(
                program
                    .keys
                    .iter()
                    .map(our_key)
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        }
        "FETCH" => {
            let set = set(args)?;
            let items = fetch::items(args).ok()?;
            args.end().ok()?;
            let mut items: Vec<String> = items.iter().map(our_item).collect();
            items.sort();
            Some(format!("{} {items:?}", our_set(&set)))
        }
        "STORE" => {
            let set = set(args)?;
            let store = Store::take(args).ok()?;
            let mode = match store.mode {
                StoreMode::Replace => "Replace",
                StoreMode::Add => "Add",
                StoreMode::Remove => "Remove",
            };
            let reply = if store.reply == StoreReply::Silent {
                "Silent"
            } else {
                "Answer"
            };
            let flag = |flag: &Flag| match flag {
                Flag::System(flag) => flag.name().to_ascii_uppercase(),
                Flag::Keyword(word) => word.to_ascii_uppercase(),
            };
            let flags: Vec<String> = store.flags.iter().map(flag).collect();
            Some(format!("{} {mode} {reply} {flags:?}", our_set(&set)))
        }
        _ => None,
    }
}

fn set(args: &mut Args<'_>) -> Option<SequenceSet> {
    args.space().ok()?;
    let set = SequenceSet::take(args).ok()?;
    args.space().ok()?;
    Some(set)
}

const NUMBER: &str = "([1-9]|[1-5][0-9]|\\*)";

fn sequence_set() -> impl Strategy<Value = String> {
    let one = (NUMBER, proptest::option::of(NUMBER)).prop_map(|(one, other)| match other {
        Some(other) => format!("{one}:{other}"),
        None => one,
    });
    proptest::collection::vec(one, 1..5).prop_map(|all| all.join(","))
}

fn astring() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9$!]{1,6}",
        "[a-z ()\\[\\]{}*%]{0,6}".prop_map(|text| format!("\"{text}\"")),
        "[a-z \"(]{0,6}".prop_map(|text| format!("{{{}}}\r\n{text}", text.len())),
    ]
}

fn date() -> impl Strategy<Value = String> {
    (
        "([1-9]|1[0-9]|2[0-8])",
        "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
        "(19[789][0-9]|20[0-9]{2})",
        any::<bool>(),
    )
        .prop_map(|(day, month, year, quoted)| {
            if quoted {
                format!("\"{day}-{month}-{year}\"")
            } else {
                format!("{day}-{month}-{year}")
            }
        })
}

fn search_key() -> BoxedStrategy<String> {
    let bare = proptest::sample::select(vec![
        "ALL",
        "ANSWERED",
        "DELETED",
        "DRAFT",
        "FLAGGED",
        "NEW",
        "OLD",
        "RECENT",
        "SEEN",
        "UNANSWERED",
        "UNDELETED",
        "UNDRAFT",
        "UNFLAGGED",
        "UNSEEN",
        "seen",
    ]);
    let texts =
        proptest::sample::select(vec!["BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"]);
    let dates = proptest::sample::select(vec![
        "BEFORE",
        "ON",
        "SINCE",
        "SENTBEFORE",
        "SENTON",
        "SENTSINCE",
    ]);
    let leaf = prop_oneof![
        bare.prop_map(str::to_owned),
        (texts, astring()).prop_map(|(name, value)| format!("{name} {value}")),
        (dates, date()).prop_map(|(name, date)| format!("{name} {date}")),
        (astring(), astring()).prop_map(|(name, value)| format!("HEADER {name} {value}")),
        ("(KEYWORD|UNKEYWORD) [a-z$]{1,5}"),
        ("(LARGER|SMALLER) [1-9][0-9]{0,5}"),
        sequence_set(),
        sequence_set().prop_map(|set| format!("UID {set}")),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("OR {one} {other}")),
            proptest::collection::vec(inner, 2..4).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
    .boxed()
}

fn fetch_item() -> impl Strategy<Value = String> {
    let plain = proptest::sample::select(vec![
        "ENVELOPE",
        "FLAGS",
        "INTERNALDATE",
        "RFC822",
        "RFC822.HEADER",
        "RFC822.SIZE",
        "RFC822.TEXT",
        "BODY",
        "BODYSTRUCTURE",
        "UID",
        "flags",
    ]);
    let field = astring().prop_filter("a field has a name", |name| {
        name != "\"\"" && name != "{0}\r\n"
    });
    let fields = proptest::collection::vec(field, 1..3).boxed();
    let text = prop_oneof![
        Just(String::new()),
        Just("HEADER".to_owned()),
        Just("TEXT".to_owned()),
        fields
            .clone()
            .prop_map(|fields| format!("HEADER.FIELDS ({})", fields.join(" "))),
        fields.prop_map(|fields| format!("HEADER.FIELDS.NOT ({})", fields.join(" "))),
    ];
    let section = (proptest::collection::vec("[1-9]", 0..3), text).prop_map(|(mut part, text)| {
        if !text.is_empty() {
            part.push(text);
        }
        part.join(".")
    });
    let partial = proptest::option::of("<[0-9]{1,3}\\.[1-9][0-9]{0,3}>");
    prop_oneof![
        plain.prop_map(str::to_owned),
        ("BODY(\\.PEEK)?", section, partial).prop_map(|(name, section, partial)| format!(
            "{name}[{section}]{}",
            partial.unwrap_or_default()
        )),
        Just("BODY[1.MIME]".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn search(keys in proptest::collection::vec(search_key(), 2..4)) {
        let line = format!("a SEARCH {}", keys.join(" "));
        let expected = their_reading(&line).map(|text| text.trim_start_matches('(').trim_end_matches(')').to_owned());
        let ours = our_reading(&line).map(|text| text.trim_start_matches('(').trim_end_matches(')').to_owned());
        prop_assert!(ours.is_some(), "{}", line);
        prop_assert_eq!(ours, expected, "{}", line);
    }

    #[test]
    fn fetch_items(set in sequence_set(), items in proptest::collection::vec(fetch_item(), 1..4)) {
        let line = format!("a FETCH {set} ({})", items.join(" "));
        let ours = our_reading(&line);
        prop_assert!(ours.is_some(), "{}", line);
        prop_assert_eq!(ours, their_reading(&line), "{}", line);
    }

    #[test]
    fn macros(set in sequence_set(), name in "(ALL|FAST|FULL|fast)") {
        let line = format!("a FETCH {set} {name}");
        prop_assert_eq!(our_reading(&line), their_reading(&line), "{}", line);
    }

    #[test]
    fn store(
        set in sequence_set(),
        item in "[+-]?FLAGS(\\.SILENT)?",
        flags in proptest::collection::vec("(\\\\(Seen|Deleted|draft|Flagged|Answered)|[a-z$]{1,8})", 1..4),
        listed in any::<bool>(),
    ) {
        let flags = flags.join(" ");
        let line = if listed { format!("a STORE {set} {item} ({flags})") } else { format!("a STORE {set} {item} {flags}") };
        prop_assert_eq!(our_reading(&line), their_reading(&line), "{}", line);
    }

    #[test]
    fn what_we_refuse_they_refuse(line in "a (SEARCH|FETCH|STORE) [0-9:,*]{1,4} [ -~]{0,12}") {
        // The other way round does not hold: like Dovecot we take more than the RFC.
        if our_reading(&line).is_none() {
            prop_assert_eq!(their_reading(&line), None, "{}", line);
        }
    }
}
