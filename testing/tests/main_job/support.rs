//! What several cases do.

use std::{path::Path, time::Duration};

use anyhow::{Result, bail, ensure};
use muster_domain::pb::{
    execution::v1::StepState,
    readiness::v1::{ReadinessView, Status},
    request::v1::{RequestState, RequestType, RequestView},
};
use muster_testing::{
    Person, Product,
    poll::{self, Look, look_for},
};
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::Code;
use tonic_types::StatusExt as _;

/// What takes seconds, on a machine that does many other things.
pub(crate) const HEALTHY: Duration = Duration::from_secs(120);
/// A whole run with its prechecks and postchecks, on two slow cores.
pub(crate) const RUN: Duration = Duration::from_secs(180);

pub(crate) fn status_of(view: &ReadinessView) -> Status {
    view.assessment.as_ref().map(|assessment| assessment.status()).unwrap_or_default()
}

pub(crate) fn reason_codes(view: &ReadinessView) -> Vec<String> {
    view.assessment.iter().flat_map(|assessment| &assessment.reasons).map(|reason| reason.code.clone()).collect()
}

/// Waits for a status.
pub(crate) async fn becomes(person: &Person, resource: &str, wanted: Status, limit: Duration) -> Result<ReadinessView> {
    let what = format!("{resource} to become {wanted:?}");
    poll::until(&what, limit, || async {
        let view = person.readiness(resource).await?;
        let seen = (status_of(&view), reason_codes(&view));
        Ok(if seen.0 == wanted { Look::Found(view) } else { Look::NotYet(seen) })
    })
    .await
}

/// Waits until it is green on that site: right after a move the newest look may still be from before it.
pub(crate) async fn green_on(person: &Person, resource: &str, site: &str) -> Result<()> {
    poll::until(&format!("{resource} to be green on {site}"), HEALTHY, || async {
        let view = person.readiness(resource).await?;
        let seen = (status_of(&view), view.active_site.clone(), reason_codes(&view));
        Ok(if seen.0 == Status::Green && seen.1 == site { Look::Found(()) } else { Look::NotYet(seen) })
    })
    .await
}

/// Repairs and waits until it is green again: each case ends so.
pub(crate) async fn heal(product: &Product, resource: &str) -> Result<()> {
    product.demo(&["heal", resource])?;
    healthy(product, resource).await
}

/// A request with every approval its tier needs.
pub(crate) async fn approved(
    product: &Product,
    kind: RequestType,
    resource: &str,
    target: &str,
) -> Result<RequestView> {
    let request = product.person("olga").await?.open(kind, resource, target).await?;
    let mut view = product.person("ingo").await?.approve(&request.request_id).await?;
    if view.state() == RequestState::PendingApproval {
        view = product.person("bea").await?.approve(&request.request_id).await?;
    }
    ensure!(view.state() == RequestState::Approved, "not approved: {:?}", view.missing);
    Ok(view)
}

pub(crate) async fn started(product: &Product, kind: RequestType, resource: &str, target: &str) -> Result<RequestView> {
    let request = approved(product, kind, resource, target).await?;
    let phrase = request.opened.clone().unwrap_or_default().confirmation_phrase;
    Ok(product.person("olga").await?.start(&request.request_id, &phrase).await?)
}

/// Waits until the run has ended, in whatever way.
pub(crate) async fn ended(product: &Product, request_id: &str) -> Result<RequestView> {
    poll::until("the run to end", RUN, || async {
        let view = product.person("vera").await?.show(request_id).await?;
        let over = matches!(view.state(), RequestState::Succeeded | RequestState::Failed | RequestState::Stopped);
        Ok(if over { Look::Found(view) } else { Look::NotYet(account(&view)) })
    })
    .await
}

/// Waits until a step has been claimed.
pub(crate) async fn reaches(person: &Person, request_id: &str, step: &str) -> Result<()> {
    poll::until(&format!("step {step}"), RUN, || async {
        let view = person.show(request_id).await?;
        let run = view.execution.clone().unwrap_or_default();
        let found =
            run.steps.iter().any(|s| s.step.as_ref().is_some_and(|s| s.id == step) && s.state() != StepState::Pending);
        let over = matches!(view.state(), RequestState::Succeeded | RequestState::Failed | RequestState::Stopped);
        Ok(match (found, over) {
            (true, _) => Look::Found(Ok(())),
            (false, true) => Look::Found(Err(anyhow::anyhow!("the run ended without {step}: {}", account(&view)))),
            (false, false) => Look::NotYet(account(&view)),
        })
    })
    .await?
}

/// One line on where a run is, for errors.
pub(crate) fn account(view: &RequestView) -> String {
    let run = view.execution.clone().unwrap_or_default();
    let steps: Vec<String> = run
        .steps
        .iter()
        .map(|s| format!("{}={:?} {}", s.step.clone().unwrap_or_default().id, s.state(), s.note))
        .collect();
    let checks: Vec<String> = run
        .prechecks
        .iter()
        .chain(&run.postchecks)
        .filter(|c| c.outcome() != muster_domain::pb::execution::v1::CheckOutcome::Passed)
        .map(|c| format!("{} {:?}: {}", c.name, c.outcome(), c.text))
        .collect();
    format!(
        "{:?} steps [{}] checks not passed [{}] failed {:?} stopped {:?}",
        view.state(),
        steps.join(", "),
        checks.join("; "),
        run.failed,
        run.stopped
    )
}

/// Where the resource runs and where it can go.
pub(crate) async fn direction(product: &Product, resource: &str) -> Result<(String, String)> {
    let view = poll::until("the active site to be known", HEALTHY, || async {
        Ok(look_for(product.person("vera").await?.readiness(resource).await?, |view| !view.active_site.is_empty()))
    })
    .await?;
    let target = if view.active_site == view.primary_site { view.dr_site.clone() } else { view.primary_site.clone() };
    Ok((view.active_site, target))
}

#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) acknowledged: i64,
    pub(crate) lost: i64,
    pub(crate) first_lost_at_ms: Option<i64>,
    pub(crate) last_lost_at_ms: Option<i64>,
}

pub(crate) fn rows(product: &Product, resource: &str) -> Result<Rows> {
    let json = product.demo(&["rows", resource, "-o", "json"])?.json()?;
    Ok(Rows {
        acknowledged: json["acknowledged"].as_i64().unwrap_or_default(),
        lost: json["lost"].as_i64().unwrap_or(-1),
        first_lost_at_ms: json["first_lost_at_ms"].as_i64(),
        last_lost_at_ms: json["last_lost_at_ms"].as_i64(),
    })
}

/// The stable code behind a refusal.
pub(crate) fn refusal_code(status: &tonic::Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// A refusal with this gRPC code and this stable code, and with a next action.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, tonic::Status>, code: Code, reason: &str) -> Result<()> {
    let Err(status) = result else { bail!("it was not refused: {result:?}") };
    ensure!(
        status.code() == code && refusal_code(&status) == reason,
        "expected {code:?} {reason}, got {:?} {} {}",
        status.code(),
        refusal_code(&status),
        status.message()
    );
    let info = status.get_details_error_info();
    let next = info.as_ref().and_then(|info| info.metadata.get("next_action"));
    ensure!(next.is_some_and(|next| !next.is_empty()), "no next action: {info:?}");
    Ok(())
}

/// Green, and by a look that is newer than the last move: a request opened on an older one is about roles that have changed.
pub(crate) async fn healthy(product: &Product, resource: &str) -> Result<()> {
    poll::until(&format!("{resource} to be green as it is"), HEALTHY, || async {
        let view = product.person("vera").await?.readiness(resource).await?;
        let shown = view.assessment.clone().unwrap_or_default().primary.unwrap_or_default().node;
        let writable = writable_nodes(&product.data(), resource).await?;
        let seen = (status_of(&view), shown, writable, reason_codes(&view));
        // Only PostgreSQL is asked for what it is.
        let as_it_is = seen.2.is_empty() || seen.2 == [seen.1.as_str()];
        Ok(if seen.0 == Status::Green && as_it_is { Look::Found(()) } else { Look::NotYet(seen) })
    })
    .await
}

/// Nodes of a resource that take writes, asked of the servers themselves.
pub(crate) async fn writable_nodes(data: &Path, resource: &str) -> Result<Vec<String>> {
    let estate: serde_json::Value = serde_json::from_slice(&std::fs::read(data.join("estate/estate.json"))?)?;
    let mut writable = Vec::new();
    for pair in estate["pairs"].as_array().into_iter().flatten().filter(|pair| pair["resource"] == resource) {
        for node in pair["nodes"].as_array().into_iter().flatten() {
            let url = format!("postgres://postgres@127.0.0.1:{}/postgres", node["port"]);
            if accepts_writes(&url).await {
                writable.push(node["name"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    Ok(writable)
}

async fn accepts_writes(url: &str) -> bool {
    use sqlx::Connection as _;
    let look = async {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        sqlx::query("SELECT pg_current_xact_id()").execute(&mut connection).await
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), look).await, Ok(Ok(_)))
}

/// Bytes as they are, to call any method without its types.
#[derive(Default)]
pub(crate) struct RawCodec;

impl tonic::codec::Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, to: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), tonic::Status> {
        to.put(item);
        Ok(())
    }
}

impl tonic::codec::Decoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
