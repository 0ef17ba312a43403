//! forward: makes ports of a machine reachable on the host's 127.0.0.1, until it is killed.
//!
//! `forward PID HOST_PORT=MACHINE_PORT...`: PID is the machine's PID 1 (`machine pid NAME`). The listening
//! sockets are the host's; a thread that lives in the machine's network makes the connections there.

use std::fs::File;
use std::io::{self, copy};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// A connection of the host, and the port of the machine that it wants.
type Wanted = (TcpStream, u16);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(pid) = args.next() else {
        return usage();
    };
    let Some(ports) = args.map(|arg| parse(&arg)).collect::<Option<Vec<_>>>() else {
        return usage();
    };
    match run(&pid, &ports) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forward: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: forward PID HOST_PORT=MACHINE_PORT...");
    ExitCode::from(64)
}

fn parse(arg: &str) -> Option<(u16, u16)> {
    let (host, machine) = arg.split_once('=')?;
    Some((host.parse().ok()?, machine.parse().ok()?))
}

fn run(pid: &str, ports: &[(u16, u16)]) -> io::Result<()> {
    let network = File::open(format!("/proc/{pid}/ns/net"))?;
    let (sender, receiver) = channel();
    for &(host, machine) in ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, host)).map_err(|error| {
            io::Error::new(error.kind(), format!("port {host} of 127.0.0.1: {error}"))
        })?;
        let sender = sender.clone();
        thread::spawn(move || accept(&listener, machine, &sender));
    }
    drop(sender);
    // From here on this thread makes its sockets in the machine.
    setns(&network, CloneFlags::CLONE_NEWNET)?;
    connect(&receiver);
    Ok(())
}

fn accept(listener: &TcpListener, machine: u16, sender: &Sender<Wanted>) {
    for client in listener.incoming() {
        let sent = client.map(|client| sender.send((client, machine)));
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(error) => eprintln!("forward: accept failed: {error}"),
        }
    }
}

fn connect(receiver: &Receiver<Wanted>) {
    for (client, port) in receiver {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(server) => {
                relay(&client, &server);
                relay(&server, &client);
            }
            // The client sees its connection end.
            Err(error) => eprintln!("forward: port {port} of the machine: {error}"),
        }
    }
}

/// One direction, in a thread of its own.
fn relay(from: &TcpStream, to: &TcpStream) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    thread::spawn(move || {
        // Either end may vanish at any time; then the other learns it by the shutdown.
        copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
}
