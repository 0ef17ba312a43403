//! Header lines that a delivery adds: Return-Path, Delivered-To, Received. RFC 5321 §4.4.
//!
//! *Invariant:* their parts are printable ASCII by their types ([`Address`], [`ClientName`], [`SessionId`],
//! [`crate::settings::Settings::host`]): no client can put a line end into a header.

use std::net::IpAddr;

use ipc::SessionId;
use jiff::Zoned;
use smtp_proto::{Address, ClientName, ReversePath};

use crate::settings::{DeliveryAddress, Settings};

/// What the header lines of one transaction say, whoever the recipient is.
pub struct Trace<'a> {
    /// How the client named itself.
    pub client: Option<&'a ClientName>,
    /// Where it comes from; `None`: from this host, over a unix socket.
    pub remote: Option<IpAddr>,
    /// Envelope sender.
    pub from: &'a ReversePath,
    /// Names the transaction in the log.
    pub id: &'a SessionId,
    /// When it began.
    pub time: &'a Zoned,
}

impl Trace<'_> {
    /// The lines for one recipient, each ended by CRLF.
    pub fn lines(&self, to: &Address, original: Option<&Address>, settings: &Settings) -> String {
        let mut lines = format!("Return-Path: <{}>\r\n", self.from);
        let shown = match settings.lmtp_hdr_delivery_address {
            DeliveryAddress::None => None,
            DeliveryAddress::Final => Some(to),
            DeliveryAddress::Original => original,
        };
        if let Some(address) = shown {
            lines.push_str(&format!("Delivered-To: {address}\r\n"));
        }
        if settings.lmtp_add_received_header {
            lines.push_str(&self.received(shown, settings));
        }
        lines
    }

    fn received(&self, shown: Option<&Address>, settings: &Settings) -> String {
        let client = self.client.and_then(ClientName::valid).unwrap_or("unknown");
        let remote = self
            .remote
            .map(|address| format!(" ([{address}])"))
            .unwrap_or_default();
        let recipient = shown
            .map(|address| format!("\r\n\tfor <{address}>"))
            .unwrap_or_default();
        format!(
            "Received: from {client}{remote}\r\n\tby {host} with LMTP\r\n\tid {id}\r\n\t(envelope-from <{from}>){recipient}; {date}\r\n",
            host = settings.host(),
            id = self.id,
            from = self.from,
            date = self.time.strftime("%a, %d %b %Y %H:%M:%S %z"),
        )
    }
}

#[cfg(test)]
mod tests {
    use smtp_proto::{Command, Leniency};

    use super::*;
    use crate::testing;

    fn command(line: &str) -> Command {
        Command::parse(line.as_bytes(), Leniency::default()).unwrap()
    }

    fn lines(settings: &Settings, remote: Option<IpAddr>) -> String {
        let Command::Lhlo(client) = command("LHLO mx.example") else {
            panic!()
        };
        let Command::Mail { from, .. } = command("MAIL FROM:<a@b>") else {
            panic!()
        };
        let Command::Rcpt { to, params } = command("RCPT TO:<demo> ORCPT=rfc822;x@y") else {
            panic!()
        };
        let id = SessionId::try_from("abc".to_owned()).unwrap();
        let time = "2024-02-01T03:04:05+01:00[+01:00]".parse().unwrap();
        let trace = Trace {
            client: Some(&client),
            remote,
            from: &from,
            id: &id,
            time: &time,
        };
        trace.lines(&to, params.original.as_ref(), settings)
    }

    #[test]
    fn as_dovecot_writes_them() {
        let settings = testing::settings("");
        let expected = "Return-Path: <a@b>\r\nDelivered-To: demo\r\n\
            Received: from mx.example ([127.0.0.1])\r\n\tby host.example with LMTP\r\n\tid abc\r\n\t(envelope-from <a@b>)\r\n\
            \tfor <demo>; Thu, 01 Feb 2024 03:04:05 +0100\r\n";
        assert_eq!(lines(&settings, Some([127, 0, 0, 1].into())), expected);
    }

    #[test]
    fn settings_decide_which_address_is_shown() {
        let none =
            testing::settings("lmtp_hdr_delivery_address = none\nlmtp_add_received_header = no");
        assert_eq!(lines(&none, None), "Return-Path: <a@b>\r\n");
        let original = testing::settings(
            "lmtp_hdr_delivery_address = original\nlmtp_add_received_header = no",
        );
        assert_eq!(
            lines(&original, None),
            "Return-Path: <a@b>\r\nDelivered-To: x@y\r\n"
        );
    }
}
