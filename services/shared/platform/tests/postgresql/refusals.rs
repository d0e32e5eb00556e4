//! What is refused before anything happens.

use std::sync::Arc;

use muster_domain::pb::execution::v1::CheckOutcome;
use muster_local::postgres::{PostgresServer, StopMode};
use muster_platform::{MoveJob, MoveKind, Probe, StepErrorKind};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, login, mover, node, spec_of},
};

#[tokio::test]
async fn the_prechecks_name_what_is_wrong() {
    let pair = Pair::start().await;
    let mover = mover();
    let good = || pair.job(MoveKind::Switchover, "a", "b");
    assert!(blocking(&mover.prechecks(&good()).await).is_empty(), "{:#?}", mover.prechecks(&good()).await);
    let failing = async |change: &dyn Fn(&mut MoveJob)| {
        let mut job = good();
        change(&mut job);
        let checks = mover.prechecks(&job).await;
        blocking(&checks).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    assert_eq!(failing(&|job| job.target_node = "c".into()).await, ["job_is_complete"]);
    assert_eq!(failing(&|job| job.target_node = "a".into()).await, ["job_is_complete"]);
    // The roles are the other way round.
    let swapped = failing(&|job| (job.from_node, job.target_node) = ("b".into(), "a".into())).await;
    assert!(
        ["target_is_standby", "from_is_primary"].iter().all(|name| swapped.iter().any(|s| s == name)),
        "{swapped:?}"
    );
    // No agent, and both nodes with one agent.
    let no_agent = failing(&|job| drop(job.agents.remove("a"))).await;
    assert!(no_agent.contains(&"old_primary_can_be_fenced".to_owned()), "{no_agent:?}");
    let one_agent = failing(&|job| drop(job.agents.insert("b".into(), Pair::agent_of(&pair.a)))).await;
    assert_eq!(one_agent, ["old_primary_can_be_fenced"]);
    // The agents are swapped: the one of a would stop b.
    let swapped = failing(&|job| {
        job.agents.insert("a".into(), Pair::agent_of(&pair.b));
        job.agents.insert("b".into(), Pair::agent_of(&pair.a));
    })
    .await;
    assert!(swapped.contains(&"old_primary_can_be_fenced".to_owned()), "{swapped:?}");
    // The way back is tried before anything is stopped.
    assert_eq!(failing(&|job| job.replication = Some(login("repl", "wrong"))).await, ["way_back"]);
    assert_eq!(failing(&|job| job.replication = None).await, ["way_back"]);
    // An account without the rights, and one that is refused: unknown is never good.
    let plain = failing(&|job| job.execute = login("plain", "plain-password")).await;
    assert!(
        ["may_promote", "may_create_slots", "target_is_standby"].iter().all(|n| plain.iter().any(|p| p == n)),
        "{plain:?}"
    );
    let refused = failing(&|job| job.execute = login("exec", "wrong")).await;
    assert!(
        refused.contains(&"target_is_standby".to_owned()) && refused.contains(&"may_promote".to_owned()),
        "{refused:?}"
    );
    assert_eq!(failing(&|job| job.limits.free_disk_bytes = u64::MAX).await, ["target_free_disk"]);
    // Both addresses lead to the primary.
    let one_server = failing(&|job| {
        let mut spec = pair.spec();
        spec.nodes[1] = node("b", "east", pair.a.port());
        job.spec = spec_of(spec);
    })
    .await;
    assert!(one_server.contains(&"distinct_servers".to_owned()), "{one_server:?}");

    // The replay is paused, and later delayed.
    pair.b.sql("SELECT pg_wal_replay_pause()").await.unwrap();
    eventually("paused", async || failing(&|_| {}).await == ["replay_not_paused"]).await;
    pair.b.sql("SELECT pg_wal_replay_resume()").await.unwrap();
    pair.b.sql("ALTER SYSTEM SET recovery_min_apply_delay = '1h'").await.unwrap();
    pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
    eventually("delayed", async || failing(&|_| {}).await == ["no_apply_delay"]).await;
}

#[tokio::test]
async fn a_standby_of_something_else_is_no_target() {
    let pair = Pair::start().await;
    let other = PostgresServer::temporary().await.unwrap();
    other.sql("CREATE ROLE exec LOGIN REPLICATION; GRANT pg_monitor TO exec").await.unwrap();
    let mover = mover();
    let mut job = pair.job(MoveKind::Switchover, "a", "b");
    let mut spec = pair.spec();
    spec.nodes[0] = node("a", "west", other.port());
    job.spec = spec_of(spec);
    job.agents.insert("a".into(), Pair::agent_of(&other));
    let checks = mover.prechecks(&job).await;
    assert_eq!(check(&checks, "same_system").outcome(), CheckOutcome::Failed);
    assert_eq!(check(&checks, "target_uses_slot").outcome(), CheckOutcome::Failed);
    // And the steps refuse by themselves, should anybody get past the checks.
    let error = mover.run(&job, "stop-primary", &Default::default()).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(other.is_running());
}

#[tokio::test]
async fn nothing_is_stopped_when_the_target_could_not_take_over() {
    let mut pair = Pair::start().await;
    let mover = mover();
    pair.b.stop(StopMode::Fast).await.unwrap();
    for kind in [MoveKind::Switchover, MoveKind::Failover] {
        let job = pair.job(kind, "a", "b");
        let checks = mover.prechecks(&job).await;
        assert!(blocking(&checks).contains(&"target_is_standby"));
        let step = if kind == MoveKind::Switchover { "stop-primary" } else { "fence-primary" };
        let error = mover.run(&job, step, &Default::default()).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
        assert!(pair.a.is_running() && !Pair::agent_of(&pair.a).is_fenced().await.unwrap());
    }
}

/// The proof is asked for again right before the promotion.
#[tokio::test]
async fn no_promotion_without_a_fence() {
    let pair = Pair::start().await;
    let mover = mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let facts = drive(job, Some("wait-for-replay")).await;
    let agent = Pair::agent_of(&pair.a);

    agent.unfence().await.unwrap();
    let error = mover.run(&job(), "promote-target", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused);
    assert!(error.text.contains("standby.signal"), "{error}");

    // Started as a primary behind our back.
    agent.start(std::time::Duration::from_secs(30)).await.unwrap();
    agent.fence().await.unwrap();
    let error = mover.run(&job(), "promote-target", &facts).await.unwrap_err();
    assert!(error.text.contains("running"), "{error}");
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "t");
    assert!(matches!(mover.probe(&job(), "promote-target", &facts).await, Probe::NotDone));
}

#[tokio::test]
async fn unknown_steps_and_missing_facts_run_nothing() {
    let pair = Pair::start().await;
    let mover = mover();
    let job = pair.job(MoveKind::Switchover, "a", "b");
    assert!(matches!(mover.probe(&job, "fence-primary", &Default::default()).await, Probe::Unknown(_)));
    for step in ["reboot", "fence-primary", "promote-target", "rejoin-old-primary"] {
        let error = mover.run(&job, step, &Default::default()).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{step}: {error}");
    }
    // A server that crashed is no clean stop, whatever asks.
    let plan = mover.plan(&job);
    assert!(plan.iter().all(|step| !step.guidance.contains('{') && !step.title.contains('{')), "{plan:#?}");
    let promote = plan.iter().find(|step| step.id == "promote-target").unwrap();
    assert!(!promote.idempotent && promote.changes_target);
    assert!(Arc::strong_count(&mover) == 1);
}
