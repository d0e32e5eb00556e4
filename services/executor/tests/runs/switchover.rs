//! The planned move, there and back, under load.

use muster_domain::{
    pb::{
        common::v1::LossCertainty,
        execution::v1::{CheckOutcome, ExecutionState, PreflightRequest, StepState, Verdict},
        request::v1::RequestType,
    },
    time::duration_from_pb,
};
use muster_testing::Person;

use crate::{
    movers::{Around, movers},
    traffic::{Guard, Writer},
    world::{RESOURCE, World, eventually},
};

/// A preflight that names no target says which one it took, and why.
async fn a_drill_is_about_the_other_side(person: &Person, runs_at: &str, other: &str) {
    for kind in ["readiness-drill", "live-drill"] {
        let ask = PreflightRequest {
            tenant: "acme".into(),
            r#type: kind.into(),
            resource: RESOURCE.into(),
            ..PreflightRequest::default()
        };
        let report = person.executor().preflight(person.request(ask)).await.unwrap().into_inner().report.unwrap();
        assert_eq!(report.target_site, other, "{kind}");
        let check = report.checks.iter().find(|check| check.name == "target_site").unwrap();
        assert_eq!((check.value.as_str(), check.outcome()), (other, CheckOutcome::Passed));
        assert_eq!(check.text, format!("it runs at {runs_at}, so this is about the other site"));
        assert_ne!(report.verdict(), Verdict::NoGo, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switchover_and_its_failback_lose_no_row_and_say_so() {
    let world = World::start().await;
    let (find, _) = movers(Around::Nothing);
    let executor = world.executor(find).await;
    let olga = Person::login(&executor.url, "olga").await.unwrap();
    let writer = Writer::start(&world.pair);
    eventually("the application writes", async || writer.count() > 100).await;

    for (from, target, site) in [("a", "b", "east"), ("b", "a", "west")] {
        let guard = Guard::start(&world.pair, from, target);
        let request = world.confirmed(RequestType::Switchover, site).await;
        let view = world.ended(&request).await;
        guard.stop().await;
        assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");

        let started = view.started.unwrap();
        assert_eq!((started.from_node.as_str(), started.target_node.as_str()), (from, target));
        // Ours and the platform's, before and after, all there to be seen.
        for name in [
            "approvals_are_complete",
            "resource_is_as_approved",
            "confirmation_is_fresh",
            "resource_is_free",
            "target_is_standby",
        ] {
            let check = view.prechecks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(check.outcome(), CheckOutcome::Passed, "{check:?}");
        }
        assert!(view.postchecks.iter().any(|check| check.name == "accepts_writes"));
        assert_eq!((view.markers_before.len(), view.markers_after.len()), (2, 2));
        let role = |markers: &[muster_domain::pb::common::v1::Marker], node: &str| {
            markers.iter().find(|marker| marker.node == node).unwrap().role.clone()
        };
        assert_eq!(
            (role(&view.markers_before, from), role(&view.markers_after, from)),
            ("primary".into(), "standby".into())
        );
        assert!(view.steps.iter().all(|step| step.state() == StepState::Succeeded && step.attempts == 1));

        let end = view.succeeded.unwrap();
        let loss = end.loss.unwrap();
        assert_eq!(loss.certainty(), LossCertainty::ProvenNone, "{loss:?}");
        assert!(!loss.limits.is_empty());
        let (rto, outage) = (
            duration_from_pb(end.rto_measured.as_ref()).unwrap(),
            duration_from_pb(end.write_outage.as_ref()).unwrap(),
        );
        assert!(outage.is_positive() && outage < rto, "{outage} within {rto}");
        assert!(end.rto_met);
        a_drill_is_about_the_other_side(&olga, site, if site == "east" { "west" } else { "east" }).await;
    }

    let written = writer.count();
    eventually("the application writes to the first primary again", async || writer.count() > written + 100).await;
    let acknowledged = writer.stop().await;
    let kept = world.pair.rows("a").await;
    let lost: Vec<_> = acknowledged.iter().filter(|(number, _)| kept.binary_search(number).is_err()).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged rows are gone: {lost:?}", lost.len(), acknowledged.len());
}
