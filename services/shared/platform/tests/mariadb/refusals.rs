//! What must not be begun, and what must not go on.

use muster_domain::pb::execution::v1::CheckOutcome;
use muster_platform::{MoveKind, Probe, StepErrorKind};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, login, mover, node, spec_of},
};

#[tokio::test]
async fn each_thing_that_is_wrong_blocks_the_switchover_by_its_name() {
    let Some(pair) = Pair::start().await else { return };
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let failing =
        async || blocking(&mover().prechecks(&job()).await).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(failing().await, Vec::<String>::new());

    for (break_it, check, mend) in [
        ("STOP SLAVE SQL_THREAD", "target_replicates", "START SLAVE"),
        (
            "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=600; START SLAVE",
            "no_apply_delay",
            "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE",
        ),
        (
            "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=no; START SLAVE",
            "replicates_by_gtid",
            "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID=slave_pos; START SLAVE",
        ),
        ("SET GLOBAL read_only=0", "target_is_standby", "SET GLOBAL read_only=1"),
        (
            "STOP SLAVE; SET GLOBAL replicate_ignore_db='other'; START SLAVE",
            "no_replication_filters",
            "STOP SLAVE; SET GLOBAL replicate_ignore_db=''; START SLAVE",
        ),
    ] {
        pair.b.sql(break_it).await.unwrap();
        let found = failing().await;
        assert!(found.contains(&check.to_owned()), "{check}: {found:?}");
        pair.b.sql(mend).await.unwrap();
        eventually("mended", async || failing().await.is_empty()).await;
    }

    let mut lost = job();
    lost.services.remove("a");
    assert!(blocking(&mover().prechecks(&lost).await).contains(&"old_primary_can_be_fenced"));
    let mut twice = job();
    twice.services.insert("b".into(), Pair::agent_of(&pair.a));
    assert!(blocking(&mover().prechecks(&twice).await).contains(&"agents_differ"));
    let mut one = job();
    let mut spec = pair.spec();
    spec.nodes[1] = node("b", "east", pair.a.port());
    one.spec = spec_of(spec);
    assert!(blocking(&mover().prechecks(&one).await).contains(&"distinct_servers"));
    let mut other_login = job();
    other_login.replication = Some(login("plain", "plain-password"));
    assert!(blocking(&mover().prechecks(&other_login).await).contains(&"way_back"));
    let mut weak = job();
    weak.execute = login("mon", "mon-password");
    assert!(blocking(&mover().prechecks(&weak).await).contains(&"may_move"));
}

/// The contract's own list of rights is enough; without PROCESS it says what it cannot see.
#[tokio::test]
async fn without_process_the_move_works_and_says_what_it_does_not_see() {
    let Some(pair) = Pair::start().await else { return };
    pair.a.sql("REVOKE PROCESS ON *.* FROM exec").await.unwrap();
    eventually("it is gone on the replica", async || {
        !pair.b.sql("SHOW GRANTS FOR exec").await.unwrap().contains("PROCESS")
    })
    .await;
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let checks = mover().prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(check(&checks, "may_see_sessions").outcome(), CheckOutcome::Warning);
    let facts = drive(job, None).await;
    assert!(blocking(&mover().postchecks(&job(), &facts).await).is_empty());
}

#[tokio::test]
async fn a_stray_transaction_on_the_target_stops_the_move_before_it_begins() {
    let Some(pair) = Pair::start().await else { return };
    pair.b.sql("INSERT INTO app.ledger VALUES (99)").await.unwrap();
    let checks = mover().prechecks(&pair.job(MoveKind::Switchover, "a", "b")).await;
    // Replication itself does not notice, as long as the primary writes nothing.
    assert_eq!(blocking(&checks), ["no_errant_transactions"], "{checks:#?}");
    let stray = check(&checks, "no_errant_transactions");
    assert!(stray.value.contains(&format!("0-{}-", pair.b.port())), "{stray:?}");
}

/// An account with READ_ONLY ADMIN writes in spite of the fence. It is noticed while reading the end, and again right
/// before the promotion.
#[tokio::test]
async fn a_write_in_spite_of_read_only_stops_the_move() {
    let Some(pair) = Pair::start().await else { return };
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let facts = drive(job, Some("detach-target")).await;
    pair.a.sql("INSERT INTO app.ledger VALUES (1)").await.unwrap();
    let error = mover().run(&job(), "promote-target", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(error.text.contains("somebody wrote there"), "{error}");
    assert!(pair.is_read_only("b").await);
    // Nothing of it is lost: the way back keeps it, and the target gets it.
    mover().rollback(&job(), &facts).await.unwrap();
    eventually("b has it", async || pair.b.sql("SELECT count(*) FROM app.ledger").await.unwrap() == "1").await;
}

/// The proof is asked for again right before the promotion.
#[tokio::test]
async fn no_promotion_without_a_fence() {
    let Some(pair) = Pair::start().await else { return };
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let facts = drive(job, Some("detach-target")).await;
    let agent = Pair::agent_of(&pair.a);
    agent.unfence().await.unwrap();
    let error = mover().run(&job(), "promote-target", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused);
    assert!(error.text.contains("fence"), "{error}");
    agent.fence().await.unwrap();
    pair.a.sql("SET GLOBAL read_only=0").await.unwrap();
    let error = mover().run(&job(), "promote-target", &facts).await.unwrap_err();
    assert!(error.text.contains("read_only is off"), "{error}");
    assert!(pair.is_read_only("b").await);
    assert!(matches!(mover().probe(&job(), "promote-target", &facts).await, Probe::NotDone));
}

/// Both sides must be what they are named before the first is touched.
#[tokio::test]
async fn nothing_is_changed_when_the_target_could_not_take_over() {
    let Some(mut pair) = Pair::start().await else { return };
    pair.b.stop().await.unwrap();
    for (kind, step) in [(MoveKind::Switchover, "make-primary-read-only"), (MoveKind::Failover, "fence-primary")] {
        let job = pair.job(kind, "a", "b");
        assert!(blocking(&mover().prechecks(&job).await).contains(&"target_is_standby"));
        let error = mover().run(&job, step, &Default::default()).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
        assert!(!pair.is_read_only("a").await && !pair.is_fenced("a").await);
    }
}

#[tokio::test]
async fn unknown_steps_and_missing_facts_run_nothing() {
    let Some(pair) = Pair::start().await else { return };
    let job = pair.job(MoveKind::Switchover, "a", "b");
    assert!(matches!(mover().probe(&job, "fence-primary", &Default::default()).await, Probe::Unknown(_)));
    for step in ["reboot", "fence-primary", "wait-for-apply", "detach-target", "promote-target", "rejoin-old-primary"] {
        let error = mover().run(&job, step, &Default::default()).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{step}: {error}");
    }
    let plan = mover().plan(&job);
    assert!(plan.iter().all(|step| !step.guidance.contains('{') && !step.title.contains('{')), "{plan:#?}");
    let promote = plan.iter().find(|step| step.id == "promote-target").unwrap();
    assert!(!promote.idempotent && promote.changes_target);
    assert!(!pair.is_read_only("a").await);
}
