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
    #[arg(long, value_delimiter = ',', default_values_t = ["maildir", "sdbox", "mdbox", "mbox"].map(String::from))]
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

/// A row for each figure: what, both servers, how many times as good ours is; the same of the CPU that an operation
/// costs, which others on the machine change less.
fn print(format: &str, columns: &[Vec<Figure>]) {
    println!(
        "\n{format:<42} {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        "culver", "dovecot", "ratio", "CPU ms/op", "dovecot", "ratio"
    );
    let [ours, theirs] = columns else {
        return;
    };
    for (ours, theirs) in ours.iter().zip(theirs) {
        let ratio = match ours.more_is_better {
            true => ours.value / theirs.value,
            false => theirs.value / ours.value,
        };
        let clock = format!(
            "{:<42} {:>9} {:>9} {ratio:>6.2}x",
            ours.what,
            shown(ours.value),
            shown(theirs.value)
        );
        let cpu = if ours.cpu_ms > 0.0 {
            format!(
                "   {:>9} {:>9} {:>6.2}x",
                shown(ours.cpu_ms),
                shown(theirs.cpu_ms),
                theirs.cpu_ms / ours.cpu_ms
            )
        } else {
            String::new()
        };
        println!("{clock}{cpu}");
    }
}

fn shown(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
