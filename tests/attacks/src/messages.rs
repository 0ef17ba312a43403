//! Messages that nobody sends in good faith.

/// What the catalog calls `mime_nest:multipart:DEPTH`: a multipart in a multipart, so deep.
#[must_use]
pub fn nested_multipart(depth: usize) -> Vec<u8> {
    let mut message = b"Subject: deep\r\nMIME-Version: 1.0\r\n".to_vec();
    for level in 0..depth {
        message.extend(
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n")
                .into_bytes(),
        );
    }
    message.extend(b"\r\nthe end of it\r\n");
    message
}

/// A message in a message, so deep.
#[must_use]
pub fn nested_rfc822(depth: usize) -> Vec<u8> {
    let mut message = b"MIME-Version: 1.0\r\n".to_vec();
    for level in 0..depth {
        message.extend(
            format!("Subject: {level}\r\nContent-Type: message/rfc822\r\n\r\n").into_bytes(),
        );
    }
    message.extend(b"Subject: innermost\r\n\r\nthe end of it\r\n");
    message
}

/// A field whose body is one thing very often.
#[must_use]
pub fn repeated(field: &str, item: &str, count: usize) -> Vec<u8> {
    let mut message = format!("Subject: much\r\n{field}: ").into_bytes();
    for number in 0..count {
        message.extend_from_slice(item.as_bytes());
        // Lines stay short enough for LMTP.
        if number % 100 == 99 {
            message.extend_from_slice(b"\r\n ");
        }
    }
    message.extend_from_slice(b"\r\n\r\nbody\r\n");
    message
}

/// Parts without end.
#[must_use]
pub fn many_parts(count: usize) -> Vec<u8> {
    let mut message =
        b"Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    for _ in 0..count {
        message.extend_from_slice(b"--b\r\n\r\nx\r\n");
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

/// Addresses that end in the middle, comments that do not end.
#[must_use]
pub fn broken_addresses() -> Vec<Vec<u8>> {
    let fields: [&[u8]; 9] = [
        b"From: \"a\\",
        b"To: (((((\\",
        b"Cc: <@",
        b"From: <@a,@b:",
        b"To: group: a@b, ",
        b"Reply-To: =?utf-8?Q?=",
        b"From: \"\" <\"\"@\"\">",
        b"To: a@[127.0.0.",
        b"Sender: \xff\xfe\x80 <\x80@\xff>",
    ];
    fields
        .iter()
        .map(|field| {
            let mut message = field.to_vec();
            message.extend_from_slice(b"\r\nSubject: broken\r\n\r\nbody\r\n");
            message
        })
        .collect()
}

/// NUL and bare CR in names and bodies of fields, and in the body.
#[must_use]
pub fn control_bytes() -> Vec<Vec<u8>> {
    [
        b"Sub\0ject: x\r\nX\r: y\r\n\r\n\0\r\n".to_vec(),
        b"Subject: a\0b\r\nFrom: \0@\0\r\n\r\n\0\0\0".to_vec(),
        b"Subject: a\rb\r\n\r\nbody\rwith\rbare CR\r\n".to_vec(),
        b"\0\r\n\r\n".to_vec(),
        b": no name\r\n : no name either\r\n\r\n".to_vec(),
        b"no colon at all\r\n\r\nbody\r\n".to_vec(),
        b" begins with a folded line\r\nSubject: x\r\n\r\n".to_vec(),
        b"Content-Type: text/plain; charset=\0\r\nContent-Transfer-Encoding: \0\r\n\r\nx\r\n"
            .to_vec(),
        b"Content-Type: \r\nContent-Type: /\r\nContent-Type: a/\r\n\r\nx\r\n".to_vec(),
    ]
    .to_vec()
}

/// Boundaries that are none, or are those of others.
#[must_use]
pub fn boundaries() -> Vec<Vec<u8>> {
    let message = |boundary: &str, body: &str| {
        format!("Subject: b\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n{body}")
            .into_bytes()
    };
    let long = "x".repeat(10_000);
    vec![
        message("\"\"", "--\r\n\r\na\r\n--\r\n\r\nb\r\n----\r\n"),
        message(
            &format!("\"{long}\""),
            &format!("--{long}\r\n\r\na\r\n--{long}--\r\n"),
        ),
        message(
            "a",
            "--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\nx\r\n--ab--\r\n--a--\r\n",
        ),
        message(
            "ab",
            "--ab\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n--ab--\r\n",
        ),
        message(
            "a",
            "--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n--a--\r\n",
        ),
        message("\"--\"", "----\r\n\r\na\r\n------\r\n"),
        message("\"a  \"", "--a  \r\n\r\nx\r\n--a\r\n\r\ny\r\n--a  --\r\n"),
        message("a", "--a\r\n\r\nnever closed"),
        message("\"a\0b\"", "--a\0b\r\n\r\nx\r\n--a\0b--\r\n"),
        message("\"a\\\"b\"", "--a\"b\r\n\r\nx\r\n--a\"b--\r\n"),
        message("a; boundary=b", "--a\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"),
    ]
}
