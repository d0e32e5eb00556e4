//! What is refused before anything happens, and what a failed move leaves behind.

use muster_platform::{MoveJob, MoveKind, Probe, StepErrorKind};

use crate::{
    cluster::{Cluster, drive, login, mover},
    drive::{blocking_names as blocking, eventually},
};

#[tokio::test]
async fn the_prechecks_name_what_is_wrong_and_the_steps_refuse_it_by_themselves() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let mover = mover();
    let good = cluster.job(MoveKind::Switchover, "a", "b");
    let checks = mover.prechecks(&good).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let failing = async |change: &dyn Fn(&mut MoveJob)| {
        // Another job has sessions of its own: with another account, what was logged in before does not count.
        let mut job = MoveJob { sessions: Default::default(), ..good.clone() };
        change(&mut job);
        blocking(&mover.prechecks(&job).await).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(failing(&|job| job.target_node = "c".into()).await, ["job_is_complete"]);
    assert_eq!(failing(&|job| job.target_node = "a".into()).await, ["job_is_complete"]);
    assert_eq!(failing(&|job| job.replication = None).await, ["job_is_complete"]);
    assert_eq!(failing(&|job| job.execute = login("rest", "wrong")).await, ["patroni_login"]);
    let swapped = failing(&|job| (job.from_node, job.target_node) = ("b".into(), "a".into())).await;
    assert!(["from_leads", "target_is_standby"].iter().all(|name| swapped.iter().any(|s| s == name)), "{swapped:?}");
    let database = failing(&|job| job.replication = Some(login("exec", "wrong"))).await;
    assert!(database.contains(&"target_is_standby".to_owned()), "{database:?}");
    for step in ["reboot", "promote-target", "move-leader"] {
        let error = mover.run(&good, step, &Default::default()).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{step}: {error}");
    }
    let plan = mover.plan(&good);
    assert!(plan.len() == 4 && plan.iter().all(|step| !step.guidance.contains('{') && !step.title.contains('{')));

    // The account of the REST API is refused in the deed, too, and nothing moved.
    let facts = mover.run(&good, "record-positions", &Default::default()).await.unwrap().outputs;
    let mut wrong = good.clone();
    wrong.execute = login("rest", "wrong");
    let error = mover.run(&wrong, "move-leader", &facts).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Failed && error.text.contains("401"), "{error:?}");
    assert!(matches!(mover.probe(&good, "move-leader", &facts).await, Probe::NotDone));
    let kept = mover.rollback(&good, &facts).await.unwrap();
    assert!(kept.contains("a leads"), "{kept}");

    // Paused.
    cluster.pause(true).await;
    assert_eq!(failing(&|_| {}).await, ["not_paused"]);
    let error = mover.run(&good, "move-leader", &facts).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Refused && error.text.contains("paused"), "{error:?}");
    cluster.pause(false).await;

    // The candidate is gone: nothing is asked of Patroni.
    cluster.0.member_mut("b").kill().await.unwrap();
    let gone = failing(&|_| {}).await;
    assert!(gone.contains(&"target_is_standby".to_owned()) && gone.contains(&"target_streams".to_owned()), "{gone:?}");
    let error = mover.run(&good, "move-leader", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error:?}");
    assert_eq!(cluster.0.member("a").sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "f");
    assert!(mover.known_state(&good, &facts).await.contains("does not answer"));

    // Back again, the same request goes through.
    cluster.0.member_mut("b").start().await.unwrap();
    cluster.0.wait_until_streaming("a").await.unwrap();
    eventually("everything is well again", async || failing(&|_| {}).await.is_empty()).await;
    drive(|| cluster.job(MoveKind::Switchover, "a", "b")).await;
}
