//! Logins per second, and memory per idle session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::client::ClientConfig;
use testkit::Machine;

use crate::client::{Session, tls};
use crate::measure::{cpu_ms, median, pss};
use crate::parked::Parked;
use crate::servers::{Kind, USERS, user};

/// So long nobody says anything before memory is measured.
const SILENCE: Duration = Duration::from_secs(3);

/// What is measured, and for how long.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Seconds of logins per round.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Rounds; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections at once.
    #[arg(long, default_value_t = 10)]
    clients: u32,
    /// Sessions per user that stay open for the memory figure.
    #[arg(long, default_value_t = 3)]
    sessions: u32,
    /// Sessions that are parked in imap-hibernate for the figure of those; 0: none.
    #[arg(long, default_value_t = 1000)]
    parked: u32,
    /// Only servers whose title has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// Only plain connections.
    #[arg(long)]
    only_plain: bool,
}

struct Row {
    kind: Kind,
    way: &'static str,
    logins: f64,
    cpu_ms: f64,
    idle_kb: f64,
    processes: usize,
}

/// Measures and prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let config = tls();
    let (mut rows, mut parked) = (Vec::new(), None);
    for kind in Kind::ALL {
        if !kind.title().contains(&options.only) {
            continue;
        }
        let machine = kind.boot();
        for (way, tls) in [("plain", None), ("TLS", Some(&config))] {
            if options.only_plain && tls.is_some() {
                continue;
            }
            eprintln!("{}, {way} …", kind.title());
            rows.push(measure(options, kind, &machine, way, tls)?);
        }
        if kind == Kind::Culver && options.parked > 0 {
            eprintln!("{}, parked …", kind.title());
            parked = Some(Parked::measure(&machine, options.parked)?);
        }
    }
    print(&rows);
    if let Some(parked) = parked {
        println!("{parked}");
    }
    Ok(())
}

fn measure(
    options: &Options,
    kind: Kind,
    machine: &Machine,
    way: &'static str,
    tls: Option<&Arc<ClientConfig>>,
) -> anyhow::Result<Row> {
    // Everybody once, so that nobody's mail is made while it is measured.
    for number in 0..USERS {
        one_login(machine, number, tls)?;
    }
    let mut rates = Vec::new();
    let mut costs = Vec::new();
    for _ in 0..options.rounds {
        let (rate, cost) = logins(options, machine, tls);
        rates.push(rate);
        costs.push(cost);
    }
    let (idle_kb, processes) = idle(options, kind, machine, tls)?;
    let (logins, cpu_ms) = (median(rates), median(costs));
    Ok(Row {
        kind,
        way,
        logins,
        cpu_ms,
        idle_kb,
        processes,
    })
}

fn port(tls: Option<&Arc<ClientConfig>>) -> u16 {
    if tls.is_some() { 993 } else { 143 }
}

fn one_login(
    machine: &Machine,
    number: u32,
    tls: Option<&Arc<ClientConfig>>,
) -> anyhow::Result<()> {
    let mut session = Session::open(machine.connect(port(tls)), tls)?;
    session.login(&user(number))?;
    session.command("SELECT INBOX")?;
    session.command("LOGOUT")?;
    Ok(())
}

/// Logins per second, and CPU of the server per login in milliseconds.
fn logins(options: &Options, machine: &Machine, tls: Option<&Arc<ClientConfig>>) -> (f64, f64) {
    let (done, failed, next) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU32::new(0));
    let before = cpu_ms(machine);
    let start = Instant::now();
    let end = start + Duration::from_secs(options.seconds);
    std::thread::scope(|scope| {
        for _ in 0..options.clients {
            scope.spawn(|| {
                machine.in_network(|| {
                    while Instant::now() < end {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let counter = match login_logout(number, tls) {
                            Ok(()) => &done,
                            Err(_) => &failed,
                        };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let done = done.into_inner() as f64;
    let failed = failed.into_inner();
    if failed > 0 {
        eprintln!("  {failed} logins failed");
    }
    (done / seconds, (cpu_ms(machine) - before) / done.max(1.0))
}

fn login_logout(number: u32, tls: Option<&Arc<ClientConfig>>) -> std::io::Result<()> {
    let tcp = std::net::TcpStream::connect(("127.0.0.1", port(tls)))?;
    let mut session = Session::open(tcp, tls)?;
    session.login(&user(number))?;
    session.command("LOGOUT")
}

/// Memory per idle session, kB of PSS over what the server uses without any; and processes.
fn idle(
    options: &Options,
    kind: Kind,
    machine: &Machine,
    tls: Option<&Arc<ClientConfig>>,
) -> anyhow::Result<(f64, usize)> {
    machine.run(match kind {
        Kind::Culver => {
            "systemctl restart culver-imap.service culver-imap-login.service culver-anvil.service"
        }
        _ => "systemctl restart dovecot.service",
    });
    one_login(machine, 0, tls)?;
    let without = pss(machine, kind.program());
    let mut open = Vec::new();
    for number in 0..USERS * options.sessions {
        let mut session = Session::open(machine.connect(port(tls)), tls)?;
        session.login(&user(number))?;
        session.command("SELECT INBOX")?;
        open.push(session);
    }
    // Idle is who has been silent for a while.
    std::thread::sleep(SILENCE);
    let with = pss(machine, kind.program());
    let count = open.len();
    drop(open);
    Ok((
        with.0.saturating_sub(without.0) as f64 / count as f64,
        with.1,
    ))
}

fn print(rows: &[Row]) {
    println!(
        "{:<36} {:>6} {:>10} {:>12} {:>12} {:>10}",
        "server", "", "logins/s", "CPU/login", "PSS/session", "processes"
    );
    for row in rows {
        println!(
            "{:<36} {:>6} {:>10.0} {:>9.2} ms {:>9.0} kB {:>10}",
            row.kind.title(),
            row.way,
            row.logins,
            row.cpu_ms,
            row.idle_kb,
            row.processes
        );
    }
    for ours in rows.iter().filter(|row| row.kind == Kind::Culver) {
        for row in rows
            .iter()
            .filter(|row| row.kind != Kind::Culver && row.way == ours.way)
        {
            println!(
                "culver : {}, {}: {:.1}x logins/s, 1/{:.1} of the memory",
                row.kind.title(),
                row.way,
                ours.logins / row.logins,
                row.idle_kb / ours.idle_kb
            );
        }
    }
}
