//! What each format makes of the same rows.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("username", "username"),
        Column::new("connections", "#"),
    ]
}

fn rendered(formatter: Formatter) -> String {
    let memory = Memory::default();
    let rows = [["jo", "2"], ["a\u{1b}[2J\nlx", "10"]]
        .map(|row| row.map(str::to_owned).to_vec())
        .to_vec();
    try_print(Box::new(memory.clone()), formatter, &columns(), &rows).unwrap();
    memory.text()
}

fn streamed(formatter: Formatter, names: &[&str]) -> io::Result<String> {
    let memory = Memory::default();
    let columns = names.iter().map(|name| Column::named(name)).collect();
    let mut printer = Printer::to(Box::new(memory.clone()), formatter, columns)?;
    for _ in 0..2 {
        for name in names {
            if *name == "uid" {
                printer.value(b"7")?;
            } else {
                printer.piece(b"G\xc3")?;
                printer.piece(b"\xbc\xff\n")?;
                printer.end()?;
            }
        }
    }
    printer.finish()?;
    Ok(String::from_utf8_lossy(&memory.0.borrow()).into_owned())
}

#[test]
fn every_format_keeps_a_row_a_row() {
    for (formatter, expected) in [
        (Formatter::Flow, "username=jo #=2\nusername=a?[2J?lx #=10\n"),
        (Formatter::Tab, "username\t#\njo\t2\na?[2J?lx\t10\n"),
        (
            Formatter::Pager,
            "username: jo\n#: 2\n\x0c\nusername: a?[2J?lx\n#: 10\n",
        ),
    ] {
        assert_eq!(rendered(formatter), expected);
    }
    let table = rendered(Formatter::Table);
    let cells: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(cells, [["username", "#"], ["jo", "2"], ["a?[2J?lx", "10"]]);
    let json: serde_json::Value = serde_json::from_str(&rendered(Formatter::Json)).unwrap();
    assert_eq!(json[1]["username"], "a\u{1b}[2J\nlx");
    assert_eq!(json[0]["connections"], "2");
}

#[test]
fn long_values_come_in_pieces() {
    let of = |formatter| streamed(formatter, &["uid", "text"]);
    assert_eq!(
        of(Formatter::Flow).unwrap(),
        "uid=7 text=Gü\u{fffd}\n\nuid=7 text=Gü\u{fffd}\n\n"
    );
    assert_eq!(
        of(Formatter::Tab).unwrap(),
        "uid\ttext\n7\tGü\u{fffd}\n\t\n7\tGü\u{fffd}\n\t\n"
    );
    assert_eq!(
        of(Formatter::Pager).unwrap(),
        "uid: 7\ntext:\nGü\u{fffd}\n\x0c\nuid: 7\ntext:\nGü\u{fffd}\n"
    );
    assert_eq!(
        of(Formatter::Json).unwrap(),
        r#"[{"uid":"7","text":"Gü�\n"},{"uid":"7","text":"Gü�\n"}]"#
    );
    assert!(of(Formatter::Table).is_err());
}

#[test]
fn users_stand_before_their_rows() {
    let memory = Memory::default();
    let columns = vec![Column::untitled("username", "Username"), Column::named("a")];
    let mut printer = Printer::to(Box::new(memory.clone()), Formatter::Flow, columns).unwrap();
    printer.stick("jo");
    printer.value(b"1").unwrap();
    printer.value(b"2").unwrap();
    printer.finish().unwrap();
    assert_eq!(memory.text(), "jo a=1\njo a=2\n");
}
