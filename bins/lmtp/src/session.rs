//! What the commands of one client do. RFC 2033, RFC 5321 §4.1.4 (order of commands).

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ipc::SessionId;
use jiff::Zoned;
use smtp_proto::{Address, ClientName, Command, Enhanced, Line, RcptParams, Reply, ReversePath};
use tokio::sync::mpsc;

use crate::headers::Trace;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::transaction::{MAX_RECIPIENTS, Recipient, Transaction};
use crate::users::Lookup;

/// Most commands in a row that no LMTP client would send.
const MAX_BAD_COMMANDS: u32 = 10;

/// One client's conversation, without its bytes.
pub struct Session {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    /// Names the session in the log.
    pub id: SessionId,
    remote: Option<IpAddr>,
    client: Option<ClientName>,
    transaction: Option<Transaction>,
    transactions: u32,
    bad_commands: u32,
}

/// What comes after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another command.
    Command,
    /// The message.
    Message,
    /// Nothing: the connection ends, for this reason.
    Close(&'static str),
}

impl Session {
    /// A client at `remote` (`None`: on this host, over a unix socket) has connected.
    pub fn new(
        shared: Arc<Shared>,
        settings: Settings,
        id: SessionId,
        remote: Option<IpAddr>,
    ) -> Self {
        let settings = Arc::new(settings);
        Self {
            shared,
            settings,
            id,
            remote,
            client: None,
            transaction: None,
            transactions: 0,
            bad_commands: 0,
        }
    }

    /// The settings of this session.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The first thing that the client hears.
    pub fn greeting(&self) -> Reply {
        Reply::plain(
            220,
            [format!("{} {}", self.settings.host(), self.settings.login_greeting).as_str()],
        )
    }

    /// A message is announced and not yet answered for.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// What the session does, as Dovecot's log lines call it.
    pub fn state(&self) -> &'static str {
        match &self.transaction {
            None if self.client.is_none() => "GREETING",
            None => "READY",
            Some(transaction) if transaction.recipients.is_empty() => "MAIL FROM",
            Some(_) => "RCPT TO",
        }
    }

    /// Executes one command line.
    pub async fn execute(&mut self, line: Line) -> (Reply, Next) {
        let (reply, next) = match line {
            Line::TooLong => (
                Reply::new(500, Enhanced(5, 5, 2), "Line too long"),
                Next::Command,
            ),
            Line::Complete(line) => match Command::parse(&line, self.settings.leniency()) {
                Ok(command) => self.command(command).await,
                Err(error) => (error.reply(), Next::Command),
            },
        };
        self.bad_commands = if reply.blames_client() {
            self.bad_commands.saturating_add(1)
        } else {
            0
        };
        if self.bad_commands > MAX_BAD_COMMANDS {
            let reply = Reply::new(421, Enhanced(4, 7, 0), "Too many invalid commands.");
            return (reply, Next::Close("Too many invalid commands"));
        }
        (reply, next)
    }

    async fn command(&mut self, command: Command) -> (Reply, Next) {
        let reply = match command {
            Command::Lhlo(client) => self.lhlo(client),
            Command::Mail { from, .. } => self.mail(from),
            Command::Rcpt { to, params } => self.rcpt(to, params).await,
            Command::Data => return self.data(),
            Command::Rset => self.rset(),
            Command::Noop => ok(Enhanced(2, 0, 0)),
            Command::Vrfy => Reply::new(252, Enhanced(2, 3, 3), "Try RCPT instead"),
            Command::Help => Reply::new(
                214,
                Enhanced(2, 0, 0),
                "LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT",
            ),
            Command::StartTls => Reply::new(502, Enhanced(5, 5, 1), "TLS support is not enabled."),
            Command::Unknown => Reply::new(500, Enhanced(5, 5, 1), "Unknown command"),
            Command::Quit => {
                return (
                    Reply::new(221, Enhanced(2, 0, 0), "Bye"),
                    Next::Close("Logged out"),
                );
            }
            // What follows is message text: to read it as commands would be smuggling.
            Command::Bdat => {
                let reply = Reply::new(502, Enhanced(5, 5, 1), "CHUNKING support is not enabled.");
                return (reply, Next::Close("BDAT without CHUNKING"));
            }
        };
        (reply, Next::Command)
    }

    fn lhlo(&mut self, client: ClientName) -> Reply {
        self.client = Some(client);
        self.transaction = None;
        Reply::plain(
            250,
            [
                self.settings.host().as_str(),
                "8BITMIME",
                "ENHANCEDSTATUSCODES",
                "PIPELINING",
            ],
        )
    }

    fn mail(&mut self, from: ReversePath) -> Reply {
        if self.transaction.is_some() {
            return out_of_order("MAIL already given");
        }
        self.transactions = self.transactions.saturating_add(1);
        let id = match self.transactions {
            1 => self.id.clone(),
            n => {
                SessionId::try_from(format!("{}.{n}", self.id)).unwrap_or_else(|_| self.id.clone())
            }
        };
        self.transaction = Some(Transaction {
            id,
            from,
            time: Zoned::now(),
            recipients: Vec::new(),
        });
        ok(Enhanced(2, 1, 0))
    }

    async fn rcpt(&mut self, to: Address, params: RcptParams) -> Reply {
        let Some(transaction) = &mut self.transaction else {
            return out_of_order("MAIL needed first");
        };
        if transaction.recipients.len() >= MAX_RECIPIENTS {
            return Reply::new(451, Enhanced(4, 5, 3), "Too many recipients");
        }
        match recipient(&self.shared, &self.settings, to, params).await {
            Ok(recipient) => {
                transaction.add(recipient);
                ok(Enhanced(2, 1, 5))
            }
            Err(reply) => reply,
        }
    }

    fn data(&mut self) -> (Reply, Next) {
        let reply = match &self.transaction {
            None => out_of_order("MAIL needed first"),
            // RFC 2033 §4.2.
            Some(transaction) if transaction.recipients.is_empty() => {
                out_of_order("No valid recipients")
            }
            Some(_) => return (Reply::plain(354, ["OK"]), Next::Message),
        };
        (reply, Next::Command)
    }

    fn rset(&mut self) -> Reply {
        self.transaction = None;
        ok(Enhanced(2, 0, 0))
    }

    /// The message is complete: one reply per recipient comes through the channel.
    pub fn message(&mut self, message: std::io::Result<OwnedFd>) -> mpsc::Receiver<Reply> {
        let Some(transaction) = self.transaction.take() else {
            return mpsc::channel(1).1;
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => return refuse_all(&transaction, &error),
        };
        let (id, from, time) = (
            transaction.id.clone(),
            transaction.from.clone(),
            transaction.time.clone(),
        );
        let (client, remote) = (self.client.clone(), self.remote);
        let settings = Arc::clone(&self.settings);
        let replying = Arc::clone(&self.settings);
        transaction.deliver(message, &self.shared, replying, move |recipient| {
            let trace = Trace {
                client: client.as_ref(),
                remote,
                from: &from,
                id: &id,
                time: &time,
            };
            trace.lines(&recipient.address, recipient.original.as_ref(), &settings)
        })
    }
}

/// Asks auth who `to` is.
async fn recipient(
    shared: &Arc<Shared>,
    settings: &Settings,
    to: Address,
    params: RcptParams,
) -> Result<Recipient, Reply> {
    let (user, detail) = to.user_and_detail(&settings.recipient_delimiter);
    let refuse = |code, enhanced, text: &str| Reply::new(code, enhanced, &format!("<{to}> {text}"));
    let known = match shared.users.look_up(&user).await {
        Lookup::Known(name) => name,
        Lookup::Unknown => {
            return Err(refuse(
                550,
                Enhanced(5, 1, 1),
                &format!("User doesn't exist: {user}"),
            ));
        }
        Lookup::Unavailable => {
            return Err(refuse(451, Enhanced(4, 3, 0), "Temporary internal error"));
        }
    };
    let in_flight = shared.begin(&known, settings.lmtp_user_concurrency_limit);
    let too_many = || {
        refuse(
            451,
            Enhanced(4, 3, 0),
            "Too many concurrent deliveries for user",
        )
    };
    let in_flight = in_flight.ok_or_else(too_many)?;
    let detail = detail.map(str::to_owned);
    Ok(Recipient {
        address: to,
        original: params.original,
        user,
        detail,
        in_flight,
        duplicate_of: None,
    })
}

/// The message found no room: everybody is told to try again later.
fn refuse_all(transaction: &Transaction, error: &std::io::Error) -> mpsc::Receiver<Reply> {
    tracing::error!(culver_session = %transaction.id, "lmtp: Error: spooling the message failed: {error}");
    let (replies, receiver) = mpsc::channel(transaction.recipients.len().max(1));
    for recipient in &transaction.recipients {
        let text = format!("<{}> Insufficient system storage", recipient.address);
        // There is room for all of them.
        let _ = replies.try_send(Reply::new(452, Enhanced(4, 3, 1), &text));
    }
    receiver
}

fn ok(enhanced: Enhanced) -> Reply {
    Reply::new(250, enhanced, "OK")
}

fn out_of_order(text: &str) -> Reply {
    Reply::new(503, Enhanced(5, 5, 0), text)
}
