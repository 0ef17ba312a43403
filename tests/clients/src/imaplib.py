"""A session by imaplib with every usual command: python3 imaplib.py USER PASSWORD. Prints `done`, or raises."""

import email
import imaplib
import ssl
import sys

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


imap = imaplib.IMAP4("127.0.0.1", 143)
imap.starttls(context)
ok(imap.login(sys.argv[1], sys.argv[2]))
ok(imap.noop())
assert ok(imap.namespace()), "NAMESPACE"
for name in ["Work", "Work.Done"] if b'"."' in ok(imap.list())[0] else ["Work", "Work/Done"]:
    ok(imap.create(name))
    ok(imap.subscribe(name))
deep = name
assert len(ok(imap.lsub())) >= 2
ok(imap.rename(deep, deep + "-renamed"))
ok(imap.delete(deep + "-renamed"))

assert ok(imap.select("INBOX")) == [b"3"]
assert ok(imap.search(None, "SUBJECT", "second")) == [b"2"]
assert ok(imap.search(None, "UNSEEN", "NOT", "DELETED", "TEXT", "dot")) == [b"1 2 3"]
message = email.message_from_bytes(ok(imap.fetch("2", "(RFC822)"))[0][1])
assert message["Subject"] == "second"
assert "Gr\u00fc\u00dfe" in message.get_payload(decode=True).decode()
assert ok(imap.search(None, "SEEN")) == [b"2"]
assert b"ENVELOPE" in ok(imap.fetch("1:*", "(UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"))[0]
ok(imap.store("1", "+FLAGS", r"(\Flagged keyword)"))
assert ok(imap.search(None, "KEYWORD", "keyword")) == [b"1"]
ok(imap.copy("1:2", "Work"))
ok(imap.uid("STORE", "1", "+FLAGS", r"(\Deleted)"))
assert ok(imap.expunge()) == [b"1"]
ok(imap.append("Work", r"(\Draft)", '"01-Feb-2024 03:04:05 +0600"', b"Subject: appended\r\n\r\nx\r\n"))
ok(imap.close())

assert ok(imap.select("Work", readonly=True)) == [b"3"]
assert b"01-Feb-2024 03:04:05 +0600" in ok(imap.fetch("3", "(INTERNALDATE)"))[0] or b"31-Jan-2024 21:04:05 +0000" in ok(
    imap.fetch("3", "(INTERNALDATE)")
)[0]
assert imap.store("3", "+FLAGS", r"(\Seen)")[0] == "NO" or ok(imap.search(None, "DRAFT", "SEEN")) == [b""]
assert ok(imap.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)")) == [b"INBOX (MESSAGES 2 UIDNEXT 4 UNSEEN 1)"]
kind, _ = imap.logout()
assert kind == "BYE"

try:
    wrong = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context)
    wrong.login(sys.argv[1], "wrong")
    raise SystemExit("a wrong password was accepted")
except imaplib.IMAP4.error as error:
    assert "AUTHENTICATIONFAILED" in str(error), error
print("done")
