//! Whole conversations with a connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::testing::Host;

const READY: &str =
    "250-host.example\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n";

#[tokio::test]
async fn one_message_for_several() {
    let host = Host::start("");
    let input = b"LHLO x\r\nMAIL FROM:<s@y> SIZE=10\r\nRCPT TO:<alice@x>\r\nRCPT TO:<xeno@x>\r\nRCPT TO:<bob+work@x>\r\n\
        RCPT TO:<temp@x>\r\nDATA\r\nSubject: one\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
    let expected = format!(
        "{READY}250 2.1.0 OK\r\n250 2.1.5 OK\r\n550 5.1.1 <xeno@x> User doesn't exist: xeno@x\r\n250 2.1.5 OK\r\n\
        451 4.3.0 <temp@x> Temporary internal error\r\n354 OK\r\n250 2.0.0 <alice@x> session Saved\r\n\
        250 2.0.0 <bob+work@x> session:R2 Saved\r\n221 2.0.0 Bye\r\n"
    );
    assert_eq!(host.talk([input.as_slice()]).await, expected);
    let text = "Subject: one\r\n\r\n.dot\r\n".to_owned();
    assert_eq!(
        host.delivered(),
        [
            ("alice@x".to_owned(), text.clone()),
            ("bob+work@x".to_owned(), text)
        ]
    );
    let mailboxes = host.mailboxes.lock().unwrap();
    let (delivery, _) = &mailboxes.delivered[1];
    assert_eq!(
        (delivery.user.as_str(), delivery.detail.as_deref()),
        ("bob@x", Some("work"))
    );
    assert_eq!(delivery.sender, "s@y");
    assert!(
        delivery
            .prepend
            .starts_with("Return-Path: <s@y>\r\nDelivered-To: bob+work@x\r\nReceived: from x\r\n")
    );
}

#[tokio::test]
async fn pieces_make_no_difference() {
    let input = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<full>\r\nDATA\r\nx\n.\n\r\n.\r\nNOOP\r\nQUIT\r\n";
    let host = Host::start("");
    let whole = host.talk([input.as_slice()]).await;
    assert!(
        whole.ends_with(
            "452 4.3.1 <full> Not enough disk space\r\n250 2.0.0 OK\r\n221 2.0.0 Bye\r\n"
        ),
        "{whole}"
    );
    for cut in 0..input.len() {
        assert_eq!(
            host.talk([&input[..cut], &input[cut..]]).await,
            whole,
            "cut at {cut}"
        );
    }
    assert_eq!(host.talk(input.chunks(1)).await, whole);
    assert_eq!(host.delivered().len(), input.len() + 2);
    assert!(
        host.delivered()
            .iter()
            .all(|(_, text)| text == "x\n.\n\r\n")
    );
}

#[tokio::test]
async fn a_message_that_was_not_finished_is_nobodys() {
    let input = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nx\r\n.\r\n";
    let host = Host::start("");
    for length in 0..input.len() {
        host.talk([&input[..length]]).await;
        assert_eq!(host.delivered(), [], "after {length} bytes");
    }
}

#[tokio::test]
async fn nothing_is_smuggled() {
    // LMTP-01 … LMTP-09.
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r.\n",
        "\n.\r",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
    ] {
        let host = Host::start("");
        let input = format!(
            "LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: one\r\n\r\nx{end}MAIL FROM:<evil@b>\r\n\
            RCPT TO:<bob>\r\nDATA\r\nSubject: two\r\n\r\ny\r\n.\r\n"
        );
        let output = host.talk([input.as_bytes()]).await;
        assert_eq!(output.matches("Saved").count(), 1, "{end:?}: {output}");
        let delivered = host.delivered();
        assert_eq!(delivered.len(), 1);
        assert_eq!(delivered[0].0, "alice");
        assert!(delivered[0].1.contains("RCPT TO:<bob>"));
    }
}

#[tokio::test]
async fn failures_of_one_touch_no_other() {
    let host = Host::start("quota_full_tempfail = yes");
    let input = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<quota>\r\nRCPT TO:<broken>\r\nRCPT TO:<b>\r\nRCPT TO:<gone>\r\n\
        RCPT TO:<c>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let output = host.talk([input.as_slice()]).await;
    let expected = "354 OK\r\n250 2.0.0 <a> session Saved\r\n452 4.2.2 <quota> Quota exceeded (mailbox for user is full)\r\n\
        451 4.2.0 <broken> Temporary internal error\r\n250 2.0.0 <b> session:R4 Saved\r\n\
        550 5.1.1 <gone> User doesn't exist: gone\r\n250 2.0.0 <c> session:R6 Saved\r\n221 2.0.0 Bye\r\n";
    assert!(output.ends_with(expected), "{output}");
}

#[tokio::test]
async fn a_thousand_recipients_get_a_thousand_replies_in_order() {
    // LMTP-26.
    let host = Host::start("");
    let name = |index: usize| match index {
        500 => "quota".to_owned(),
        700 => "broken".to_owned(),
        _ => format!("u{index}"),
    };
    let recipients: String = (0..1001)
        .map(|index| format!("RCPT TO:<{}@x>\r\n", name(index)))
        .collect();
    let input = format!("LHLO x\r\nMAIL FROM:<>\r\n{recipients}DATA\r\nx\r\n.\r\nQUIT\r\n");
    let output = host.talk([input.as_bytes()]).await;
    assert_eq!(output.matches("250 2.1.5 OK\r\n").count(), 1000);
    assert_eq!(
        output.matches("451 4.5.3 Too many recipients\r\n").count(),
        1
    );
    let replies: Vec<&str> = output.split("354 OK\r\n").nth(1).unwrap().lines().collect();
    assert_eq!(replies.len(), 1001);
    for (index, reply) in replies.iter().take(1000).enumerate() {
        assert!(reply.contains(&format!("<{}@x>", name(index))), "{reply}");
        let code = match index {
            500 => "552",
            700 => "451",
            _ => "250",
        };
        assert!(reply.starts_with(code), "{reply}");
    }
    assert_eq!(host.delivered().len(), 998);
    let most = host.mailboxes.lock().unwrap().most;
    assert_eq!(most.0, 1);
    assert!(most.1 > 1 && most.1 <= 32, "{most:?}");
}

#[tokio::test]
async fn the_same_user_is_served_one_after_another_and_duplicates_once() {
    let host = Host::start("");
    let input = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<a+b@x>\r\nRCPT TO:<a@X>\r\nRCPT TO:<a+c@x>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let output = host.talk([input.as_slice()]).await;
    let expected = "250 2.0.0 <a@x> session Saved\r\n250 2.0.0 <a+b@x> session:R2 Saved\r\n250 2.0.0 <a@X> session Saved\r\n\
        250 2.0.0 <a+c@x> session:R4 Saved\r\n221 2.0.0 Bye\r\n";
    assert!(output.ends_with(expected), "{output}");
    assert_eq!(host.delivered().len(), 3);
    assert_eq!(host.mailboxes.lock().unwrap().most, (1, 1));
}

#[tokio::test]
async fn concurrency_limit_of_a_user() {
    let host = Host::start("lmtp_user_concurrency_limit = 1");
    let input = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<a+b>\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nQUIT\r\n";
    let output = host.talk([input.as_slice()]).await;
    let expected = "250 2.1.5 OK\r\n451 4.3.0 <a+b> Too many concurrent deliveries for user\r\n250 2.0.0 OK\r\n250 2.1.0 OK\r\n\
        250 2.1.5 OK\r\n221 2.0.0 Bye\r\n";
    assert!(output.ends_with(expected), "{output}");
}

#[tokio::test]
async fn commands_out_of_order() {
    let host = Host::start("");
    let input = b"RCPT TO:<a>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nRCPT TO:<xeno>\r\nDATA\r\nLHLO y\r\nRCPT TO:<a>\r\n\
        EHLO x\r\nHELP\r\nVRFY a\r\nSTARTTLS\r\nQUIT\r\n";
    let expected = format!(
        "503 5.5.0 MAIL needed first\r\n503 5.5.0 MAIL needed first\r\n250 2.1.0 OK\r\n503 5.5.0 MAIL already given\r\n\
        503 5.5.0 No valid recipients\r\n550 5.1.1 <xeno> User doesn't exist: xeno\r\n503 5.5.0 No valid recipients\r\n{READY}\
        503 5.5.0 MAIL needed first\r\n500 5.5.1 Unknown command\r\n\
        214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n252 2.3.3 Try RCPT instead\r\n\
        502 5.5.1 TLS support is not enabled.\r\n221 2.0.0 Bye\r\n"
    );
    assert_eq!(host.talk([input.as_slice()]).await, expected);
}

#[tokio::test]
async fn the_session_goes_on_with_the_next_message() {
    let host = Host::start("");
    let one = "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nx\r\n.\r\n";
    let output = host
        .talk([format!("LHLO x\r\n{one}{one}QUIT\r\n").as_bytes()])
        .await;
    assert!(
        output.contains("<a> session Saved\r\n") && output.contains("<a> session.2 Saved\r\n"),
        "{output}"
    );
}

#[tokio::test]
async fn hostile_clients() {
    let host = Host::start("");
    // LMTP-27: what follows BDAT is not read as commands.
    let output = host.talk([b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nBDAT 99999999999999999999\r\nBDAT 5\r\nab\r\nNOOP\r\n".as_slice()]).await;
    assert!(
        output.ends_with("250 2.1.5 OK\r\n502 5.5.1 CHUNKING support is not enabled.\r\n"),
        "{output}"
    );
    // LMTP-28.
    let output = host.talk([b"LHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil>\r\n\x16\x03\x01\x02\0\x01\0\x01\xfc\r\nQUIT\r\n".as_slice()]).await;
    assert!(output.contains("\r\n502 5.5.1 TLS support"), "{output}");
    // LMTP-13, LMTP-30.
    let output = host.talk([b"LHLO \xf0\x9f\r\nMAIL FROM:<a@b> X=\xe2\x82\r\nNOOP \xff\xff\r\nMAIL FROM:<a@b\\\r\nX-Evil: 1>\r\nMAIL FROM:<\"a\r\nb\"@c>\r\nQUIT\r\n".as_slice()]).await;
    assert!(
        output
            .lines()
            .rev()
            .skip(1)
            .all(|line| line.starts_with('5')),
        "{output}"
    );
    // Nobody sends eleven bad commands in a row by mistake.
    let output = host.talk([b"X\r\n".repeat(20).as_slice()]).await;
    assert_eq!(output.lines().count(), 11);
    assert!(output.ends_with("421 4.7.0 Too many invalid commands.\r\n"));
    // 64 KiB are a line, one more is not.
    let line = [b"NOOP ".as_slice(), &[b'x'; 65_531], b"\r\n"].concat();
    assert_eq!(host.talk([line.as_slice()]).await, "250 2.0.0 OK\r\n");
    let line = [b"NOOP ".as_slice(), &[b'x'; 65_532], b"\r\nNOOP\r\n"].concat();
    assert_eq!(
        host.talk([line.as_slice()]).await,
        "500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n"
    );
}

#[tokio::test]
async fn details_cannot_name_a_path_and_strange_names_are_unknown() {
    // LMTP-25.
    let host = Host::start("");
    let input = b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice+../../bob@x>\r\nRCPT TO:<\"alice+../../bob\"@x>\r\nRCPT TO:<../bob>\r\nQUIT\r\n";
    let output = host.talk([input.as_slice()]).await;
    let replies: Vec<&str> = output.lines().skip(5).collect();
    // The detail is judged where mailboxes are known.
    assert_eq!(replies[..2], ["250 2.1.5 OK", "250 2.1.5 OK"]);
    assert_eq!(
        replies[2],
        "550 5.1.1 <\"../bob\"> User doesn't exist: ../bob"
    );
}

#[tokio::test]
async fn a_spool_without_room_is_told_to_everybody_and_the_session_goes_on() {
    let host = Host::start("mail_temp_dir = /dev/null/spool");
    let large = "x".repeat(998) + "\r\n";
    let input = format!(
        "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n{}.\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
        large.repeat(500)
    );
    let output = host.talk(input.as_bytes().chunks(7000)).await;
    let expected = "354 OK\r\n452 4.3.1 <a> Insufficient system storage\r\n452 4.3.1 <b> Insufficient system storage\r\n250 2.1.0 OK\r\n\
        250 2.1.5 OK\r\n354 OK\r\n250 2.0.0 <a> session.2 Saved\r\n221 2.0.0 Bye\r\n";
    assert!(output.ends_with(expected), "{output}");
}

#[tokio::test]
async fn large_messages_arrive_whole() {
    let host = Host::start("");
    let body = (0..30_000).fold(String::new(), |body, line| {
        body + &format!("..line {line}\r\n")
    });
    let input = format!("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n{body}.\r\nQUIT\r\n");
    host.talk(input.as_bytes().chunks(5000)).await;
    assert_eq!(host.delivered()[0].1, body.replace("..line", ".line"));
    let left = std::fs::read_dir(host.directory.path())
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("culver")
        });
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_deliver_service_that_vanishes_is_a_temporary_failure_once() {
    let host = Host::start("");
    let one = |user: &str| format!("MAIL FROM:<>\r\nRCPT TO:<{user}>\r\nDATA\r\nx\r\n.\r\n");
    let output = host
        .talk([format!("LHLO x\r\n{}{}QUIT\r\n", one("vanish"), one("a")).as_bytes()])
        .await;
    assert!(
        output.contains("451 4.3.0 <vanish> Temporary internal error\r\n"),
        "{output}"
    );
    assert!(
        output.contains("250 2.0.0 <a> session.2 Saved\r\n"),
        "{output}"
    );
}

#[tokio::test]
async fn draining_lets_the_message_under_way_finish() {
    let host = Host::start("");
    let (mut client, server) = host.connect();
    client
        .write_all(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n")
        .await
        .unwrap();
    let mut output = vec![0; 1000];
    let mut seen = String::new();
    while !seen.ends_with("354 OK\r\n") {
        let read = client.read(&mut output).await.unwrap();
        seen.push_str(std::str::from_utf8(&output[..read]).unwrap());
    }
    host.drain.send(true).unwrap();
    client.write_all(b"x\r\n.\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert_eq!(
        rest,
        "250 2.0.0 <a> session Saved\r\n421 4.3.2 Shutting down\r\n"
    );
    assert_eq!(server.await.unwrap(), ("Shutting down", "READY"));
}

#[tokio::test(start_paused = true)]
async fn silent_clients_are_sent_away() {
    let host = Host::start("");
    let (mut client, server) = host.connect();
    let mut output = String::new();
    client.read_to_string(&mut output).await.unwrap();
    assert!(output.ends_with("421 4.4.2 Disconnected for inactivity\r\n"));
    drop(client);
    assert_eq!(
        server.await.unwrap(),
        ("Disconnected for inactivity", "GREETING")
    );
}

#[tokio::test]
async fn workarounds_that_are_allowed() {
    let input = b"LHLO x\r\nMAIL FROM: <a@b>\r\nRCPT TO:a@b\r\nQUIT\r\n";
    let strict = Host::start("").talk([input.as_slice()]).await;
    let refused = "501 5.5.4 Invalid FROM: Unexpected whitespace before path\r\n501 5.5.4 Invalid TO: Missing '<' at beginning of path\r\n";
    assert!(strict.contains(refused), "{strict}");
    let host = Host::start("lmtp_client_workarounds = whitespace-before-path mailbox-for-path");
    let lenient = host.talk([input.as_slice()]).await;
    assert!(
        lenient.ends_with("250 2.1.0 OK\r\n250 2.1.5 OK\r\n221 2.0.0 Bye\r\n"),
        "{lenient}"
    );
}
