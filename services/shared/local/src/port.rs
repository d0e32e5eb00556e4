//! Free TCP ports.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, TcpListener},
    os::{linux::net::SocketAddrExt as _, unix::net},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{LocalError, Result};

/// A server that lost the race for its port is started again with another, this often.
pub(crate) const PORT_ATTEMPTS: usize = 5;

/// Below it live the well-known servers of a developer's machine.
const LOWEST: u16 = 20_000;
/// From here on ports are left to who asks for them by [`RANGE`].
const HIGHEST: u16 = 28_000;
/// `30000-31000`: where this process and its children look instead. A test that kills a server and expects it back at its
/// port keeps other tests out of that range so.
const RANGE: &str = "MUSTER_LOCAL_PORTS";
/// Where Linux begins to take ports for outgoing connections, if it does not say so itself.
const EPHEMERAL: u16 = 32_768;
/// A killed server gives its port back within moments, also on a busy machine.
const LEAVING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A file handle for each; a process that has asked for more ports has long done without the first.
const HELD: usize = 256;
/// So many ports are tried; more in use means that something else is wrong.
const TRIES: u16 = 500;

/// A port on 127.0.0.1 that nobody listens on now, and that the kernel gives to no outgoing connection. As long as this
/// process lives, no other gets it from here: a server may take it a second later, be killed, and come back to it.
/// Programs that do not ask here can still be faster: start again with another port then.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let (lowest, end) = range();
    let width = end.min(first_ephemeral()).saturating_sub(lowest);
    if width < TRIES {
        return any_port();
    }
    // Processes beside each other begin at different places, and one process never repeats itself soon.
    let begin = (std::process::id().wrapping_mul(97) % u32::from(width)) as u16;
    for _ in 0..TRIES {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = lowest + begin.wrapping_add(step) % width;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && hold(port) {
            return Ok(port);
        }
    }
    any_port()
}

/// Makes the port this process's own among those that ask here; false when it is another's. The kernel keeps the note, and
/// forgets it with the process: a name without a file, which only one socket can have.
fn hold(port: u16) -> bool {
    static NOTES: Mutex<VecDeque<net::UnixListener>> = Mutex::new(VecDeque::new());
    let name = net::SocketAddr::from_abstract_name(format!("muster-port-{port}"));
    match name.and_then(|name| net::UnixListener::bind_addr(&name)) {
        Ok(note) => {
            let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push_back(note);
            if notes.len() > HELD {
                notes.pop_front();
            }
            true
        }
        // Where there is no such socket, a port that is free now must do.
        Err(error) => error.kind() != io::ErrorKind::AddrInUse,
    }
}

#[expect(clippy::disallowed_methods, reason = "for the children of a test, on this machine only")]
fn range() -> (u16, u16) {
    let said = std::env::var(RANGE).unwrap_or_default();
    let ends = said.split_once('-').and_then(|(low, end)| Some((low.parse().ok()?, end.parse().ok()?)));
    ends.unwrap_or((LOWEST, HIGHEST))
}

fn any_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalError::NoFreePort)?;
    Ok(listener.local_addr().map_err(LocalError::NoFreePort)?.port())
}

fn first_ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(EPHEMERAL)
}

/// Whether a server could listen there. One that was killed a moment ago may take a little to be gone.
pub(crate) async fn check_free(server: &'static str, port: u16) -> Result<()> {
    let deadline = Instant::now() + LEAVING;
    loop {
        let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(LocalError::PortTaken { server, port, reason: error.to_string() });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn ports_are_free_different_and_no_outgoing_connection_gets_them() {
        let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        if first_ephemeral() > LOWEST + TRIES {
            assert!(ports.iter().all(|port| *port < first_ephemeral()), "{ports:?}");
        }
    }

    #[test]
    fn a_port_that_was_given_out_is_given_to_nobody_else() {
        let port = free_port().unwrap();
        assert!(!hold(port), "{port} is held, though nobody listens there yet");
        let other = net::SocketAddr::from_abstract_name("muster-port-9").unwrap();
        let note = net::UnixListener::bind_addr(&other).unwrap();
        assert!(!hold(9));
        drop(note);
        assert!(hold(9), "who held it is gone");
    }
}
