//! Which processes belong to a drill: those that work below its directory, and those that were told it as an argument.
//!
//! Needs Linux's /proc. Without it nothing can be proven, and that is an error.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{sys::signal, unistd::Pid};

use crate::AgentError;

/// How long killed processes may take to disappear: the kernel may still be writing for them.
const KILL_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// What a drill runs. A person's shell or editor in the directory is reported, and not killed.
const PROGRAMS: [&str; 5] = ["postgres", "pg_basebackup", "pg_ctl", "pgbackrest", "psql"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub pid: i32,
    pub program: String,
}

impl Found {
    fn is_ours(&self) -> bool {
        PROGRAMS.contains(&self.program.as_str())
    }
}

pub(super) fn find(root: &Path) -> Result<Vec<Found>, AgentError> {
    let proc = Path::new("/proc");
    let error = |e: std::io::Error| AgentError::File { path: proc.to_owned(), why: e.to_string() };
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found = Vec::new();
    for entry in fs::read_dir(proc).map_err(error)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let process = entry.path();
        if pid != me && (works_below(&process, root) || names(&process, root)) {
            found.push(Found { pid, program: program(&process) });
        }
    }
    Ok(found)
}

/// Those that the drill itself runs.
pub(super) fn ours(root: &Path) -> Result<Vec<Found>, AgentError> {
    Ok(find(root)?.into_iter().filter(Found::is_ours).collect())
}

/// Ends what the drill runs. `Ok` is proof that none of it is left.
pub(super) async fn end(root: &Path) -> Result<usize, AgentError> {
    let deadline = Instant::now() + KILL_LIMIT;
    let mut ended = 0;
    loop {
        let ours = ours(root)?;
        if ours.is_empty() {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            return Err(AgentError::StillRunning { pids: ours.iter().map(|found| found.pid).collect() });
        }
        ended = ended.max(ours.len());
        for found in &ours {
            // Gone in the meantime is what is wanted.
            let _ = signal::kill(Pid::from_raw(found.pid), signal::Signal::SIGKILL);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn works_below(process: &Path, root: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|cwd| {
        // The kernel says so of a directory that was removed under a process.
        let bytes = cwd.as_os_str().as_bytes();
        let path = bytes.strip_suffix(b" (deleted)").unwrap_or(bytes);
        PathBuf::from(std::ffi::OsStr::from_bytes(path)).starts_with(root)
    })
}

fn names(process: &Path, root: &Path) -> bool {
    let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
    let root = root.as_os_str().as_bytes();
    arguments.windows(root.len()).any(|window| window == root)
}

/// A zombie has none.
fn program(process: &Path) -> String {
    let exe = fs::read_link(process.join("exe")).ok();
    let name = exe.and_then(|exe| exe.file_name().map(|name| name.to_string_lossy().into_owned())).unwrap_or_default();
    name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned()
}
