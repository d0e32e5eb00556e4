//! Start, stop, crash.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{MariadbServer, SERVER, files};
use crate::{
    LocalError, Result, free_port,
    port::{PORT_ATTEMPTS, check_free},
    process::{POLL, has_ended, is_alive, signal, wait_until, works_in},
};

/// Crash recovery of a large server takes a while; longer means that it is stuck.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A killed process is gone at once, unless the disk holds it.
const KILL_LIMIT: Duration = Duration::from_secs(10);

impl MariadbServer {
    /// Starts the daemon and waits until it answers. Does nothing when it runs.
    pub async fn start(&mut self) -> Result<()> {
        if self.is_running() {
            return self.wait_ready(None).await;
        }
        // Others know the port of a server that has run before: replicas, manifests.
        let another_port_may_do = self.options.port.is_none() && !self.log_file().exists();
        let mut outcome = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            outcome = self.launch().await;
            if !(another_port_may_do && matches!(outcome, Err(LocalError::PortTaken { .. }))) {
                break;
            }
            self.port = free_port()?;
            self.write_config()?;
        }
        outcome
    }

    /// Stops the daemon cleanly and waits for its end. Stopping twice is no error.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM, STOP_LIMIT).await
    }

    /// SIGKILL, as a crash would. Returns when it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::SIGKILL, KILL_LIMIT).await
    }

    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Whether the server's process is there. It may be recovering and not answer yet.
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// The server's process id, when it runs: pids are reused, so it must also work in this data directory.
    pub fn pid(&self) -> Option<u32> {
        let data = self.data_dir();
        files::pid(&data).filter(|&pid| is_alive(pid) && works_in(pid, &data)).map(i32::cast_unsigned)
    }

    async fn end(&self, how: Signal, limit: Duration) -> Result<()> {
        let Some(pid) = self.pid().map(u32::cast_signed) else { return Ok(()) };
        signal(pid, how);
        if wait_until(limit, || has_ended(pid)).await {
            return Ok(());
        }
        Err(LocalError::NotReady { server: SERVER, waited: limit, log_tail: self.log_tail() })
    }

    async fn launch(&mut self) -> Result<()> {
        check_free(SERVER, self.port).await?;
        let mut command = self.server_program();
        command.arg(format!("--defaults-file={}", self.config_file().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        // Its own process group: Ctrl-C is for us. Not killed with this value: it is a daemon, and is found by its files.
        command.process_group(0);
        let process = command.spawn().map_err(LocalError::io("start", &self.programs.mariadbd))?;
        self.wait_ready(Some(process)).await
    }

    /// Waits until it answers. `process`: the one just started, whose early end ends the wait.
    async fn wait_ready(&self, mut process: Option<tokio::process::Child>) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while self.sql("SELECT 1").await.is_err() {
            let ended = process.as_mut().is_some_and(|process| !matches!(process.try_wait(), Ok(None)));
            let log_tail = self.log_tail();
            if ended && log_tail.contains("Can't start server: Bind on TCP/IP port") {
                let reason = "another program took it".into();
                return Err(LocalError::PortTaken { server: SERVER, port: self.port, reason });
            }
            if ended {
                return Err(LocalError::EndedEarly { server: SERVER, log_tail });
            }
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady { server: SERVER, waited: START_LIMIT, log_tail });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
