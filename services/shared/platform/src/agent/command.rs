//! Runs one of the server's own programs: no shell, a fixed environment, a time limit, and as the
//! owner of the data directory (PostgreSQL refuses to run as root).

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use secrecy::SecretString;
use tokio::{io::AsyncReadExt, process::Command};

use super::{AgentError, files};
use crate::redact::redact;

/// Output beyond this is cut: `pg_controldata` prints 3 KiB, a list of a thousand backups about one MiB.
const MAX_OUTPUT: u64 = 4 << 20;

/// Who a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub uid: u32,
    pub gid: u32,
}

pub(crate) struct Invocation<'a> {
    pub program: &'a Path,
    pub arguments: Vec<OsString>,
    /// Beside the fixed ones.
    pub environment: Vec<(&'static str, OsString)>,
    pub directory: &'a Path,
    pub owner: Owner,
    pub limit: Duration,
    /// Never shown, should the program repeat them.
    pub secrets: Vec<&'a SecretString>,
}

/// The standard output of a program that ended well.
pub(crate) async fn run(call: Invocation<'_>) -> Result<String, AgentError> {
    let name = call.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut command = Command::new(call.program);
    command
        .args(&call.arguments)
        .env_clear()
        // Output is read by program: no translations.
        .env("LC_ALL", "C")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(call.environment)
        .current_dir(call.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // A Ctrl-C meant for us must not end a rewind halfway.
        .process_group(0);
    if nix::unistd::geteuid().is_root() {
        // Setting the uid as root also drops root's supplementary groups.
        command.uid(call.owner.uid).gid(call.owner.gid);
    }
    let cannot_run = |why: std::io::Error| AgentError::CannotRun { program: name.clone(), why: why.to_string() };
    let mut child = command.spawn().map_err(cannot_run)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let finished =
        tokio::time::timeout(call.limit, async { tokio::join!(read_all(stdout), read_all(stderr), child.wait()) });
    let Ok((stdout, stderr, status)) = finished.await else {
        return Err(AgentError::TimedOut { program: name, limit: call.limit });
    };
    let status = status.map_err(cannot_run)?;
    if status.success() {
        return Ok(stdout);
    }
    let said = format!("{stderr} {stdout}");
    Err(AgentError::Failed { program: name, status: status.to_string(), output: redact(&said, &call.secrets) })
}

/// A server to be started: it outlives this process.
pub(super) struct Launch<'a> {
    pub program: &'a Path,
    pub arguments: Vec<OsString>,
    pub directory: &'a Path,
    /// Gets what the server prints, appended.
    pub output: &'a Path,
    pub owner: Owner,
}

/// A started server. Dropping it leaves the server running.
pub(super) struct Launched {
    child: tokio::process::Child,
    program: String,
    output: PathBuf,
}

pub(super) fn launch(call: &Launch<'_>) -> Result<Launched, AgentError> {
    let program = call.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let cannot_run = |why: std::io::Error| AgentError::CannotRun { program: program.clone(), why: why.to_string() };
    let output = files::open_log(call.output, call.owner)?;
    let errors = output.try_clone().map_err(cannot_run)?;
    let mut command = Command::new(call.program);
    command
        .args(&call.arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(call.directory)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // The end of this process, by Ctrl-C for example, is not the server's.
        .process_group(0);
    if nix::unistd::geteuid().is_root() {
        command.uid(call.owner.uid).gid(call.owner.gid);
    }
    let child = command.spawn().map_err(cannot_run)?;
    Ok(Launched { child, program, output: call.output.to_owned() })
}

impl Launched {
    /// Whether the program ended with an error, and what it printed. A good end is none: it made itself a daemon.
    pub(super) fn failed(&mut self) -> Result<Option<AgentError>, AgentError> {
        let ended = self.child.try_wait();
        let ended = ended.map_err(|e| AgentError::CannotRun { program: self.program.clone(), why: e.to_string() })?;
        let Some(status) = ended.filter(|status| !status.success()) else { return Ok(None) };
        let output = redact(&files::tail(&self.output), &[]);
        Ok(Some(AgentError::Failed { program: self.program.clone(), status: status.to_string(), output }))
    }
}

async fn read_all(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // A broken pipe shows in the exit status; what was read until then is kept.
        let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(&mut bytes).await;
        // The rest is thrown away, so that the program never blocks on a full pipe.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
