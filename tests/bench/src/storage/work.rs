//! The work that is measured, step by step: each leaves what the next one needs.

use std::time::Instant;

use testkit::Lmtp;

use super::Options;
use super::place::{Caches, Place, USER};
use crate::client::Session;
use crate::measure::{cpu_ms, median, pss};

/// A part of the large mailbox, for what would take long on all of it.
const SOME: usize = 1_000;

/// One row.
pub struct Figure {
    /// With its unit.
    pub what: String,
    /// In that unit.
    pub value: f64,
    /// Or less is.
    pub more_is_better: bool,
    /// Of the whole machine, for each operation, milliseconds.
    pub cpu_ms: f64,
}

/// Everything, in order.
pub fn all(place: &Place, options: &Options) -> anyhow::Result<Vec<Figure>> {
    let bench = Bench { place, options };
    let mut rows = Vec::new();
    for clients in [1, 10] {
        rows.push(bench.deliveries(clients)?);
    }
    for clients in [1, 10] {
        rows.push(bench.appends(clients)?);
    }
    bench.fill()?;
    bench.reads(&mut rows)?;
    bench.changes(&mut rows)?;
    bench.names(&mut rows)?;
    rows.push(bench.memory());
    Ok(rows)
}

struct Bench<'b> {
    place: &'b Place,
    options: &'b Options,
}

/// By the clock, and CPU of the whole machine.
struct Took {
    ms: f64,
    cpu_ms: f64,
}

/// About 2 kB, as mail without attachments is; each another one.
fn message(number: usize) -> Vec<u8> {
    let mut text = format!(
        "Return-Path: <sender{number}@example.org>\r\nReceived: from mx.example.org by mail.example.org; Mon, 23 Nov 2026 20:00:00 +0000\r\n\
         From: Sender {number} <sender{number}@example.org>\r\nTo: ann@example.org\r\nSubject: message {number} about something\r\n\
         Date: Mon, 23 Nov 2026 20:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    for line in 0..25 {
        text.push_str(&format!(
            "{line:>3} of {number}: the quick brown fox jumps over the lazy dog, again\r\n"
        ));
    }
    text.into_bytes()
}

impl Bench<'_> {
    fn took(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Took> {
        let cpu = cpu_ms(&self.place.machine);
        let begun = Instant::now();
        work()?;
        Ok(Took {
            ms: begun.elapsed().as_secs_f64() * 1000.0,
            cpu_ms: cpu_ms(&self.place.machine) - cpu,
        })
    }

    fn command(&self, session: &mut Session, command: &str) -> anyhow::Result<Took> {
        self.took(|| Ok(session.command(command)?))
    }

    /// Time and CPU of `work`, which does `count` operations: rate per second.
    fn rate(
        &self,
        what: &str,
        count: usize,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Figure> {
        let took = self.took(work)?;
        Ok(Figure {
            what: format!("{what}, /s"),
            value: count as f64 / took.ms * 1000.0,
            more_is_better: true,
            cpu_ms: took.cpu_ms / count as f64,
        })
    }

    /// Medians of what `work` took.
    fn time(
        &self,
        what: &str,
        rounds: usize,
        mut work: impl FnMut() -> anyhow::Result<Took>,
    ) -> anyhow::Result<Figure> {
        let (mut times, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let took = work()?;
            times.push(took.ms);
            costs.push(took.cpu_ms);
        }
        Ok(Figure {
            what: format!("{what}, ms"),
            value: median(times),
            more_is_better: false,
            cpu_ms: median(costs),
        })
    }

    /// `clients` connect, then share the deliveries; `work` does one.
    fn share<C: Send>(
        &self,
        (what, clients): (&str, usize),
        connect: impl Fn() -> anyhow::Result<C>,
        work: impl Fn(&mut C, usize) -> anyhow::Result<()> + Sync,
    ) -> anyhow::Result<Figure> {
        let connections: Vec<C> = (0..clients)
            .map(|_| connect())
            .collect::<anyhow::Result<_>>()?;
        let each = self.options.deliveries / clients;
        let work = &work;
        self.rate(
            &format!("{what}, {clients} at once"),
            each * clients,
            || {
                std::thread::scope(|scope| {
                    let mut threads = Vec::new();
                    for mut connection in connections {
                        threads.push(
                            scope.spawn(move || {
                                (0..each).try_for_each(|n| work(&mut connection, n))
                            }),
                        );
                    }
                    threads.into_iter().try_for_each(|thread| {
                        thread
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    })
                })
            },
        )
    }

    fn deliveries(&self, clients: usize) -> anyhow::Result<Figure> {
        let connect = || Ok(Lmtp::try_connect(self.place.machine.connect(24))?);
        self.share(("LMTP", clients), connect, |lmtp, number| {
            let replies = lmtp.try_deliver("sender@example.org", &[USER], &message(number))?;
            let is_done = replies.iter().all(|reply| reply.starts_with("250"));
            anyhow::ensure!(is_done, "{replies:?}");
            Ok(())
        })
    }

    fn appends(&self, clients: usize) -> anyhow::Result<Figure> {
        // There from the second time on.
        let _ = self.place.log_in()?.command("CREATE appended");
        let connect = || self.place.log_in();
        self.share(("APPEND", clients), connect, |session, number| {
            Ok(session.append("appended", &message(number))?)
        })
    }

    /// The large mailbox.
    fn fill(&self) -> anyhow::Result<()> {
        let mut session = self.place.log_in()?;
        session.command("CREATE large")?;
        session.command("CREATE other")?;
        for number in 0..self.options.messages {
            session.append("large", &message(number))?;
        }
        Ok(())
    }

    fn selected(&self) -> anyhow::Result<Session> {
        let mut session = self.place.log_in()?;
        session.command("SELECT large")?;
        Ok(session)
    }

    fn reads(&self, rows: &mut Vec<Figure>) -> anyhow::Result<()> {
        let rounds = self.options.rounds;
        let cold = |caches: Caches, select: bool, command: &'static str| {
            move || {
                self.place.start_over(caches);
                let mut session = self.place.log_in()?;
                if select {
                    session.command("SELECT large")?;
                }
                self.command(&mut session, command)
            }
        };
        rows.push(self.time(
            "SELECT, new process",
            rounds,
            cold(Caches::Kept, false, "SELECT large"),
        )?);
        let mut session = self.place.log_in()?;
        rows.push(self.time("SELECT, again", rounds, || {
            self.command(&mut session, "SELECT large")
        })?);
        for (what, command) in [
            ("FETCH 1:* ENVELOPE", "FETCH 1:* (UID FLAGS ENVELOPE)"),
            ("FETCH 1:* BODYSTRUCTURE", "FETCH 1:* (UID BODYSTRUCTURE)"),
        ] {
            let title = format!("{what}, no cache");
            rows.push(self.time(&title, rounds, cold(Caches::Gone, true, command))?);
            let mut session = self.selected()?;
            session.command(command)?;
            rows.push(self.time(&format!("{what}, cached"), rounds, || {
                self.command(&mut session, command)
            })?);
        }
        let mut session = self.selected()?;
        rows.push(self.time("FETCH 1:* FLAGS", rounds, || {
            self.command(&mut session, "FETCH 1:* (UID FLAGS)")
        })?);
        let bodies = self.time("FETCH 1:* BODY.PEEK[]", rounds, || {
            self.command(&mut session, "FETCH 1:* (UID BODY.PEEK[])")
        })?;
        let bytes = session.count("FETCH 1:* (UID BODY.PEEK[])")?;
        rows.push(Figure {
            what: "bodies, MB/s".to_owned(),
            value: bytes as f64 / 1000.0 / bodies.value,
            more_is_better: true,
            ..bodies
        });
        for (what, command) in [
            ("SEARCH HEADER", "SEARCH HEADER Subject \"message 77 \""),
            ("SEARCH BODY", "SEARCH BODY \"of 77: the lazy cat\""),
            ("SEARCH UNSEEN SINCE", "SEARCH UNSEEN SINCE 1-Jan-2020"),
        ] {
            rows.push(self.time(what, rounds, || self.command(&mut session, command))?);
        }
        Ok(())
    }

    fn changes(&self, rows: &mut Vec<Figure>) -> anyhow::Result<()> {
        let mut session = self.selected()?;
        let some = SOME.min(self.options.messages / 2);
        for (what, command) in [
            (
                "STORE of 1,000",
                format!("STORE 1:{some} +FLAGS.SILENT (\\Flagged)"),
            ),
            ("COPY of 1,000", format!("COPY 1:{some} other")),
            (
                "STORE \\Deleted of half",
                format!(
                    "STORE 1:{} +FLAGS.SILENT (\\Deleted)",
                    self.options.messages / 2
                ),
            ),
            ("EXPUNGE of half", "EXPUNGE".to_owned()),
            ("MOVE of 1,000", format!("MOVE 1:{some} other")),
        ] {
            rows.push(self.time(what, 1, || self.command(&mut session, &command))?);
        }
        rows.push(self.time("doveadm purge", 1, || {
            self.took(|| {
                self.place.machine.run(&format!("doveadm purge -u {USER}"));
                Ok(())
            })
        })?);
        Ok(())
    }

    fn names(&self, rows: &mut Vec<Figure>) -> anyhow::Result<()> {
        let count = self.options.mailboxes;
        let mut session = self.place.log_in()?;
        rows.push(self.rate("CREATE", count, || {
            (0..count).try_for_each(|n| Ok(session.command(&format!("CREATE box{n}"))?))
        })?);
        for (what, caches) in [
            ("LIST and STATUS of all, new process", true),
            ("LIST and STATUS of all, again", false),
        ] {
            rows.push(self.time(what, self.options.rounds, || {
                if caches {
                    self.place.start_over(Caches::Kept);
                }
                let mut session = self.place.log_in()?;
                self.took(|| {
                    session.command("LIST \"\" \"*\"")?;
                    (0..count).try_for_each(|n| {
                        let status = format!("STATUS box{n} (MESSAGES UNSEEN UIDNEXT)");
                        Ok(session.command(&status)?)
                    })
                })
            })?);
        }
        Ok(())
    }

    /// With one session in the large mailbox.
    fn memory(&self) -> Figure {
        let _session = self.selected();
        let (kb, _) = pss(&self.place.machine, self.place.server.program());
        Figure {
            what: "PSS of all processes, kB".to_owned(),
            value: kb as f64,
            more_is_better: false,
            cpu_ms: 0.0,
        }
    }
}
