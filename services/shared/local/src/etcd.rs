//! A single etcd, version 3 API, for what needs a store of its own to agree in: Patroni.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{LocalError, Result, account::Account, daemon::Daemon, free_port, process::POLL, tools};

const SERVER: &str = "etcd";
/// An election with itself takes a second.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running etcd on its own data. It ends when this is dropped; its directory is the caller's.
#[derive(Debug)]
pub struct EtcdServer {
    daemon: Daemon,
    port: u16,
}

impl EtcdServer {
    /// Starts it on an existing directory that the account owns.
    pub(crate) async fn start(dir: &Path, account: &Account) -> Result<Self> {
        let program = tools::etcd()?;
        let (port, peers) = (free_port()?, free_port()?);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let mut command = account.command(&program);
        command.arg("--data-dir").arg(dir.join("data")).current_dir(dir);
        command.args(["--name", "single", "--listen-client-urls", &url(port), "--advertise-client-urls", &url(port)]);
        command.args(["--listen-peer-urls", &url(peers), "--initial-advertise-peer-urls", &url(peers)]);
        command.args(["--initial-cluster", &format!("single={}", url(peers)), "--unsafe-no-fsync"]);
        let mut etcd = Self { daemon: Daemon::start(SERVER, dir, command)?, port };
        etcd.wait_ready().await?;
        Ok(etcd)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// SIGKILL, as a crash would.
    pub async fn kill(&mut self) -> Result<()> {
        self.daemon.kill().await
    }

    /// It listens before it has elected itself, so its own word in the log counts.
    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.daemon.log_tail().contains("ready to serve client requests") {
            if !self.daemon.is_running() || Instant::now() >= deadline {
                return Err(self.daemon.not_ready(START_LIMIT));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// A directory of its own below `parent`, owned by the account.
pub(crate) fn own_dir(parent: &Path, name: &str, account: &Account) -> Result<std::path::PathBuf> {
    let dir = parent.join(name);
    fs::create_dir(&dir).map_err(LocalError::io("create", &dir))?;
    account.own(&dir)?;
    Ok(dir)
}
