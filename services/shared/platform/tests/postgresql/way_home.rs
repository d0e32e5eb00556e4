//! The old primary of a failover comes back as the standby, before it is moved to.

use muster_platform::{Facts, MoveJob, MoveKind, Mover, Probe, StepErrorKind};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, mover},
};

/// A failover of a pair whose primary had `alone` rows that the standby never got.
async fn failed_over(alone: u32) -> Pair {
    let mut pair = Pair::start().await;
    pair.a.sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    eventually("b has row 1", async || pair.b.sql("SELECT count(*) FROM ledger").await.unwrap().trim() == "1").await;
    if alone > 0 {
        pair.b.sql("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
        pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
        eventually("b receives nothing", async || {
            pair.b.sql("SELECT count(*) FROM pg_stat_wal_receiver").await.unwrap().trim() == "0"
        })
        .await;
        pair.a.sql(&format!("INSERT INTO ledger SELECT generate_series(1000, {})", 999 + alone)).await.unwrap();
    }
    pair.a.kill().await.unwrap();
    drive(|| pair.job(MoveKind::Failover, "a", "b"), None).await;
    pair.b.sql("INSERT INTO ledger VALUES (2)").await.unwrap();
    pair
}

/// Every step as an executor does it, and each of them a second time.
async fn home(mover: &dyn Mover, job: impl Fn() -> MoveJob) -> (Facts, String) {
    let (mut facts, mut notes) = (Facts::new(), String::new());
    for step in mover.way_home(&job()) {
        assert_eq!(step.node, "a", "the present primary is not a step's node");
        let probed = mover.probe(&job(), &step.id, &facts).await;
        if !matches!(probed, Probe::Done { .. }) {
            assert_eq!(probed, Probe::NotDone, "{}", step.id);
            let done = mover.run(&job(), &step.id, &facts).await.unwrap_or_else(|e| panic!("{}: {e:?}", step.id));
            notes.push_str(&done.note);
            facts.extend(done.outputs);
        }
        let again = mover.run(&job(), &step.id, &facts).await;
        assert!(again.is_ok(), "{} again: {again:?}", step.id);
    }
    (facts, notes)
}

#[tokio::test]
async fn an_old_primary_with_rows_of_its_own_is_rewound_and_the_system_moves_home() {
    let pair = failed_over(50).await;
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    assert!(!mover.follows(&job()).await);
    let checks = mover.way_home_checks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");

    let (facts, notes) = home(mover.as_ref(), job).await;
    assert!(notes.contains("are on a alone") && notes.contains("is discarded"), "{notes}");
    assert_eq!(facts["original_diverged"], "true");
    assert!(mover.follows(&job()).await);
    assert_eq!(pair.a.sql("SELECT n FROM ledger ORDER BY n").await.unwrap().split_whitespace().count(), 2);
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "f");

    let checks = mover.prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let facts = drive(job, None).await;
    assert!(blocking(&mover.postchecks(&job(), &facts).await).is_empty());
    assert_eq!(pair.a.sql("SELECT count(*) FROM ledger").await.unwrap().trim(), "2");
}

#[tokio::test]
async fn an_old_primary_that_accepts_writes_is_left_alone() {
    let mut pair = failed_over(0).await;
    let agent = Pair::agent_of(&pair.a);
    agent.kill().await.unwrap();
    agent.unfence().await.unwrap();
    pair.a.start().await.unwrap();
    pair.a.sql("INSERT INTO ledger VALUES (77)").await.unwrap();
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let checks = mover.way_home_checks(&job()).await;
    assert!(blocking(&checks).contains(&"original_accepts_no_writes"), "{checks:#?}");
    for step in ["measure-original", "return-original"] {
        let facts = Facts::from([("original_diverged".to_owned(), "true".to_owned())]);
        let error = mover.run(&job(), step, &facts).await.unwrap_err();
        assert!(error.text.contains("runs as a primary"), "{step}: {error:?}");
    }
    assert_eq!(pair.a.sql("SELECT count(*) FROM ledger WHERE n = 77").await.unwrap().trim(), "1");
}

/// What `pg_rewind` left when it was killed is neither started nor rewound once more.
#[tokio::test]
async fn a_rewind_that_was_broken_off_is_refused_until_somebody_rebuilds() {
    let pair = failed_over(50).await;
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    let name = pair.a.dir().file_name().unwrap().to_string_lossy().into_owned();
    let marker = pair.a.dir().with_file_name(format!(".{name}.muster-rewind"));
    std::fs::write(&marker, "begun").unwrap();
    let checks = mover.way_home_checks(&job()).await;
    let broken = check(&checks, "no_rewind_was_broken_off");
    assert!(
        blocking(&checks).contains(&"no_rewind_was_broken_off") && broken.text.contains("base backup"),
        "{broken:?}"
    );
    for step in ["measure-original", "return-original"] {
        let error = mover.run(&job(), step, &measured.outputs).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Failed);
        assert!(error.text.contains("base backup"), "{step}: {error:?}");
    }
    let started = Pair::agent_of(&pair.a).start(std::time::Duration::from_secs(30)).await;
    assert!(started.unwrap_err().to_string().contains("must not be started") && !pair.a.is_running());
    std::fs::remove_file(&marker).unwrap();
    mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    assert!(!marker.exists(), "a rewind that came to its end leaves none");
}

/// SIGKILL to `pg_rewind` itself, while it overwrites the directory: the real thing, and not only its mark.
#[tokio::test]
async fn a_rewind_that_is_killed_is_told_and_a_base_backup_is_the_way_out() {
    let mut pair = failed_over(50).await;
    // So much to copy that it takes a while.
    pair.b
        .sql("CREATE TABLE wide AS SELECT repeat(md5(n::text), 30) AS t FROM generate_series(1, 100000) n")
        .await
        .unwrap();
    let (mover, job) = (mover(), pair.job(MoveKind::Switchover, "b", "a"));
    let measured = mover.run(&job, "measure-original", &Facts::new()).await.unwrap();
    let directory = pair.a.dir().to_owned();
    let name = directory.file_name().unwrap().to_string_lossy().into_owned();
    let marker = directory.with_file_name(format!(".{name}.muster-rewind"));
    let (facts, running) = (
        measured.outputs.clone(),
        tokio::spawn({
            let (mover, job, facts) = (mover.clone(), job, measured.outputs.clone());
            async move { mover.run(&job, "return-original", &facts).await }
        }),
    );
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let killed = loop {
        assert!(std::time::Instant::now() < deadline && !running.is_finished(), "no rewind was seen under way");
        // The mark is there before it touches anything: the rehearsal before has none.
        if marker.exists()
            && let Some(pid) = rewind_on(&directory)
        {
            break pid;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(killed), nix::sys::signal::Signal::SIGKILL).unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.text.contains("signal"), "{error:?}");

    let job = || pair.job(MoveKind::Switchover, "b", "a");
    let again = mover.run(&job(), "return-original", &facts).await.unwrap_err();
    assert!(again.text.contains("must not be started") && again.text.contains("base backup"), "{again:?}");
    assert!(blocking(&mover.way_home_checks(&job()).await).contains(&"no_rewind_was_broken_off"));
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "f", "production goes on");

    // What the guidance says: a base backup of the primary in its place, fenced, and the mark removed.
    pair.a.replace_with_copy_of(&pair.b, "rebuilt").await.unwrap();
    std::fs::remove_file(&marker).unwrap();
    let (_, notes) = home(mover.as_ref(), || pair.job(MoveKind::Switchover, "b", "a")).await;
    assert!(notes.contains("b has all of it"), "{notes}");
    let checks = mover.prechecks(&pair.job(MoveKind::Switchover, "b", "a")).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
}

/// The program that overwrites that directory, by its arguments.
fn rewind_on(directory: &std::path::Path) -> Option<i32> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|process| {
        let arguments = std::fs::read(process.path().join("cmdline")).ok()?;
        let mut words = arguments.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let ours = words.next()?.ends_with("pg_rewind") && words.any(|word| word == directory.to_string_lossy());
        if ours { process.file_name().to_str()?.parse().ok() } else { None }
    })
}

/// The failover keeps the log around the fork, however much is written afterwards; when that is given up, a precheck says
/// that a rewind cannot work any more.
#[tokio::test]
async fn the_log_around_the_fork_is_kept_for_the_way_home_and_a_precheck_says_when_it_is_gone() {
    let pair = failed_over(50).await;
    let (mover, job) = (mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    let failover = pair.job(MoveKind::Failover, "a", "b");
    let kept = mover.postchecks(&failover, &Facts::new()).await;
    assert!(check(&kept, "log_for_the_return").value.contains("muster_a"), "{kept:#?}");
    let goes_on = async || {
        pair.b.sql("ALTER SYSTEM SET wal_keep_size = 0").await.unwrap();
        pair.b.sql("ALTER SYSTEM SET min_wal_size = '32MB'; ").await.unwrap();
        pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
        for _ in 0..4 {
            pair.b
                .sql("CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()")
                .await
                .unwrap();
            pair.b.sql("CHECKPOINT").await.unwrap();
        }
    };
    goes_on().await;
    let checks = mover.way_home_checks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");

    pair.b.sql("SELECT pg_drop_replication_slot('muster_a')").await.unwrap();
    goes_on().await;
    let checks = mover.way_home_checks(&job()).await;
    let gone = check(&checks, "log_around_the_fork");
    assert!(blocking(&checks) == ["log_around_the_fork"] && gone.text.contains("base backup"), "{checks:#?}");
}
