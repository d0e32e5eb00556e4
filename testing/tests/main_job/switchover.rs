//! A planned move with all its gates, and what happens when it goes wrong or is stopped.

use anyhow::{Result, ensure};
use muster_domain::{
    pb::{
        audit::v1::AuditFilter,
        common::v1::LossCertainty,
        execution::v1::{CheckOutcome, StepState},
        request::v1::{RequestState, RequestType},
    },
    time::duration_from_pb,
};
use muster_testing::Product;
use tonic::Code;

use crate::{
    alerts::{Hung, messages_arrive, replay_process},
    support::{HEALTHY, account, direction, ended, green_on, healthy, refused, rows, started, writable_nodes},
};

const RESOURCE: &str = "orders-db";

pub(crate) async fn whole_way(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (from, target) = direction(product, RESOURCE).await?;
    let (olga, otto, ingo, bea) = (
        product.person("olga").await?,
        product.person("otto").await?,
        product.person("ingo").await?,
        product.person("bea").await?,
    );

    // TC-003, TC-005: pending, and not to be started.
    let request = otto.open(RequestType::Switchover, RESOURCE, &target).await?;
    let id = request.request_id.clone();
    ensure!(request.state() == RequestState::PendingApproval && request.missing.len() == 2, "{request:?}");
    let phrase = request.opened.clone().unwrap_or_default().confirmation_phrase;
    ensure!(phrase == format!("switchover {RESOURCE} from {from} to {target}"), "{phrase}");
    refused(olga.start(&id, &phrase).await, Code::FailedPrecondition, "NOT_APPROVED")?;

    // TC-004: one of two; the missing one is shown.
    refused(otto.approve(&id).await, Code::FailedPrecondition, "APPROVER_IS_REQUESTER")?;
    refused(olga.approve(&id).await, Code::PermissionDenied, "ROLE_MISSING")?;
    let partly = ingo.approve(&id).await?;
    ensure!(
        partly.state() == RequestState::PendingApproval && partly.missing == ["one approval by Approver-Business"],
        "{partly:?}"
    );
    refused(ingo.approve(&id).await, Code::FailedPrecondition, "ALREADY_APPROVED")?;
    refused(olga.start(&id, &phrase).await, Code::FailedPrecondition, "NOT_APPROVED")?;
    ensure!(bea.approve(&id).await?.state() == RequestState::Approved, "approved");

    // TC-040: the phrase.
    refused(olga.start(&id, "").await, Code::InvalidArgument, "PHRASE_WRONG")?;
    refused(olga.start(&id, "switchover billing-db from fra to ams").await, Code::InvalidArgument, "PHRASE_WRONG")?;
    ensure!(olga.show(&id).await?.execution.is_none(), "nothing has begun");
    let before = rows(product, RESOURCE)?;
    olga.start(&id, &phrase).await?;
    let done = ended(product, &id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));

    // TC-041, TC-042, TC-043: checks, steps, markers, statement, times.
    let run = done.execution.clone().unwrap_or_default();
    ensure!(
        !run.prechecks.is_empty()
            && run
                .prechecks
                .iter()
                .all(|check| check.advisory || matches!(check.outcome(), CheckOutcome::Passed | CheckOutcome::Warning)),
        "{:?}",
        run.prechecks
    );
    ensure!(run.steps.iter().all(|step| step.state() == StepState::Succeeded), "{:?}", run.steps);
    ensure!(
        !run.postchecks.is_empty() && run.markers_before.len() == 2 && run.markers_after.len() == 2,
        "checks and markers"
    );
    let timeline = |markers: &[muster_domain::pb::common::v1::Marker]| {
        markers.iter().map(|marker| marker.timeline).max().unwrap_or_default()
    };
    ensure!(
        timeline(&run.markers_after) == timeline(&run.markers_before) + 1,
        "{:?} {:?}",
        run.markers_before,
        run.markers_after
    );
    let end = run.succeeded.unwrap_or_default();
    let (rto, outage) = (duration_from_pb(end.rto_measured.as_ref()), duration_from_pb(end.write_outage.as_ref()));
    ensure!(rto.is_some_and(|rto| rto > jiff::SignedDuration::ZERO) && outage <= rto, "{end:?}");
    let loss = end.loss.unwrap_or_default();
    ensure!(loss.certainty() == LossCertainty::ProvenNone && !loss.limits.is_empty(), "{loss:?}");

    // The standby is the primary, the old primary follows, green, and no acknowledged row is lost.
    green_on(&olga, RESOURCE, &target).await?;
    ensure!(writable_nodes(&product.data(), RESOURCE).await?.len() == 1, "one primary");
    let after = rows(product, RESOURCE)?;
    ensure!(after.lost == 0 && after.acknowledged >= before.acknowledged, "{before:?} {after:?}");

    // TC-032: everybody was told about each stage.
    for kind in ["request.created", "request.approved", "request.started", "request.succeeded"] {
        messages_arrive(product, kind, RESOURCE).await?;
    }
    // A second start of the same request is refused: a retry is a new request.
    refused(olga.start(&id, &phrase).await, Code::FailedPrecondition, "REQUEST_CLOSED")
}

/// The target applies nothing: when the old primary is stopped it cannot be shown to have everything, so it is not
/// promoted, and the old primary comes back.
pub(crate) async fn failure_in_the_middle(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (from, target) = direction(product, RESOURCE).await?;
    let vera = product.person("vera").await?;
    let view = vera.readiness(RESOURCE).await?;
    let seen = view.assessment.unwrap_or_default();
    let (primary, standby) = (seen.primary.unwrap_or_default().node, seen.standby.unwrap_or_default().node);
    let hung = Hung::one(replay_process(product, &standby)?)?;
    let request = started(product, RequestType::Switchover, RESOURCE, &target).await?;
    let failed = ended(product, &request.request_id).await?;
    drop(hung);
    ensure!(failed.state() == RequestState::Failed, "{}", account(&failed));
    let end = failed.execution.unwrap_or_default().failed.unwrap_or_default();
    ensure!(
        end.step == "wait-for-replay" && end.known_state.starts_with("Taken back:") && !end.error.is_empty(),
        "{end:?}"
    );
    ensure!(!end.guidance.is_empty(), "{end:?}");
    green_on(&vera, RESOURCE, &from).await?;
    ensure!(writable_nodes(&product.data(), RESOURCE).await? == [primary], "the old primary serves, and it alone");
    ensure!(rows(product, RESOURCE)?.lost == 0, "no row is lost");
    messages_arrive(product, "request.failed", RESOURCE).await?;
    let filter = AuditFilter {
        request_id: request.request_id.clone(),
        types: vec!["execution.failed".into()],
        ..Default::default()
    };
    ensure!(vera.events(filter).await?.len() == 1, "the failure is in the record");
    Ok(())
}

pub(crate) async fn stop_between_steps(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (from, target) = direction(product, RESOURCE).await?;
    let olga = product.person("olga").await?;
    let request = started(product, RequestType::Switchover, RESOURCE, &target).await?;
    // As early as possible: while the prechecks or the first step run.
    muster_testing::poll::until("the run to begin", HEALTHY, || async {
        let run = olga.show(&request.request_id).await?.execution;
        Ok(muster_testing::poll::look_for(run, Option::is_some))
    })
    .await?;
    olga.stop(&request.request_id, "wrong window").await?;
    let over = ended(product, &request.request_id).await?;
    let run = over.execution.clone().unwrap_or_default();
    let here = if over.state() == RequestState::Stopped {
        let end = run.stopped.unwrap_or_default();
        ensure!(!end.before_step.is_empty() && !end.known_state.is_empty() && !end.guidance.is_empty(), "{end:?}");
        ensure!(run.steps.iter().any(|step| step.state() == StepState::Pending), "later steps were not run");
        from
    } else {
        // The stop came after the last step: then the run is complete, and says so.
        ensure!(over.state() == RequestState::Succeeded, "{}", account(&over));
        target
    };
    green_on(&olga, RESOURCE, &here).await?;
    ensure!(
        writable_nodes(&product.data(), RESOURCE).await?.len() == 1 && rows(product, RESOURCE)?.lost == 0,
        "one primary, no row lost"
    );
    Ok(())
}
