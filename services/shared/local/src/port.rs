//! Free TCP ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::{LocalError, Result};

/// A server that lost the race for its port is started again with another, this often.
pub(crate) const PORT_ATTEMPTS: usize = 5;

/// A port on 127.0.0.1 that nobody listens on now. It is released before the caller's server takes
/// it, so somebody else can be faster: start again with another port then.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalError::NoFreePort)?;
    Ok(listener.local_addr().map_err(LocalError::NoFreePort)?.port())
}

/// Whether a server could listen there now.
pub(crate) fn check_free(server: &'static str, port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(LocalError::PortTaken { server, port, reason: error.to_string() }),
    }
}
