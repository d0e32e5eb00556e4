//! A nats-server with JetStream on file storage.

use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    LocalError, Result, free_port,
    port::{PORT_ATTEMPTS, check_free},
    process::{POLL, command_line, is_alive, log_tail, signal, wait_until},
    tools,
};

mod cluster;
mod config;
mod probe;

pub use cluster::NatsCluster;
pub use config::{ClusterMember, Credentials, NatsOptions};

const SERVER: &str = "nats-server";
/// Opening a store of some million messages takes seconds; longer means that it is stuck.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A clean stop writes its state; after this it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A killed process is gone within milliseconds; dropping never waits longer than this.
const DROP_LIMIT: Duration = Duration::from_secs(2);

/// A running (or stopped, or killed) server. Dropping it kills the process.
#[derive(Debug)]
pub struct NatsServer {
    options: NatsOptions,
    port: u16,
    process: Option<Child>,
    /// Removed with the server.
    _temporary: Option<TempDir>,
}

impl NatsServer {
    /// Starts a server and waits until JetStream answers. A server that an earlier, killed process
    /// left running on the same directory is stopped first: two must never share a store.
    pub async fn start(mut options: NatsOptions) -> Result<Self> {
        fs::create_dir_all(&options.dir).map_err(LocalError::io("create", &options.dir))?;
        options.dir = fs::canonicalize(&options.dir).map_err(LocalError::io("resolve", &options.dir))?;
        stop_leftover(&options).await;
        let mut server = Self { port: 0, process: None, _temporary: None, options };
        server.launch_on_some_port().await?;
        if server.options.cluster.is_none() {
            server.wait_ready().await?;
        }
        Ok(server)
    }

    /// A server with its own store, removed when this is dropped.
    pub async fn temporary() -> Result<Self> {
        let dir = temporary_dir()?;
        let mut server = Self::start(NatsOptions { dir: dir.path().to_owned(), ..NatsOptions::default() }).await?;
        server._temporary = Some(dir);
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// `None` when it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Whether the process is there. It can have ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Stops cleanly; kills when that takes too long. Stopping twice is no error.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        if let Some(pid) = process.id() {
            signal(pid.cast_signed(), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP_LIMIT, process.wait()).await.is_err() {
            tracing::warn!(server = SERVER, limit = ?STOP_LIMIT, "did not stop in time, killing it");
        }
        self.kill().await
    }

    /// SIGKILL, as a crash would. Returns when the process is gone.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill().await.map_err(LocalError::io("kill", SERVER))
    }

    /// Starts again on the same port and store, after [`Self::stop`] or [`Self::kill`] or instead of them.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.launch(self.port).await?;
        self.wait_ready().await
    }

    /// Waits until JetStream answers; in a cluster that needs a majority of the members.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !probe::jetstream_answers(self.port, self.options.credentials.as_ref()).await {
            if !self.is_running() {
                return Err(LocalError::EndedEarly { server: SERVER, log_tail: self.log_tail() });
            }
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady { server: SERVER, waited: START_LIMIT, log_tail: self.log_tail() });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    async fn launch_on_some_port(&mut self) -> Result<()> {
        if let Some(port) = self.options.port {
            return self.launch(port).await;
        }
        let mut outcome = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            outcome = self.launch(free_port()?).await;
            if !matches!(outcome, Err(LocalError::PortTaken { .. })) {
                break;
            }
        }
        outcome
    }

    /// Starts the process and waits until it listens.
    async fn launch(&mut self, port: u16) -> Result<()> {
        self.port = port;
        check_free(SERVER, port).await?;
        let config = self.options.write_config(port)?;
        let log = self.options.log_file();
        let log_start = fs::metadata(&log).map_or(0, |found| found.len());
        let program = tools::nats_server()?;
        let mut command = Command::new(&program);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Its own process group: Ctrl-C is for us, and we stop the servers in order.
        command.process_group(0).kill_on_drop(true);
        self.process = Some(command.spawn().map_err(LocalError::io("start", &program))?);
        wait_until(START_LIMIT, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() || !self.is_running())
            .await;
        if self.is_running() {
            return Ok(());
        }
        self.process = None;
        let log_tail = self.log_tail();
        let new_lines = fs::read(&log).unwrap_or_default().split_off(log_start.try_into().unwrap_or(0));
        if String::from_utf8_lossy(&new_lines).contains("address already in use") {
            return Err(LocalError::PortTaken { server: SERVER, port, reason: "another program took it".into() });
        }
        Err(LocalError::EndedEarly { server: SERVER, log_tail })
    }

    fn log_tail(&self) -> String {
        log_tail(&self.options.log_file())
    }
}

impl Drop for NatsServer {
    /// Waits for the end of the process (milliseconds after SIGKILL), so that its directory can go.
    #[expect(clippy::disallowed_methods, reason = "drop cannot await, and this takes milliseconds")]
    fn drop(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        let _ = process.start_kill(); // an error means that it has ended
        let deadline = Instant::now() + DROP_LIMIT;
        while matches!(process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn temporary_dir() -> Result<TempDir> {
    tempfile::Builder::new().prefix("nats-").tempdir().map_err(LocalError::io("create", std::env::temp_dir()))
}

async fn stop_leftover(options: &NatsOptions) {
    let pid_file = fs::read_to_string(options.pid_file()).unwrap_or_default();
    let Ok(pid) = pid_file.trim().parse::<i32>() else { return };
    let config = options.config_file().display().to_string();
    if !is_alive(pid) || !command_line(pid).contains(&config) {
        return;
    }
    tracing::warn!(pid, dir = %options.dir.display(), "stopping a nats-server that an earlier run left behind");
    signal(pid, Signal::SIGTERM);
    if !wait_until(STOP_LIMIT, || !is_alive(pid)).await {
        signal(pid, Signal::SIGKILL);
        wait_until(STOP_LIMIT, || !is_alive(pid)).await;
    }
}
