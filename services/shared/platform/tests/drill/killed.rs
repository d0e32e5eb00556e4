//! The executor is killed in the middle of each step. The killed one is a real process, and the kill a SIGKILL.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use muster_domain::pb::inventory::v1::{PostgresqlTarget, TlsMode};
use muster_platform::drill::{self, COPY, CopySource, REMOVE, START};

use crate::{
    drive::eventually,
    pair::{Pair, node},
    stage::{DrillDirectory, REQUEST, drill_of, is_gone, job_of, pair_with_rows, processes_naming, sessions_on},
};

/// What the other process needs to know, by its environment: one variable, separated by '|'.
const PARAMETERS: &str = "DRILL_UNDER_TEST";

/// Not a test by itself: runs one step in a process that is there to be killed.
#[tokio::test]
#[ignore = "run by the others as a process of its own"]
async fn one_step_in_a_process() {
    let Ok(parameters) = std::env::var(PARAMETERS) else { return };
    let parts: Vec<&str> = parameters.split('|').collect();
    let [step, port_a, port_b, bin, drills] = parts.as_slice() else { panic!("{parameters}") };
    let spec = PostgresqlTarget {
        nodes: vec![node("a", "west", port_a.parse().unwrap()), node("b", "east", port_b.parse().unwrap())],
        database: "postgres".into(),
        tls: TlsMode::Disable.into(),
        ..PostgresqlTarget::default()
    };
    let job = job_of(REQUEST, spec, CopySource::Standby, Path::new(bin), Path::new(drills), Vec::new());
    drill::run(&job, step).await.unwrap();
}

fn begin(step: &str, pair: &Pair, drills: &DrillDirectory) -> Child {
    let bin = pair.b.bin_dir().display();
    let (a, b) = (pair.a.port(), pair.b.port());
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::one_step_in_a_process", "--ignored", "--quiet"])
        .env(PARAMETERS, format!("{step}|{a}|{b}|{bin}|{}", drills.path().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn copy(drills: &DrillDirectory) -> Option<PathBuf> {
    Some(std::fs::read_dir(drills.path()).ok()?.flatten().next()?.path())
}

/// Begins the step in a process, kills it as soon as the moment is there, and gives whether the step had ended before.
async fn killed_when(step: &str, pair: &Pair, drills: &DrillDirectory, moment: impl Fn() -> bool) -> bool {
    let mut process = begin(step, pair, drills);
    let mut ended = false;
    eventually("the moment to kill", async || {
        ended = process.try_wait().unwrap().is_some();
        moment() || ended
    })
    .await;
    process.kill().unwrap();
    process.wait().unwrap();
    ended
}

async fn a_successor_finishes(pair: &Pair, drills: &DrillDirectory, rows: &str) {
    let job = drill_of(pair, drills);
    for step in [COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    let found = drill::inspect(&job).await.unwrap();
    assert_eq!(found.answers[0].answer.as_deref(), Some(rows));
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, drills).await;
    assert_eq!(sessions_on(&pair.b).await.trim(), "0|0|0");
}

/// Large enough that a copy takes a moment.
async fn large_pair() -> Pair {
    let pair = pair_with_rows(1_000).await;
    pair.a
        .sql("CREATE TABLE ballast AS SELECT g, repeat('x', 1000) AS t FROM generate_series(1, 150000) g")
        .await
        .unwrap();
    eventually("b has the ballast", async || {
        pair.b.sql("SELECT count(*) FROM ballast").await.is_ok_and(|found| found.trim() == "150000")
    })
    .await;
    pair
}

#[tokio::test]
async fn killed_while_copying_the_successor_ends_what_goes_on_and_begins_again() {
    let pair = large_pair().await;
    let drills = DrillDirectory::beside(&pair.b);
    let ended =
        killed_when(COPY, &pair, &drills, || copy(&drills).is_some_and(|copy| copy.join("data/base").exists())).await;
    assert!(!ended, "the copy was finished before the kill");
    // The program it began is not its child any more and goes on.
    assert!(!processes_naming(drills.path()).is_empty(), "nothing was left to be ended");
    a_successor_finishes(&pair, &drills, "1000").await;
}

#[tokio::test]
async fn killed_while_copying_a_removal_alone_leaves_nothing() {
    let pair = large_pair().await;
    let drills = DrillDirectory::beside(&pair.b);
    killed_when(COPY, &pair, &drills, || copy(&drills).is_some_and(|copy| copy.join("data/base").exists())).await;
    let job = drill_of(&pair, &drills);
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
    assert_eq!(sessions_on(&pair.b).await.trim(), "0|0|0");
}

#[tokio::test]
async fn killed_before_anything_was_copied() {
    let pair = pair_with_rows(1_000).await;
    let drills = DrillDirectory::beside(&pair.b);
    killed_when(COPY, &pair, &drills, || copy(&drills).is_some()).await;
    a_successor_finishes(&pair, &drills, "1000").await;
}

/// Its directory was made, and does not belong to the copies' user yet.
#[tokio::test]
async fn killed_before_the_place_was_handed_over() {
    let pair = pair_with_rows(1_000).await;
    let drills = DrillDirectory::beside(&pair.b);
    let job = drill_of(&pair, &drills);
    drill::run(&job, COPY).await.unwrap();
    let place = copy(&drills).unwrap();
    drill::run(&job, REMOVE).await.unwrap();
    std::fs::create_dir(&place).unwrap();
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
    std::fs::create_dir(&place).unwrap();
    a_successor_finishes(&pair, &drills, "1000").await;
}

#[tokio::test]
async fn killed_while_starting_and_while_removing() {
    let pair = pair_with_rows(1_000).await;
    let drills = DrillDirectory::beside(&pair.b);
    drill::run(&drill_of(&pair, &drills), COPY).await.unwrap();
    let root = copy(&drills).unwrap();
    killed_when(START, &pair, &drills, || root.join("data/postmaster.pid").exists()).await;
    // The server runs on without the one that started it.
    assert!(!processes_naming(drills.path()).is_empty());
    let job = drill_of(&pair, &drills);
    drill::run(&job, START).await.unwrap();
    assert_eq!(drill::inspect(&job).await.unwrap().answers[0].answer.as_deref(), Some("1000"));
    // In the middle: the server is stopped, files are going.
    killed_when(REMOVE, &pair, &drills, || !root.join("data/postmaster.pid").exists()).await;
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
}

/// The copy's server itself dies without a word, and the removal still finds all of it.
#[tokio::test]
async fn a_copy_whose_server_was_killed_is_removed_as_well() {
    let pair = pair_with_rows(1_000).await;
    let drills = DrillDirectory::beside(&pair.b);
    let job = drill_of(&pair, &drills);
    for step in [COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    let pid_file = std::fs::read_to_string(copy(&drills).unwrap().join("data/postmaster.pid")).unwrap();
    let pid: i32 = pid_file.lines().next().unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
}
