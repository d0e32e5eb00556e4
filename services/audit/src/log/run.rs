//! The logs of all tenants, present and future: each begins by itself, has one signer, and stops alone.

use std::time::Duration;

use muster_domain::TenantId;
use muster_eventlog::run_for_tenants;
use tokio_util::sync::CancellationToken;

use super::{
    compare, epoch,
    fault::Fault,
    keeper::LogKeeper,
    leaves::Leaves,
    parts::Parts,
    policy, record,
    signer::SignerState,
    witnessing::Witnessing,
    writer::{self, Writer},
};

const HANDLER: &str = "audit.log";
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How soon a log that has stopped looks whether somebody has mended it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A log that worked this long is well again: its next trouble begins with a short pause.
const STEADY_AFTER: Duration = Duration::from_secs(30);
/// How often the anchors are asked whether their time has come; more often only where one has a shorter time.
const ANCHORS_EVERY: Duration = Duration::from_secs(10);
/// Every leaf is compared with the stream so often, the first time soon after the start.
const COMPARE_FIRST: Duration = Duration::from_secs(600);
const COMPARE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Writes the logs of those tenants that are this process' part, until `shutdown`.
pub(crate) async fn run(parts: Parts, shutdown: CancellationToken) {
    let log = parts.context.log.clone();
    run_for_tenants(log, HANDLER.to_owned(), shutdown, move |tenant, stop| {
        let parts = parts.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keep(&parts, &tenant) => {}
            }
            parts.board.forget(&tenant);
        }
    })
    .await;
}

async fn keep(parts: &Parts, tenant: &TenantId) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        let fault = match Box::pin(once(parts, tenant)).await {
            Ok(never) => match never {},
            Err(fault) => fault,
        };
        if started.elapsed() >= STEADY_AFTER {
            pause = FIRST_PAUSE;
        }
        match &fault {
            Fault::NewEpoch => continue,
            fault if fault.stops() => stopped(parts, tenant, fault).await,
            fault => {
                tracing::warn!(%tenant, %fault, "the transparency log is interrupted; going on in a moment");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// One life of the writer with those beside it.
async fn once(parts: &Parts, tenant: &TenantId) -> Result<std::convert::Infallible, Fault> {
    let (writer, signed) = writer::open(parts, tenant).await?;
    let begun = writer.begun();
    let (files, opened) = (begun.files.clone(), begun.opened.clone());
    close_before(parts, tenant, &opened).await?;
    parts.board.update(tenant, Some(&files), |status| status.stopped.clear()).await;
    let witnessing = Witnessing::open(parts, tenant, &opened.origin, &files).await?;
    let keys = begun.log.keys.iter().filter_map(|key| key.verifier_key.parse().ok()).collect();
    let keeper = LogKeeper { parts: parts.clone(), tenant: tenant.clone(), files: files.clone(), keys };
    let fault = tokio::select! {
        fault = Writer::run(writer) => fault,
        fault = witnessing.run(signed) => fault,
        fault = compare_all(parts, tenant, &files, Leaves::new(&opened)) => fault,
        () = anchors(parts, &keeper) => Fault::NewEpoch,
    };
    Err(fault)
}

/// What a revoked key signed after the last good size does not count: the closed epoch's policy says so.
async fn close_before(
    parts: &Parts,
    tenant: &TenantId,
    opened: &muster_domain::pb::audit::v1::EpochOpened,
) -> Result<(), Fault> {
    let last_good = opened.previous.as_ref().filter(|_| opened.reason == epoch::REVOKED);
    let (Some(last_good), Some(before)) = (last_good, opened.epoch.checked_sub(1)) else { return Ok(()) };
    policy::close(&parts.files(tenant, before), last_good.size).await
}

async fn anchors(parts: &Parts, keeper: &LogKeeper) {
    let pause = parts.anchors.shortest_time().map_or(ANCHORS_EVERY, |time| time.min(ANCHORS_EVERY));
    loop {
        tokio::time::sleep(pause).await;
        parts.anchors.keep_due(keeper, parts.context.clock.now()).await;
    }
}

/// What was changed long ago is found without anybody asking.
async fn compare_all(parts: &Parts, tenant: &TenantId, files: &muster_logstore::LogFiles, leaves: Leaves) -> Fault {
    let mut pause = COMPARE_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = COMPARE_EVERY;
        let compared = async {
            let Some(state) = SignerState::read(files).await? else { return Ok(None) };
            let log = &parts.context.log;
            let findings = compare::with_stream(log, tenant, files, &leaves, 0..state.size).await?;
            Ok::<_, Fault>(findings.first().map(|finding| (state, finding.to_string())))
        };
        match compared.await {
            Ok(None) => {}
            Ok(Some((state, finding))) => return super::begin::split(&state, None, "stream", finding),
            Err(fault) if fault.stops() => return fault,
            Err(fault) => tracing::warn!(%tenant, %fault, "the log could not be compared with the stream"),
        }
    }
}

/// Says so wherever people look, and waits until somebody has mended it.
async fn stopped(parts: &Parts, tenant: &TenantId, fault: &Fault) {
    tracing::error!(%tenant, %fault, "AUDIT ALARM: the transparency log has stopped");
    metrics::counter!("muster_audit_log_stops_total", "tenant" => tenant.as_str().to_owned()).increment(1);
    if let Fault::Split(split) = fault {
        while let Err(fault) = record::split(&parts.context, tenant, split).await {
            tracing::error!(%tenant, %fault, "a split cannot be recorded yet");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    let log = record::load(&parts.context, tenant).await.unwrap_or_default();
    let files = log.epoch().map(|epoch| parts.files(tenant, epoch.epoch));
    let text = fault.to_string();
    parts.board.update(tenant, files.as_ref(), |status| status.stopped = text).await;
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        match (fault, record::load(&parts.context, tenant).await) {
            // Only a revoked key ends this.
            (Fault::Split(_), Ok(now)) if matches!(now.stopped, Some(muster_domain::audit::Stopped::Split(_))) => {}
            (_, Ok(_)) => return,
            (_, Err(_)) => {}
        }
    }
}
