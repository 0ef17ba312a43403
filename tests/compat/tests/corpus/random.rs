//! Random messages of the words that parsers of mail stumble over.

/// Numbers that are the same each time (xorshift).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.roll(from.len())]
    }

    /// Up to `most` words in a row.
    fn words(&mut self, most: usize, from: &[&[u8]]) -> Vec<u8> {
        (0..self.roll(most + 1))
            .flat_map(|_| self.pick(from).to_vec())
            .collect()
    }
}

const ADDRESS: &[&[u8]] = &[
    b"a", b"b", b".", b"@", b"<", b">", b"\"", b"(", b")", b",", b";", b":", b"[", b"]", b"\\",
    b" ", b"  ", b"\t", b"\n ", b"x.y", b"\"q r\"", b"(c)", b"c@d", b"<e@f>", b"g:", b"\xe4", b"=",
    b"\r\n ", b"@x,@y:", b"a b", b"\0", b"\r",
];
const CONTENT_TYPE: &[&[u8]] = &[
    b"text",
    b"/",
    b"plain",
    b";",
    b" ",
    b"a",
    b"=",
    b"b",
    b"\"",
    b"charset",
    b"*",
    b"0",
    b"1",
    b"*=",
    b"*0*=",
    b"*1=",
    b"%41",
    b"'",
    b"(c)",
    b"(",
    b")",
    b"\\",
    b"\n ",
    b"\xe4",
    b".",
    b"multipart/mixed",
    b"message/rfc822",
    b",",
    b"x*0=",
    b"x*1=",
    b"x*1*=",
    b";x*0=",
    b";x*1=",
    b";y=",
    b" ;",
    b"; x=",
    b"\"\"",
    b"\t",
];
const TEXT: &[&[u8]] = &[
    b"a",
    b"b",
    b" ",
    b"  ",
    b"\t",
    b"\n ",
    b"\n\t",
    b"\r\n ",
    b"\"",
    b"\\",
    b"\xe4",
    b"=?utf-8?q?x?=",
    b"(c)",
    b"<i@d>",
    b"\x01",
    b"\x7f",
    b"{1}",
    b"\n  \n ",
    b"ab cd",
    b"\0",
    b"\r",
];
const ADDRESSES: &[&[u8]] = &[b"From", b"To", b"Cc", b"Sender", b"Reply-To", b"Bcc"];
const TYPES: &[&[u8]] = &[b"Content-Type", b"Content-Disposition", b"content-type"];
const TOKENS: &[&[u8]] = &[b"Content-Language", b"Content-Transfer-Encoding"];
const TEXTS: &[&[u8]] = &[
    b"Subject",
    b"Date",
    b"Message-ID",
    b"In-Reply-To",
    b"Content-ID",
    b"Content-Description",
    b"Content-MD5",
    b"Content-Location",
    b"SUBJECT",
];
const COLONS: &[&[u8]] = &[b":", b": ", b": ", b":  ", b":\t", b" :", b":\n "];
const TYPES_BEGIN: &[&[u8]] = &[
    b"text/plain",
    b"text/plain;",
    b"text/html; charset=u;",
    b"image/gif;",
    b"",
    b"multipart",
    b"a/b",
];
const BOUNDARIES: &[&[u8]] = &[
    b"a", b"b", b"a", b"ab", b"a-", b"a--", b"--", b"", b"aa", b"b ", b"\"",
];
const LINES: &[&[u8]] = &[
    b"text",
    b"-",
    b"--",
    b"---",
    b"a",
    b"more text",
    b"",
    b"-- a",
];

/// One message: either strange fields or strange parts.
pub fn message(dice: &mut Dice) -> Vec<u8> {
    if dice.roll(2) == 0 {
        fields(dice)
    } else {
        parts(dice)
    }
}

fn fields(dice: &mut Dice) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..1 + dice.roll(7) {
        let (name, value) = match dice.roll(6) {
            0 | 1 => (dice.pick(ADDRESSES), dice.words(13, ADDRESS)),
            2 | 3 => (
                dice.pick(TYPES),
                [dice.pick(TYPES_BEGIN), &dice.words(13, CONTENT_TYPE)].concat(),
            ),
            4 => (dice.pick(TOKENS), dice.words(4, CONTENT_TYPE)),
            _ => (dice.pick(TEXTS), dice.words(8, TEXT)),
        };
        message.extend([name, dice.pick(COLONS), &value, b"\n"].concat());
    }
    message.extend(dice.pick(&[b"", b"MIME-Version: 1.0\n"]));
    message.extend(dice.pick(&[b"\n", b"\n", b"", b"\r\n"]));
    message.extend(dice.pick(&[b"", b"x", b"x\n", b"\nfoo\n"]));
    message
}

fn parts(dice: &mut Dice) -> Vec<u8> {
    let mut lines = vec![multipart(dice), Vec::new()];
    for _ in 0..1 + dice.roll(14) {
        match dice.roll(10) {
            0..5 => {
                let tail = dice.pick(&[b"", b"", b"", b"--", b"--", b"-", b" ", b"--x", b"x"]);
                lines.push([b"--", dice.pick(BOUNDARIES), tail].concat());
                if dice.roll(10) < 7 {
                    header(dice, &mut lines);
                }
            }
            5 | 6 => header(dice, &mut lines),
            _ => lines.push(dice.pick(LINES).to_vec()),
        }
    }
    const LINE_ENDS: [&[&[u8]]; 3] = [&[b"\n"], &[b"\r\n"], &[b"\n", b"\r\n"]];
    let line_ends = LINE_ENDS[dice.roll(3)];
    let mut message: Vec<u8> = lines
        .iter()
        .flat_map(|line| [line, dice.pick(line_ends)].concat())
        .collect();
    if dice.roll(3) == 0 {
        message.truncate(message.trim_ascii_end().len());
    }
    message
}

fn multipart(dice: &mut Dice) -> Vec<u8> {
    let kind = dice.pick(&[b"mixed", b"mixed", b"digest"]);
    [
        b"Content-Type: multipart/",
        kind,
        b"; boundary=\"",
        dice.pick(BOUNDARIES),
        b"\"",
    ]
    .concat()
}

fn header(dice: &mut Dice, lines: &mut Vec<Vec<u8>>) {
    match dice.roll(20) {
        0..9 => lines.push(multipart(dice)),
        9..12 => lines.push(b"Content-Type: message/rfc822".to_vec()),
        12 | 13 => lines.push(
            dice.pick(&[
                b"Content-Type: text/plain",
                b"Content-Type: image/gif",
                b"MIME-Version: 1.0",
            ])
            .to_vec(),
        ),
        _ => {}
    }
    if dice.roll(3) == 0 {
        lines.push(
            dice.pick(&[
                b"Subject: s",
                b"From: a@b",
                b" cont",
                b"Content-ID: i",
                b"nocolon",
                b"X: y",
            ])
            .to_vec(),
        );
    }
    if dice.roll(10) < 9 {
        lines.push(Vec::new());
    }
}
