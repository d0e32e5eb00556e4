//! A copy of the standby.

use muster_domain::pb::{execution::v1::CheckPhase, inventory::v1::IntegrityCheck};
use muster_platform::{
    Probe,
    drill::{self, COPY, REMOVE, START},
};

use crate::{
    drive::eventually,
    stage::{DrillDirectory, count, drill_of, is_gone, pair_with_rows, passed, sessions_on},
};

#[tokio::test]
async fn a_copy_of_the_standby_is_made_questioned_and_gone() {
    let pair = pair_with_rows(2_000).await;
    let drills = DrillDirectory::beside(&pair.b);
    let mut job = drill_of(&pair, &drills);
    job.integrity = vec![
        IntegrityCheck { expect: "2000".into(), ..count("ledger") },
        IntegrityCheck { name: "missing".into(), ..count("no_such_table") },
    ];
    let before = jiff::Timestamp::now();
    let checks = drill::prechecks(&job).await;
    assert!(checks.len() == 4 && checks.iter().all(passed), "{checks:#?}");
    let steps: Vec<String> = drill::plan(&job).into_iter().map(|step| step.id).collect();
    assert_eq!(steps, [COPY, START, "inspect-copy", REMOVE]);

    assert_eq!(drill::probe(&job, COPY).await, Probe::NotDone);
    let made = drill::run(&job, COPY).await.unwrap();
    assert!(made.note.starts_with("base backup of b"), "{}", made.note);
    assert!(matches!(drill::probe(&job, COPY).await, Probe::Done { .. }));
    // What came with the files and leads back to production is gone before the first start.
    let data = find_data(&drills);
    for name in ["standby.signal", "muster_replication.pgpass"] {
        assert!(!data.join(name).exists(), "{name}");
    }
    assert_eq!(std::fs::read_to_string(data.join("postgresql.auto.conf")).unwrap(), "");

    assert_eq!(drill::probe(&job, START).await, Probe::NotDone);
    drill::run(&job, START).await.unwrap();
    assert!(matches!(drill::probe(&job, START).await, Probe::Done { .. }));

    let found = drill::inspect(&job).await.unwrap();
    assert_eq!(found.answers[0].answer.as_deref(), Some("2000"));
    assert_eq!(found.answers[0].phase(), CheckPhase::After);
    assert!(found.answers[1].answer.is_none() && !found.answers[1].error.is_empty(), "{:?}", found.answers[1]);
    let outcomes: Vec<bool> = found.checks.iter().map(passed).collect();
    assert_eq!(outcomes, [true, true, false], "{:#?}", found.checks);
    assert!(found.newest_data_at.unwrap() <= jiff::Timestamp::now());
    assert!(found.restore_time.unwrap().is_positive() && found.bytes > 10 << 20, "{found:?}");
    // It is a server of its own, that accepts writes nobody else sees, and no address of the network leads to it.
    assert_eq!(listening_below(data.parent().unwrap()), 1, "one socket");

    // Twice is the same as once.
    drill::run(&job, COPY).await.unwrap();
    drill::run(&job, START).await.unwrap();
    assert_eq!(drill::inspect(&job).await.unwrap().outputs()["copy_source"], "base backup of b");

    // Production noticed nothing: it still replicates, and its standby is one.
    pair.a.sql("INSERT INTO ledger VALUES (3000)").await.unwrap();
    eventually("production replicates", async || {
        pair.b.sql("SELECT count(*) FROM ledger").await.unwrap().trim() == "2001"
    })
    .await;
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "t");
    assert_eq!(drill::inspect(&job).await.unwrap().answers[0].answer.as_deref(), Some("2000"));

    let facts = found.outputs();
    assert_eq!(drill::probe(&job, REMOVE).await, Probe::NotDone);
    assert!(drill::verify_removed(&job).await.iter().any(|check| !passed(check)));
    drill::run(&job, REMOVE).await.unwrap();
    assert!(matches!(drill::probe(&job, REMOVE).await, Probe::Done { .. }));
    is_gone(&job, &drills).await;
    for server in [&pair.a, &pair.b] {
        assert_eq!(sessions_on(server).await.trim(), "0|0|0");
    }
    // And once more, when there is nothing.
    drill::run(&job, REMOVE).await.unwrap();

    let record = drill::copy_of("ledger", &facts, drill::verify_removed(&job).await);
    assert_eq!((record.source.as_str(), record.teardown.len()), ("base backup of b", 3));
    assert!(record.newest_data_at.is_some() && record.loss_window.is_some() && record.restore_time.is_some());
    assert!(jiff::Timestamp::now() > before);
}

/// The loss window counts from the newest data, and an idle system's is not zero.
#[tokio::test]
async fn the_loss_window_is_as_old_as_the_newest_transaction() {
    let pair = pair_with_rows(10).await;
    let committed = jiff::Timestamp::now();
    let drills = DrillDirectory::beside(&pair.b);
    let mut job = drill_of(&pair, &drills);
    // An hour later by the executor's clock, nothing was written since.
    job.now = std::sync::Arc::new(move || committed + jiff::SignedDuration::from_hours(1));
    for step in [COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    let found = drill::inspect(&job).await.unwrap();
    let window = found.loss_window.unwrap();
    assert!(
        window >= jiff::SignedDuration::from_mins(60) && window < jiff::SignedDuration::from_mins(62),
        "{window:?}"
    );
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
}

/// A tablespace of production keeps its path on production's machine: the copy's is inside the copy.
#[tokio::test]
async fn a_tablespace_is_copied_into_the_copy() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    let spaces = DrillDirectory::beside(&pair.a);
    // Both servers of this machine use the same path, with the same content: on two machines each has its own.
    let location = spaces.path().display();
    pair.a.sql(&format!("CREATE TABLESPACE fast LOCATION '{location}'")).await.unwrap();
    pair.a
        .sql("CREATE TABLE moved (n int) TABLESPACE fast; INSERT INTO moved VALUES (1); GRANT SELECT ON moved TO exec")
        .await
        .unwrap();
    pair.a.sql("CHECKPOINT").await.unwrap();
    eventually("b has the table", async || {
        pair.b.sql("SELECT count(*) FROM moved").await.is_ok_and(|found| found.trim() == "1")
    })
    .await;
    let mut job = drill_of(&pair, &drills);
    job.integrity = vec![count("moved")];
    for step in [COPY, START] {
        drill::run(&job, step).await.unwrap();
    }
    assert_eq!(drill::inspect(&job).await.unwrap().answers[0].answer.as_deref(), Some("1"));
    let link = std::fs::read_dir(find_data(&drills).join("pg_tblspc")).unwrap().flatten().next().unwrap().path();
    assert!(std::fs::read_link(&link).unwrap().starts_with(drills.path()), "{link:?}");
    drill::run(&job, REMOVE).await.unwrap();
    is_gone(&job, &drills).await;
    assert_eq!(pair.a.sql("SELECT count(*) FROM moved").await.unwrap().trim(), "1");
    assert!(!spaces.is_empty());
}

fn find_data(drills: &DrillDirectory) -> std::path::PathBuf {
    let mut copies: Vec<_> = std::fs::read_dir(drills.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    copies.remove(0).join("data")
}

/// Sockets of the copy, and none of TCP: `ss` would show one line for each.
fn listening_below(root: &std::path::Path) -> usize {
    let unix = std::fs::read_to_string("/proc/net/unix").unwrap();
    let here = unix.lines().filter(|line| line.contains(root.to_str().unwrap()) && line.contains("00010000")).count();
    let pid_file = std::fs::read_to_string(root.join("data/postmaster.pid")).unwrap();
    // The sixth line is the address the server listens on over TCP.
    assert_eq!(pid_file.lines().nth(5).unwrap().trim(), "", "{pid_file}");
    here
}
