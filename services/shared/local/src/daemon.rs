//! One foreground program that runs beside us until it is stopped, killed or dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::process::Child;

use crate::{
    LocalError, Result,
    process::{log_tail, signal},
};

/// After a polite request; then it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Its output is in `dir/log`, its process id in `dir/pid` as long as it runs.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    dir: PathBuf,
    process: Option<Child>,
}

impl Daemon {
    /// Starts the command, which must already run as whom it should.
    pub(crate) fn start(name: &'static str, dir: &Path, mut command: Command) -> Result<Self> {
        let path = dir.join("log");
        let log = fs::File::options().create(true).append(true).open(&path).map_err(LocalError::io("write", &path))?;
        let errors = log.try_clone().map_err(LocalError::io("write", &path))?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut command = tokio::process::Command::from(command);
        // Its own process group: Ctrl-C is for us, and we stop the servers in order.
        command.process_group(0).kill_on_drop(true);
        let process = command.spawn().map_err(LocalError::io("start", name))?;
        let daemon = Self { name, dir: dir.to_owned(), process: Some(process) };
        let pid = daemon.pid().unwrap_or_default().to_string();
        fs::write(daemon.pid_file(), pid).map_err(LocalError::io("write", daemon.pid_file()))?;
        Ok(daemon)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Whether the process is there. It can have ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// Asks it to end and waits; kills it when that takes too long. Stopping twice is no error.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        if let Some(pid) = process.id() {
            signal(pid.cast_signed(), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP_LIMIT, process.wait()).await.is_err() {
            tracing::warn!(server = self.name, limit = ?STOP_LIMIT, "did not stop in time, killing it");
        }
        self.kill().await
    }

    /// SIGKILL, as a crash would. Returns when the process is gone.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill().await.map_err(LocalError::io("kill", self.name))?;
        fs::remove_file(self.pid_file()).map_err(LocalError::io("remove", self.pid_file()))
    }

    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.dir.join("log"))
    }

    /// Said when it did not become what it should.
    pub(crate) fn not_ready(&mut self, waited: Duration) -> LocalError {
        let (server, log_tail) = (self.name, self.log_tail());
        if self.is_running() {
            LocalError::NotReady { server, waited, log_tail }
        } else {
            LocalError::EndedEarly { server, log_tail }
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }
}
