//! Which processes of a server are alive. A pid file outlives a crash and says nothing about the
//! backends a killed postmaster leaves behind, which go on writing until they notice; so every
//! process that works in the data directory counts (PostgreSQL, MariaDB and Redis change into it at start).
//!
//! Needs Linux's /proc. Without it nothing can be proven, and that is an error.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use nix::{sys::signal, unistd::Pid};

use super::{AgentError, RunningServer, ServerProcess};

/// The server on this data directory, judged by its processes.
pub(super) fn find(data_directory: &Path) -> Result<ServerProcess, AgentError> {
    let pids = working_in(data_directory)?;
    if pids.is_empty() {
        return Ok(ServerProcess::Stopped);
    }
    let file = PidFile::read(data_directory).filter(|file| pids.contains(&file.pid));
    Ok(ServerProcess::Running(RunningServer {
        pids,
        port: file.as_ref().and_then(|file| file.port),
        started_at: file.and_then(|file| file.started_at),
    }))
}

/// A plain service on this data directory. Its working directory tells, as for PostgreSQL; right after the start, before
/// it went there, the configuration file among its arguments does.
pub(super) fn find_service(
    data_directory: &Path,
    config_file: &Path,
    is_server: impl Fn(&str) -> bool,
) -> Result<ServerProcess, AgentError> {
    let directory = fs::canonicalize(data_directory).map_err(|e| file_error(data_directory, &e))?;
    let config_file = config_file.to_string_lossy();
    let pids = processes(|process| {
        let works_here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == directory);
        let names_it = || {
            let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|argument| {
                let argument = String::from_utf8_lossy(argument);
                argument.strip_prefix("--defaults-file=").unwrap_or(&argument) == config_file
            })
        };
        executable(process).is_some_and(|name| is_server(&name)) && (works_here || names_it())
    })?;
    if pids.is_empty() {
        return Ok(ServerProcess::Stopped);
    }
    let port = pids.iter().find_map(|pid| listening_port(*pid));
    Ok(ServerProcess::Running(RunningServer { pids, port, started_at: None }))
}

/// Everything that works in the directory or below, whatever its program.
pub(super) fn working_below(directory: &Path) -> Result<Vec<i32>, AgentError> {
    let directory = fs::canonicalize(directory).map_err(|e| file_error(directory, &e))?;
    processes(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&directory)))
}

/// Asks for a clean end.
pub(super) fn terminate(pids: &[i32]) {
    for pid in pids {
        // Gone in the meantime is what is wanted.
        let _ = signal::kill(Pid::from_raw(*pid), signal::Signal::SIGTERM);
    }
}

pub(super) fn kill(pids: &[i32]) {
    for pid in pids {
        let _ = signal::kill(Pid::from_raw(*pid), signal::Signal::SIGKILL);
    }
}

/// The lowest TCP port the process listens on.
fn listening_port(pid: i32) -> Option<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let listening = tables.iter().flat_map(|table| table.lines()).filter_map(|line| {
        // "sl local_address rem_address st … inode": 0A is LISTEN.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let mine = *state == "0A" && sockets.iter().any(|socket| socket == inode);
        mine.then(|| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok())?
    });
    listening.min()
}

/// Sends SIGKILL to everything that works in the data directory now.
pub(super) fn kill_all(data_directory: &Path) -> Result<(), AgentError> {
    // The postmaster first: it would start new processes for the ones that die.
    if let Some(file) = PidFile::read(data_directory)
        && working_in(data_directory)?.contains(&file.pid)
    {
        // Gone in the meantime is what is wanted.
        let _ = signal::kill(Pid::from_raw(file.pid), signal::Signal::SIGKILL);
    }
    for pid in working_in(data_directory)? {
        let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
    }
    Ok(())
}

/// The pid file of a killed server whose pid still exists as a zombie: its parent, a container's first
/// process perhaps, does not ask for its end, and PostgreSQL would take it for a running server.
pub(super) fn remove_dead_pid_file(data_directory: &Path) -> Result<(), AgentError> {
    let Some(file) = PidFile::read(data_directory) else { return Ok(()) };
    let stat = fs::read_to_string(format!("/proc/{}/stat", file.pid)).unwrap_or_default();
    // "pid (name) state …"; the name can hold spaces and parentheses.
    let zombie = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    if zombie && working_in(data_directory)?.is_empty() {
        return super::files::remove(&data_directory.join("postmaster.pid"));
    }
    Ok(())
}

/// PostgreSQL's processes whose working directory is the data directory.
fn working_in(data_directory: &Path) -> Result<Vec<i32>, AgentError> {
    let directory = fs::canonicalize(data_directory).map_err(|e| file_error(data_directory, &e))?;
    processes(|process| {
        let works_here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == directory);
        works_here && is_postgres(process)
    })
}

/// The processes, by their folder in /proc, that pass. Those of others cannot be looked into; the server's belong to the
/// directory's owner. A zombie has neither working directory nor executable.
fn processes(passes: impl Fn(&Path) -> bool) -> Result<Vec<i32>, AgentError> {
    let proc = Path::new("/proc");
    let entries = fs::read_dir(proc).map_err(|e| file_error(proc, &e))?;
    let mut pids = Vec::new();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if passes(&entry.path()) || ending_threads(&entry.path()).iter().any(|thread| passes(thread)) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// Of a killed server the first thread, which stands for the process, can be gone while others still hold its files.
fn ending_threads(process: &Path) -> Vec<PathBuf> {
    if fs::read_link(process.join("exe")).is_ok() {
        return Vec::new();
    }
    let threads = fs::read_dir(process.join("task")).into_iter().flatten();
    threads.flatten().map(|thread| thread.path()).collect()
}

fn executable(process: &Path) -> Option<String> {
    let path = fs::read_link(process.join("exe")).ok()?;
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// `postgres` (or `postmaster`), not a person's shell that stands in the directory.
fn is_postgres(process: &Path) -> bool {
    executable(process).is_some_and(|name| name.starts_with("postgres") || name.starts_with("postmaster"))
}

/// `postmaster.pid`: pid, data directory, start time, port, …, one a line.
struct PidFile {
    pid: i32,
    port: Option<u16>,
    started_at: Option<Timestamp>,
}

impl PidFile {
    fn read(data_directory: &Path) -> Option<Self> {
        let text = fs::read_to_string(data_directory.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().collect();
        let number = |at: usize| lines.get(at).and_then(|line| line.trim().parse::<i64>().ok());
        Some(Self {
            // Negative for a single-user server.
            pid: i32::try_from(number(0)?.abs()).ok()?,
            started_at: number(2).and_then(|seconds| Timestamp::from_second(seconds).ok()),
            port: number(3).and_then(|port| u16::try_from(port).ok()),
        })
    }
}

fn file_error(path: &Path, error: &std::io::Error) -> AgentError {
    AgentError::File { path: path.to_owned(), why: error.to_string() }
}
