//! Looking at processes, running short programs, reading the end of a log.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::io::AsyncWriteExt;

use crate::{LocalError, Result};

/// How often a state that has no event to wait for is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// How much of a log or of a program's output an error carries: enough for the reason.
const SHOWN_BYTES: usize = 2_000;

/// The fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    state: char,
    parent: i32,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "pid (name) state parent …"; the name can hold spaces and parentheses.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some(Stat { state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
}

/// Whether the process runs; one that has ended but was not yet reaped does not.
pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Whether nothing of it runs any more. Of a killed process the first thread can be gone while others are still ending,
/// with its files and ports open.
pub(crate) fn has_ended(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    threads <= 1 && !is_alive(pid)
}

/// Whether this is the process's working directory. Only the same user and root may look.
pub(crate) fn works_in(pid: i32, dir: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| fs::canonicalize(dir).is_ok_and(|dir| dir == cwd))
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
pub(crate) async fn run(command: Command) -> Result<String> {
    run_with_input(command, "").await
}

pub(crate) async fn run_with_input(command: Command, input: &str) -> Result<String> {
    let shown = format!("{command:?}");
    let mut process = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(LocalError::io("run", &shown))?;
    let stdin = process.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that ends without reading all says why in its output.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let ((), output) = tokio::join!(feed, process.wait_with_output());
    let output = output.map_err(LocalError::io("run", &shown))?;
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
