//! Start, stop, crash.

use std::{fs, time::Duration};

use nix::sys::signal::Signal;

use super::{PostgresServer, SERVER, files};
use crate::{
    LocalError, Result, free_port,
    port::{PORT_ATTEMPTS, check_free},
    process::{POLL, children, is_alive, is_zombie, run, signal, wait_until, works_in},
};

/// Crash recovery of a large cluster takes a while; longer means that it is stuck.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A killed process is gone at once, unless the disk holds it.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions and writes a checkpoint.
    Fast,
    /// Ends at once; the next start recovers as after a crash.
    Immediate,
}

impl PostgresServer {
    /// Starts the daemon and waits until it answers. Does nothing when it runs.
    pub async fn start(&mut self) -> Result<()> {
        if self.is_running() {
            return self.wait_ready().await;
        }
        self.remove_stale_pid_file()?;
        let mut outcome = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            outcome = self.launch().await;
            let another_port_may_do = self.options.port.is_none();
            if !(another_port_may_do && matches!(outcome, Err(LocalError::PortTaken { .. }))) {
                break;
            }
            self.port = free_port()?;
            self.write_settings()?;
        }
        outcome
    }

    /// Stops the daemon and waits for its end. Stopping twice is no error.
    pub async fn stop(&mut self, mode: StopMode) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        let limit = STOP_LIMIT.as_secs().to_string();
        let mut command = self.server_program("pg_ctl");
        command.args(["stop", "-s", "-w", "-t", &limit, "-m", mode, "-D"]).arg(self.dir());
        run(command).await.map(drop)
    }

    /// SIGKILL to the postmaster and all its children, as a crash would. Returns when they are gone.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(postmaster) = self.running_pid() else { return Ok(()) };
        signal(postmaster, Signal::SIGSTOP); // so that it starts no further child
        let mut processes = children(postmaster);
        processes.push(postmaster);
        for &pid in &processes {
            signal(pid, Signal::SIGKILL);
        }
        if wait_until(KILL_LIMIT, || !processes.iter().any(|&pid| is_alive(pid))).await {
            return Ok(());
        }
        Err(LocalError::NotReady { server: SERVER, waited: KILL_LIMIT, log_tail: self.log_tail() })
    }

    /// Whether the postmaster is there. It may be recovering and not answer yet.
    pub fn is_running(&self) -> bool {
        self.running_pid().is_some()
    }

    /// Process id of the postmaster, when it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running_pid().map(i32::cast_unsigned)
    }

    async fn launch(&mut self) -> Result<()> {
        check_free(SERVER, self.port).await?;
        let limit = START_LIMIT.as_secs().to_string();
        let mut command = self.server_program("pg_ctl");
        command.args(["start", "-s", "-w", "-t", &limit, "-D"]).arg(self.dir()).arg("-l").arg(self.log_file());
        match run(command).await {
            Ok(_) => self.wait_ready().await,
            Err(_) if self.log_tail().contains("could not create any TCP/IP sockets") => {
                Err(LocalError::PortTaken { server: SERVER, port: self.port, reason: "another program took it".into() })
            }
            Err(_) => Err(LocalError::EndedEarly { server: SERVER, log_tail: self.log_tail() }),
        }
    }

    async fn wait_ready(&self) -> Result<()> {
        let ask = async {
            loop {
                let mut command = self.client_program("pg_isready");
                command.arg("-q");
                if run(command).await.is_ok() {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let waited = START_LIMIT;
        tokio::time::timeout(waited, ask).await.map_err(|_| LocalError::NotReady {
            server: SERVER,
            waited,
            log_tail: self.log_tail(),
        })
    }

    /// The pid in `postmaster.pid`, when that process is alive and works in this data directory: pids are reused.
    fn running_pid(&self) -> Option<i32> {
        files::postmaster_pid(self.dir()).filter(|&pid| is_alive(pid) && works_in(pid, self.dir()))
    }

    /// In a container whose first process reaps nobody a killed postmaster stays a zombie, and
    /// PostgreSQL takes its old pid file for a running server.
    fn remove_stale_pid_file(&self) -> Result<()> {
        match files::postmaster_pid(self.dir()) {
            Some(pid) if is_zombie(pid) => {
                let file = self.dir().join("postmaster.pid");
                fs::remove_file(&file).map_err(LocalError::io("remove", file))
            }
            _ => Ok(()),
        }
    }
}
