//! Drills that must not begin.

use muster_domain::pb::execution::v1::{Check, CheckOutcome};
use muster_platform::{
    StepErrorKind,
    drill::{self, DrillJob},
};

use crate::{
    pair::login,
    stage::{DrillDirectory, drill_of, is_gone, pair_with_rows, processes_naming},
};

async fn refused(job: &DrillJob, words: &str) {
    let checks = drill::prechecks(job).await;
    let failed: Vec<&Check> = checks.iter().filter(|check| check.outcome() != CheckOutcome::Passed).collect();
    assert!(!failed.is_empty(), "{checks:#?}");
    let error = drill::prepare(job).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error:?}");
    assert!(error.text.contains(words), "{error:?}");
}

#[tokio::test]
async fn a_copy_is_never_made_near_production_or_without_room() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    let good = drill_of(&pair, &drills);

    let inside = pair.b.dir().join("base");
    for place in [pair.b.dir().to_owned(), inside, pair.b.dir().parent().unwrap().to_owned()] {
        let mut job = good.clone();
        job.host.drill_directory = place;
        refused(&job, "").await;
    }
    for request in ["", "../x", "a/b", "A", "x y", &"1".repeat(37)] {
        let job = DrillJob { request: request.into(), ..good.clone() };
        refused(&job, "is not the id of a request").await;
    }
    let mut job = good.clone();
    job.host.drill_directory = drills.path().join("not-there");
    refused(&job, "create it").await;

    // A file without content makes the standby as large as nobody has room for.
    let ballast = pair.b.dir().join("base/5/ballast");
    std::fs::File::create(&ballast).unwrap().set_len(8 << 40).unwrap();
    refused(&good, "and the copy needs").await;
    std::fs::remove_file(&ballast).unwrap();

    assert!(drills.is_empty());
    is_gone(&good, &drills).await;
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "t");
}

#[tokio::test]
async fn a_primary_is_never_the_source() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    let mut job = drill_of(&pair, &drills);
    job.spec.nodes.retain(|node| node.name == "a");
    refused(&job, "a is a primary").await;
    assert!(drills.is_empty());
}

/// A directory that does not say whose it is may be anything.
#[tokio::test]
async fn a_directory_of_somebody_else_is_not_removed() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    let job = drill_of(&pair, &drills);
    drill::prepare(&job).await.unwrap();
    let copy = std::fs::read_dir(drills.path()).unwrap().flatten().next().unwrap().path();
    let state = copy.join("muster-drill.json");
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replace("\"ledger\"", "\"billing\"")).unwrap();
    for error in [drill::remove(&job).await.unwrap_err(), drill::prepare(&job).await.unwrap_err()] {
        assert!(error.text.contains("belongs to another drill"), "{error:?}");
    }
    std::fs::remove_file(&state).unwrap();
    let error = drill::remove(&job).await.unwrap_err();
    assert!(error.text.contains("remove it by hand"), "{error:?}");
    assert!(copy.join("data/PG_VERSION").exists());
    std::fs::write(&state, text).unwrap();
    drill::remove(&job).await.unwrap();
    is_gone(&job, &drills).await;

    // A link leads to somebody else's files, whatever stands there.
    let elsewhere = DrillDirectory::beside(&pair.b);
    std::fs::write(elsewhere.path().join("precious"), "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &copy).unwrap();
    for error in [drill::remove(&job).await.unwrap_err(), drill::prepare(&job).await.unwrap_err()] {
        assert!(error.text.contains("remove it by hand"), "{error:?}");
    }
    assert!(elsewhere.path().join("precious").exists());
    std::fs::remove_file(&copy).unwrap();
}

#[tokio::test]
async fn what_other_drills_left_is_said_and_a_missing_account_is_refused() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    std::fs::create_dir(drills.path().join("drill-of-yesterday")).unwrap();
    let job = DrillJob { replication: None, ..drill_of(&pair, &drills) };
    let checks = drill::prechecks(&job).await;
    let free = checks.iter().find(|check| check.name == "drill_place_is_free").unwrap();
    assert!(free.advisory && free.value == "drill-of-yesterday", "{free:?}");
    assert!(checks.iter().any(|check| check.name == "drill_account_is_there"), "{checks:#?}");
    assert!(drill::prepare(&job).await.unwrap_err().text.contains("replication account"));
    drill::remove(&job).await.unwrap();
}

/// A failed copy says why without the password, and leaves what the last step removes.
#[tokio::test]
async fn a_copy_that_fails_leaves_nothing_after_its_removal() {
    let pair = pair_with_rows(10).await;
    let drills = DrillDirectory::beside(&pair.b);
    let mut job = drill_of(&pair, &drills);
    job.replication = Some(login("repl", "wrong-secret"));
    let error = drill::prepare(&job).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.text.contains("pg_basebackup") && !error.text.contains("wrong-secret"), "{error:?}");
    let error = drill::start(&job).await.unwrap_err();
    assert!(error.text.contains("no whole copy"), "{error:?}");
    drill::remove(&job).await.unwrap();
    is_gone(&job, &drills).await;

    // A copy that is broken fails at its start, with its own words, and is removed as well.
    let job = drill_of(&pair, &drills);
    drill::prepare(&job).await.unwrap();
    let copy = std::fs::read_dir(drills.path()).unwrap().flatten().next().unwrap().path();
    std::fs::remove_file(copy.join("data/global/pg_control")).unwrap();
    let error = drill::start(&job).await.unwrap_err();
    assert!(error.text.contains("did not start"), "{error:?}");
    drill::remove(&job).await.unwrap();
    is_gone(&job, &drills).await;
    assert!(processes_naming(drills.path()).is_empty());
}
