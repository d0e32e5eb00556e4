//! Commands of the executor's configuration, as real processes.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use muster_domain::pb::plan::v1::{CommandAction, PlanStep, action::Kind};
use muster_platform::{Probe, StepErrorKind};
use muster_runtime::config::{HumanDuration, PlanCommand};

use super::stage::{Stage, eventually, step, within};
use crate::actions::{Look, probe, run};

const DIRECTORY: &str = "COMMAND_UNDER_TEST";

/// A shell is the program here, so that a test can say what it does; a plan could not.
fn script(text: &str) -> PlanCommand {
    PlanCommand {
        tenant: "acme".into(),
        program: "/bin/sh".into(),
        arguments: ["-c", text, "drain"].map(str::to_owned).to_vec(),
        timeout: HumanDuration::seconds(30),
        ..PlanCommand::default()
    }
}

fn call(arguments: &[&str]) -> PlanStep {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    step(Kind::Command(CommandAction { name: "drain".into(), arguments }))
}

#[tokio::test]
async fn arguments_are_passed_as_they_are_and_the_environment_is_clear() {
    let stage = Stage::new();
    let mut command = script("printf '[%s]' \"$@\"; env | cut -d= -f1 | sort | tr '\\n' ' '");
    command.environment = vec!["HOME".into()];
    let s = stage.with_command(command);
    let done = run(&call(&["$(id)", "a b", "; exit 7", ""]), &s).await.unwrap();
    assert!(done.note.contains("[$(id)][a b][; exit 7][]"), "{}", done.note);
    let names: Vec<&str> = done.note.rsplit(']').next().unwrap().split_whitespace().collect();
    // What the shell itself sets is not ours.
    let foreign: Vec<&&str> = names
        .iter()
        .filter(|name| !["HOME", "MUSTER_STEP", "PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert!(foreign.is_empty() && names.contains(&"HOME"), "{names:?}");
}

#[tokio::test]
async fn only_a_good_end_is_done() {
    let stage = Stage::new();
    let s = stage.with_command(script("echo said; echo wrong >&2; exit 3"));
    let error = run(&call(&[]), &s).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Failed && error.text.contains("exit status: 3"), "{error:?}");
    assert!(error.text.contains("said") && error.text.contains("wrong"), "{error:?}");
    // Any amount of output is read, and little of it kept.
    let s = stage.with_command(script("yes | head -c 3000000"));
    assert!(run(&call(&[]), &s).await.unwrap().note.len() < 1_000);
}

#[tokio::test]
async fn what_is_not_configured_for_the_tenant_is_unknown() {
    let stage = Stage::new();
    let theirs = PlanCommand { tenant: "globex".into(), ..script("touch /nonexistent") };
    let error = run(&call(&[]), &stage.with_command(theirs)).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Refused && error.text.contains("(there: none)"), "{error:?}");
    let s = stage.with_command(script("true"));
    for (step, words) in [
        (step(Kind::Command(CommandAction { name: "sh".into(), arguments: vec![] })), "(there: drain)"),
        (call(&["a\0b"]), "NUL"),
        (call(&[&"x".repeat(5_000)]), "longer than"),
        (call(&["x"; 65]), "65 arguments"),
    ] {
        let error = run(&step, &s).await.unwrap_err();
        assert!(error.kind == StepErrorKind::Refused && error.text.contains(words), "{error:?}");
    }
    let s = stage.with_command(PlanCommand { run_as: Some("no-such-user".into()), ..script("true") });
    assert_eq!(run(&call(&[]), &s).await.unwrap_err().kind, StepErrorKind::Refused);
}

/// At its limit the whole group ends, whatever it started; and nobody claims to know what it did.
#[tokio::test]
async fn a_command_beyond_its_limit_is_killed_with_what_it_started() {
    let stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().display();
    let s = stage.with_command(script(&format!("sleep 600 & echo $! > {here}/child; wait")));
    let once = within(call(&[]), 1);
    let error = run(&once, &s).await.unwrap_err();
    assert!(error.kind == StepErrorKind::OutcomeUnknown && error.text.contains("was killed"), "{error:?}");
    let child = std::fs::read_to_string(directory.path().join("child")).unwrap();
    eventually("what it started is gone", async || !is_running(child.trim())).await;
    assert!(matches!(probe(&once, Look::AfterClaim, &s).await, Probe::Unknown(_)));
    assert_eq!(probe(&once, Look::BeforeClaim, &s).await, Probe::NotDone);
    let again = PlanStep { idempotent: true, ..once };
    assert_eq!(run(&again, &s).await.unwrap_err().kind, StepErrorKind::Failed);
    // One that ends and leaves something in the background: that is ended as well, and not waited for.
    let s = stage.with_command(script(&format!("sleep 600 & echo $! > {here}/left")));
    run(&call(&[]), &s).await.unwrap();
    let left = std::fs::read_to_string(directory.path().join("left")).unwrap();
    eventually("nothing is left in the background", async || !is_running(left.trim())).await;
}

/// Not a test by itself: an executor that is there to be killed.
#[tokio::test]
#[ignore = "run by the next one as a process of its own"]
async fn an_executor_in_a_process() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let stage = same_run(Path::new(&directory));
    let _ = run(&within(counting(), 60), &stage.with_command(counter(Path::new(&directory)))).await;
}

/// Says that it began, then takes its time unless it is told not to.
fn counter(directory: &Path) -> PlanCommand {
    let here = directory.display();
    script(&format!("echo $$ >> {here}/began; [ -e {here}/quick ] || sleep 600"))
}

/// Of the one that is killed and of its successor.
fn same_run(directory: &Path) -> Stage {
    let mut stage = Stage::new();
    stage.run = directory.file_name().unwrap().to_string_lossy().into_owned();
    stage
}

fn counting() -> PlanStep {
    PlanStep { idempotent: true, ..call(&[]) }
}

#[tokio::test]
async fn what_a_killed_executor_left_running_is_ended_before_it_is_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut executor = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "actions::tests::command::an_executor_in_a_process", "--ignored", "--quiet"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let began = || std::fs::read_to_string(directory.path().join("began")).unwrap_or_default();
    eventually("the command began", async || !began().is_empty()).await;
    executor.kill().unwrap();
    executor.wait().unwrap();
    let first = began().trim().to_owned();
    assert!(is_running(&first), "the command outlives the one that began it");
    std::fs::write(directory.path().join("quick"), "").unwrap();
    let stage = same_run(directory.path());
    run(&counting(), &stage.with_command(counter(directory.path()))).await.unwrap();
    assert!(!is_running(&first), "two of them would have run at once");
    assert_eq!(began().lines().count(), 2);
}

/// A zombie has ended.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
