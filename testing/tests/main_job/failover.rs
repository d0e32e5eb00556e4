//! The primary is killed: what can be said about the loss, before and after the move.

use std::time::Instant;

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use muster_domain::{
    pb::{
        common::v1::LossCertainty,
        execution::v1::AcknowledgeCoolDownRequest,
        request::v1::{RequestState, RequestType},
    },
    time::{duration_from_pb, from_pb, humane},
};
use muster_testing::{
    Product,
    poll::{self, Look},
};
use tonic::Code;

use crate::support::{
    HEALTHY, account, approved, direction, ended, green_on, heal, healthy, reason_codes, refused, rows, writable_nodes,
};

const RESOURCE: &str = "billing-db";

pub(crate) async fn kill_and_fail_over(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (_, target) = direction(product, RESOURCE).await?;
    let (olga, vera) = (product.person("olga").await?, product.person("vera").await?);
    product.demo(&["kill-primary", RESOURCE])?;
    let dead = Instant::now();

    // TC-023: no heartbeat any more: a loss window that grows, never "no data loss".
    poll::until("a loss window", HEALTHY, || async {
        let view = vera.readiness(RESOURCE).await?;
        let loss = view.assessment.clone().unwrap_or_default().loss.unwrap_or_default();
        let bounded =
            loss.certainty() != LossCertainty::ProvenNone && !loss.text.to_lowercase().contains("no data loss");
        let unreachable = reason_codes(&view).iter().any(|code| code == "PRIMARY_UNREACHABLE");
        Ok(if bounded && unreachable { Look::Found(()) } else { Look::NotYet((loss, reason_codes(&view))) })
    })
    .await?;

    // Tier 2: one approval by IT is enough.
    let request = approved(product, RequestType::Failover, RESOURCE, &target).await?;
    ensure!(request.approvals.len() == 1, "{:?}", request.approvals);
    let phrase = request.opened.clone().unwrap_or_default().confirmation_phrase;
    let dead_for = dead.elapsed();
    olga.start(&request.request_id, &phrase).await?;
    let done = ended(product, &request.request_id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
    ensure!(writable_nodes(&product.data(), RESOURCE).await?.len() == 1, "one primary");

    let end = done.execution.unwrap_or_default().succeeded.unwrap_or_default();
    let outage = duration_from_pb(end.write_outage.as_ref()).expect("an outage");
    ensure!(outage >= SignedDuration::try_from(dead_for)?, "dead for {dead_for:?}, no writes for {outage:?}");
    says_at_most(product, &request.request_id, outage)?;
    let loss = end.loss.unwrap_or_default();
    ensure!(loss.certainty() == LossCertainty::Bounded, "{loss:?}");
    let (caught_up, window) = (from_pb(loss.caught_up_to.as_ref()), duration_from_pb(loss.window.as_ref()));
    let (caught_up, window) = (caught_up.expect("caught up to"), window.expect("a window"));

    // What was really lost lies inside the window: no lost row is older than the time it was caught up to,
    // and the window is not shorter than the stretch of lost rows.
    let counted = rows(product, RESOURCE)?;
    if let (Some(first), Some(last)) = (counted.first_lost_at_ms, counted.last_lost_at_ms) {
        ensure!(
            first >= caught_up.as_millisecond(),
            "a row acknowledged at {first} is lost, but it says caught up to {caught_up}"
        );
        ensure!(
            window.as_millis() >= i128::from(last - first),
            "{} rows of {} ms are lost, the window is {window:?}",
            counted.lost,
            last - first
        );
    }
    // The old primary comes back as a standby, and the pair is protected again.
    heal(product, RESOURCE).await?;
    cools_down(product, &target).await
}

/// When the last write was, nobody knows: the outage is told as a limit.
fn says_at_most(product: &Product, id: &str, outage: SignedDuration) -> Result<()> {
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let shown = product.cli("vera", &["request", "show", id])?.must_succeed()?.out;
    let report = product.cli("vera", &["audit", "report", id])?.must_succeed()?.out;
    ensure!(shown.contains(&format!("at most {}", humane(outage))), "{shown}");
    ensure!(report.contains("<dt>Write outage</dt><dd>at most "), "{report}");
    Ok(())
}

/// After a failover nothing moves the system again until a person has looked.
async fn cools_down(product: &Product, here: &str) -> Result<()> {
    let olga = product.person("olga").await?;
    let view = olga.readiness(RESOURCE).await?;
    let home = if view.primary_site == here { view.dr_site } else { view.primary_site };
    let request = approved(product, RequestType::Switchover, RESOURCE, &home).await?;
    let phrase = request.opened.clone().unwrap_or_default().confirmation_phrase;
    refused(olga.start(&request.request_id, &phrase).await, Code::FailedPrecondition, "COOL_DOWN")?;
    let vera = product.person("vera").await?;
    let looked = |note: &str| AcknowledgeCoolDownRequest {
        tenant: "acme".into(),
        resource: RESOURCE.into(),
        note: note.into(),
        ..Default::default()
    };
    let viewer = vera.executor().acknowledge_cool_down(vera.request(looked("fine"))).await;
    ensure!(viewer.is_err_and(|status| status.code() == Code::PermissionDenied), "a viewer acknowledges nothing");
    olga.executor().acknowledge_cool_down(olga.request(looked("both sides are healthy"))).await?;
    olga.start(&request.request_id, &phrase).await?;
    let done = ended(product, &request.request_id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
    green_on(&vera, RESOURCE, &home).await
}
