//! Looking at processes, running short programs, reading the end of a log.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{LocalError, Result};

/// How often a state that has no event to wait for is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// How much of a log or of a program's output an error carries: enough for the reason.
const SHOWN_BYTES: usize = 2_000;

/// The fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    name: String,
    state: char,
    parent: i32,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "pid (name) state parent …"; the name can hold spaces and parentheses.
    let (head, tail) = text.rsplit_once(") ")?;
    let name = head.split_once(" (")?.1.to_owned();
    let mut fields = tail.split(' ');
    Some(Stat { name, state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
}

/// Whether the process runs; one that has ended but was not yet reaped does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Whether the process runs and is this program: pids are reused.
pub(crate) fn is_alive_as(pid: i32, program: &str) -> bool {
    is_alive(pid) && stat(pid).is_some_and(|stat| stat.name == program)
}

/// Ended, but its parent has not asked for its exit status: the pid still exists.
pub(crate) fn is_zombie(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'Z')
}

/// The whole command line, arguments separated by spaces.
pub(crate) fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

pub(crate) fn children(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|&pid| stat(pid).is_some_and(|stat| stat.parent == parent))
        .collect()
}

/// Sends a signal; a process that is already gone is no error.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal) {
        tracing::debug!(pid, %signal, %error, "signal was not delivered");
    }
}

/// Polls until `done`, or until the deadline has passed: then false.
pub(crate) async fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

/// Runs a program to its end and gives its standard output.
pub(crate) async fn run(command: std::process::Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = tokio::process::Command::from(command)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(LocalError::io("run", &shown))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    Err(LocalError::Command { command: shown, status: output.status.to_string(), output: tail(&text) })
}

pub(crate) fn log_tail(path: &Path) -> String {
    tail(&String::from_utf8_lossy(&fs::read(path).unwrap_or_default()))
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let start = text.len().saturating_sub(SHOWN_BYTES);
    let start = (start..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    text[start..].to_owned()
}
