//! A program of the executor's own configuration. A plan names it and adds arguments; it cannot say what is run.
//!
//! No shell, a cleared environment, bounded output, and at its limit the whole process group is killed. A program that was
//! left behind by a killed executor is found by the mark in its environment and ended before it is started again.

use std::{fs, os::unix::ffi::OsStrExt, process::Stdio, time::Duration};

use muster_domain::pb::plan::v1::{CommandAction, PlanStep};
use muster_platform::{Facts, StepDone, StepError, redact::redact};
use muster_runtime::config::PlanCommand;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, User, geteuid, getpgid},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::Surroundings;

const MAX_ARGUMENTS: usize = 64;
const MAX_ARGUMENT_BYTES: usize = 4 * 1024;
/// Output beyond this is thrown away.
const MAX_OUTPUT: u64 = 64 * 1024;
/// How long a killed program may take to disappear.
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Names the run and the step in the program's environment.
const MARK: &str = "MUSTER_STEP";

pub(super) async fn run(
    action: &CommandAction,
    step: &PlanStep,
    limit: Duration,
    s: &Surroundings,
) -> Result<StepDone, StepError> {
    // A command of another tenant is as unknown as one that is not there.
    let command = s.commands.get(&action.name).filter(|command| command.tenant == s.tenant.as_str());
    let command = command.ok_or_else(|| {
        let known: Vec<&str> =
            s.commands.iter().filter(|(_, c)| c.tenant == s.tenant.as_str()).map(|(name, _)| name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        StepError::refused(format!(
            "the command '{}' is not in executor.commands for this tenant (there: {known})",
            action.name
        ))
    })?;
    check_arguments(&action.arguments)?;
    let limit = limit.min(*command.timeout);
    let mark = format!("{}/{}/{}", s.tenant, s.run, step.id);
    end_leftovers(&mark).await?;
    let mut child = start(command, &action.arguments, &mark)?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let outputs = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let status = child.wait().await;
        // What it started in the background would go on unseen, and hold its output open.
        kill(group);
        status
    };
    let finished = tokio::time::timeout(limit, async { tokio::join!(ended, read(outputs.0), read(outputs.1)) }).await;
    let Ok((status, out, errors)) = finished else {
        end(&mut child, group).await;
        let text = format!("'{}' did not end within {} s and was killed", action.name, limit.as_secs());
        return Err(if step.idempotent { StepError::failed(text) } else { StepError::unknown(text) });
    };
    let said = redact(&format!("{out} {errors}"), &[]);
    let status = status.map_err(|error| StepError::unknown(format!("'{}': {error}", action.name)))?;
    if status.success() {
        return Ok(StepDone { note: shown(&format!("'{}' ended well", action.name), &said), outputs: Facts::new() });
    }
    Err(StepError::failed(shown(&format!("'{}' ended with {status}", action.name), &said)))
}

fn check_arguments(arguments: &[String]) -> Result<(), StepError> {
    if arguments.len() > MAX_ARGUMENTS {
        let text = format!("{} arguments; a step passes at most {MAX_ARGUMENTS}", arguments.len());
        return Err(StepError::refused(text));
    }
    let wrong = |argument: &String| argument.len() > MAX_ARGUMENT_BYTES || argument.contains('\0');
    match arguments.iter().position(wrong) {
        None => Ok(()),
        Some(at) => Err(StepError::refused(format!(
            "argument {} is longer than {MAX_ARGUMENT_BYTES} bytes or holds a NUL",
            at + 1
        ))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator lists which of the executor's variables a command is given"
)]
fn start(command: &PlanCommand, arguments: &[String], mark: &str) -> Result<Child, StepError> {
    let mut process = Command::new(&command.program);
    process
        .args(&command.arguments)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(command.environment.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env(MARK, mark)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    if let Some(name) = &command.run_as {
        let user = User::from_name(name).ok().flatten();
        let user = user.ok_or_else(|| StepError::refused(format!("the user '{name}' of run_as does not exist")))?;
        if geteuid().is_root() {
            // Setting the uid as root also drops root's supplementary groups.
            process.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        } else if user.uid != geteuid() {
            return Err(StepError::refused(format!("only root can run a command as '{name}': correct run_as")));
        }
    }
    process
        .spawn()
        .map_err(|error| StepError::refused(format!("{} could not be run: {error}", command.program.display())))
}

async fn end(child: &mut Child, group: Option<Pid>) {
    kill(group);
    // The group's leader is our child; that it is gone is the proof for it.
    if tokio::time::timeout(KILL_LIMIT, child.wait()).await.is_err() {
        tracing::warn!("a killed command has not disappeared yet");
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // No such group: everything in it has ended.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// Ends what an executor that was killed left running for this very step.
async fn end_leftovers(mark: &str) -> Result<(), StepError> {
    let deadline = tokio::time::Instant::now() + KILL_LIMIT;
    loop {
        let found = marked(mark);
        if found.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(StepError::refused(format!("an earlier run of this step does not end: processes {found:?}")));
        }
        for pid in found {
            tracing::warn!(pid, mark, "ending what an earlier executor left running");
            if let Ok(group) = getpgid(Some(Pid::from_raw(pid))) {
                kill(Some(group));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Processes with the mark in their environment, which only the same user and root can read.
fn marked(mark: &str) -> Vec<i32> {
    let entry = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| process.file_name().as_bytes().is_ascii().then(|| process.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse::<i32>().ok()?, path)))
        .filter(|(_, path)| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
        })
        .map(|(pid, _)| pid)
        .collect()
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // A broken pipe shows in the exit status; what was read until then is kept.
        let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(&mut bytes).await;
        // The rest is thrown away, so that the program never blocks on a full pipe.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shown(what: &str, said: &str) -> String {
    if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") }
}
