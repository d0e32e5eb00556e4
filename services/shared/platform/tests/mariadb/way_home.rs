//! After a failover: the old primary comes back as the replica of the new one, and what it has alone is told and kept.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use muster_platform::{Facts, MoveKind, StepErrorKind, mariadb::fact};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, mover},
};

/// Wherever a rebuild of a second or two is: the dump, the empty server, the load, the change of places.
const LIVES: [Duration; 6] = [
    Duration::from_millis(30),
    Duration::from_millis(300),
    Duration::from_millis(800),
    Duration::from_millis(1500),
    Duration::from_millis(2500),
    Duration::from_millis(4000),
];

/// Transactions 2 and 3 are on "a" alone, and "b" took over and has gone on with 4.
async fn failed_over(diverged: bool) -> Option<Pair> {
    let mut pair = Pair::start().await?;
    pair.arrives(1, "a", "b").await;
    if diverged {
        pair.b.sql("STOP SLAVE IO_THREAD").await.unwrap();
        pair.a.sql("INSERT INTO app.ledger VALUES (2); INSERT INTO app.ledger VALUES (3)").await.unwrap();
    }
    pair.a.kill().await.unwrap();
    {
        let job = || pair.job(MoveKind::Failover, "a", "b");
        eventually("the replica has noticed", async || blocking(&mover().prechecks(&job()).await).is_empty()).await;
        drive(job, None).await;
    }
    pair.b.sql("INSERT INTO app.ledger VALUES (4)").await.unwrap();
    Some(pair)
}

async fn ledger(pair: &Pair, node: &str) -> String {
    pair.server(node).sql("SELECT GROUP_CONCAT(n ORDER BY n) FROM app.ledger").await.unwrap()
}

fn beside(pair: &Pair, word: &str) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(pair.a.dir()).unwrap().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(word)).collect()
}

#[tokio::test]
async fn what_the_old_primary_has_alone_is_told_and_kept_and_it_is_built_anew() {
    let Some(pair) = failed_over(true).await else { return };
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    assert!(!mover.follows(&job()).await);
    let checks = mover.way_home_checks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(check(&checks, "original_can_be_rebuilt").value, "granted", "{checks:#?}");

    // Nothing is discarded that is not in the record.
    let early = mover.run(&job(), "return-original", &Facts::new()).await.unwrap_err();
    assert_eq!(early.kind, StepErrorKind::Refused, "{early}");
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    assert!(measured.note.contains("(at most 2)") && measured.note.contains("is kept"), "{}", measured.note);
    assert_eq!(measured.outputs[fact::ORIGINAL_DIVERGED], "true");
    assert!(pair.is_read_only("a").await && ledger(&pair, "a").await == "1,2,3", "measuring changed something");

    let returned = mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    mover.run(&job(), "wait-until-following", &measured.outputs).await.unwrap();
    assert_eq!((ledger(&pair, "a").await, ledger(&pair, "b").await), ("1,4".into(), "1,4".into()));
    assert!(pair.is_read_only("a").await && pair.is_fenced("a").await && !pair.is_read_only("b").await);
    let kept = beside(&pair, "muster-kept");
    let kept = kept.first().unwrap();
    assert!(returned.note.contains(&kept.display().to_string()), "{}", returned.note);
    assert!(kept.join("app/ledger.ibd").is_file() && kept.join("binlog.index").is_file());
    assert!(beside(&pair, "muster-copy").is_empty() && beside(&pair, "muster-swap").is_empty());
    // The accounts came with it, and its history is that of the primary: no transaction seems to be on one side alone.
    assert!(mover.follows(&job()).await);
    let checks = mover.prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    drive(job, None).await;
    pair.arrives(5, "a", "b").await;
    let back = pair.job(MoveKind::Switchover, "a", "b");
    assert!(blocking(&mover.prechecks(&back).await).is_empty(), "and it can go there again");
}

#[tokio::test]
async fn one_that_has_nothing_of_its_own_follows_from_where_it_ended() {
    let Some(pair) = failed_over(false).await else { return };
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    assert!(measured.note.contains("b has all of it"), "{}", measured.note);
    mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    mover.run(&job(), "wait-until-following", &measured.outputs).await.unwrap();
    assert_eq!(ledger(&pair, "a").await, "1,4");
    assert!(beside(&pair, "muster-kept").is_empty(), "it was built anew for nothing");
}

/// The log that the old primary lacks is gone: nothing is on it alone, and it cannot go on from where it ended.
#[tokio::test]
async fn one_whose_place_in_the_log_is_gone_is_built_anew() {
    let Some(pair) = failed_over(false).await else { return };
    pair.b.sql("FLUSH BINARY LOGS; INSERT INTO app.ledger VALUES (5); FLUSH BINARY LOGS").await.unwrap();
    let newest = pair.b.sql("SHOW MASTER STATUS").await.unwrap();
    let newest = newest.split('\t').next().unwrap().to_owned();
    // A log that a checkpoint may still need stays for a moment.
    eventually("the log is gone", async || {
        pair.b.sql(&format!("PURGE BINARY LOGS TO '{newest}'")).await.unwrap();
        !pair.b.sql("SHOW BINARY LOGS").await.unwrap().contains("binlog.000001")
    })
    .await;
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    let returned = mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    assert!(returned.note.contains("has not kept the log"), "{}", returned.note);
    mover.run(&job(), "wait-until-following", &measured.outputs).await.unwrap();
    assert_eq!(ledger(&pair, "a").await, "1,4,5");
}

#[tokio::test]
async fn whoever_dies_in_a_rebuild_the_old_data_is_there_and_the_next_one_finishes() {
    let Some(pair) = failed_over(true).await else { return };
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    for life in LIVES {
        let (mover, job, facts) = (mover.clone(), job(), measured.outputs.clone());
        let doomed = tokio::spawn(async move { mover.run(&job, "return-original", &facts).await });
        let until = Instant::now() + life;
        while Instant::now() < until && !doomed.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        doomed.abort();
        let _ = doomed.await;
        let old = std::iter::once(pair.a.data_dir()).chain(beside(&pair, "muster-kept"));
        let holds_the_old = old.into_iter().any(|data| is_of(&data, "binlog.000001"));
        assert!(holds_the_old, "after {life:?} the old data is nowhere");
    }
    // Somebody died between the two renames.
    let kept = pair.a.dir().join("data.muster-kept-1");
    let (work, data) = (pair.a.dir().join(".data.muster-copy-1"), pair.a.data_dir());
    Pair::agent_of(&pair.a).stop(Duration::from_secs(30)).await.unwrap();
    std::fs::create_dir(&work).unwrap();
    std::fs::rename(&data, work.join("data")).unwrap();
    let names = format!("{}\n{}\n", work.join("data").display(), kept.display());
    std::fs::write(pair.a.dir().join(".data.muster-swap"), names).unwrap();

    mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    mover.run(&job(), "wait-until-following", &measured.outputs).await.unwrap();
    assert_eq!(ledger(&pair, "a").await, "1,4");
    assert!(!work.exists() && beside(&pair, "muster-swap").is_empty());
    assert!(!beside(&pair, "muster-kept").is_empty());
}

/// Its log still has the transactions that only it had.
fn is_of(data: &std::path::Path, log: &str) -> bool {
    data.join(log).is_file() && data.join("app/ledger.ibd").is_file()
}

#[tokio::test]
async fn one_that_somebody_writes_to_and_one_without_rights_to_copy_are_told() {
    let Some(mut pair) = failed_over(true).await else { return };
    let mover = mover();
    pair.b.sql("REVOKE SELECT ON *.* FROM repl@'%'").await.unwrap();
    let job = |pair: &Pair| pair.job(MoveKind::Switchover, "b", "a");
    let checks = mover.way_home_checks(&job(&pair)).await;
    let rebuild = check(&checks, "original_can_be_rebuilt");
    assert!(rebuild.text.contains("GRANT SELECT ON"), "{rebuild:?}");
    assert!(blocking(&checks).is_empty(), "it may have nothing of its own: {checks:#?}");
    let measured = mover.run(&job(&pair), "measure-original", &Facts::new()).await.unwrap();
    let refused = mover.run(&job(&pair), "return-original", &measured.outputs).await.unwrap_err();
    assert!(refused.text.contains("mariadb-dump"), "{refused}");
    pair.a.start().await.unwrap();
    assert_eq!(ledger(&pair, "a").await, "1,2,3", "a copy that failed replaces nothing");

    // Somebody writes in between: what was measured is not what would go.
    pair.b.sql("GRANT SELECT ON *.* TO repl@'%'").await.unwrap();
    pair.a.sql("INSERT INTO app.ledger VALUES (9)").await.unwrap();
    let refused = mover.run(&job(&pair), "return-original", &measured.outputs).await.unwrap_err();
    assert!(refused.kind == StepErrorKind::Refused && refused.text.contains("somebody wrote"), "{refused}");

    pair.a.sql("SET GLOBAL read_only=0").await.unwrap();
    assert!(blocking(&mover.way_home_checks(&job(&pair)).await).contains(&"original_accepts_no_writes"));
    assert!(mover.follows(&job(&pair)).await, "the ordinary prechecks refuse it");
    let refused = mover.run(&job(&pair), "measure-original", &Facts::new()).await.unwrap_err();
    assert!(refused.text.contains("accepts writes"), "{refused}");
}
