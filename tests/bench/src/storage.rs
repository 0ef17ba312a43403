//! What storage costs: the same work on ours and on Dovecot, in each format, on the same disk.

mod place;
mod work;

use std::path::PathBuf;

use place::Server;
use work::Figure;

/// What is measured, and how much of it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Messages in the large mailbox.
    #[arg(long, default_value_t = 10_000)]
    messages: usize,
    /// Deliveries and APPENDs of each kind.
    #[arg(long, default_value_t = 1_000)]
    deliveries: usize,
    /// Mailboxes for LIST and STATUS.
    #[arg(long, default_value_t = 1_000)]
    mailboxes: usize,
    /// How often what changes nothing is repeated; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these formats.
    #[arg(long, value_delimiter = ',', default_values_t = ["maildir", "sdbox", "mdbox"].map(String::from))]
    formats: Vec<String>,
    /// Where the mail lies: a directory on the disk in question.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    on: PathBuf,
}

/// Measures and prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    for format in &options.formats {
        let mut columns = Vec::new();
        for server in [Server::Culver, Server::Dovecot] {
            eprintln!("{format}, {} …", server.title());
            let place = place::boot(server, format, &options.on)?;
            columns.push(work::all(&place, options)?);
        }
        print(format, &columns);
    }
    Ok(())
}

/// A row for each figure: what, both servers, how many times as good ours is, CPU of both.
fn print(format: &str, columns: &[Vec<Figure>]) {
    println!(
        "\n{format:<42} {:>12} {:>12} {:>7}   {:>14}",
        "culver", "dovecot", "ratio", "CPU ms/op"
    );
    let [ours, theirs] = columns else {
        return;
    };
    for (ours, theirs) in ours.iter().zip(theirs) {
        let ratio = match ours.more_is_better {
            true => ours.value / theirs.value,
            false => theirs.value / ours.value,
        };
        println!(
            "{:<42} {:>12} {:>12} {:>6.2}x   {:>6.2} {:>7.2}",
            ours.what,
            shown(ours.value),
            shown(theirs.value),
            ratio,
            ours.cpu_ms,
            theirs.cpu_ms
        );
    }
}

fn shown(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
