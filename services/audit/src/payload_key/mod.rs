//! The end of a tenant's payloads: its key is destroyed.
//!
//! Two steps, each recorded before and after its effect: the decision, then what the keyring attests. A process that dies in
//! between leaves the decision behind, and [`settle`] finishes it.

mod settle;

use std::time::Duration;

use muster_domain::{
    AggregateId, Refusal, TenantId,
    audit::{DestroyPayloadKey, PayloadKey, begin_destruction, finish_destruction},
    ids::derived_id,
    pb::audit::v1 as pb,
    refusal::refusal,
};
use muster_eventlog::{Meta, Outcome, keyring::KeyId, wait_for};
use muster_runtime::{Call, Context, IntoStatus};
use sqlx::Row as _;
use tonic::Status;
use uuid::Uuid;

use crate::projection;

pub(crate) use settle::settle;

/// How long it waits for the list to show whether a run is under way.
const WAIT_FOR_LIST: Duration = Duration::from_secs(5);

pub(crate) async fn destroy_payload_key(
    context: &Context,
    call: Call<pb::DestroyPayloadKeyRequest>,
) -> Result<pb::DestroyPayloadKeyResponse, Status> {
    let (ask, call) = call.split();
    let found = context.log.payload_key(&call.tenant).await.map_err(IntoStatus::into_status)?;
    let key_id = found.map(|key| key.to_string()).unwrap_or_default();
    let command = DestroyPayloadKey {
        tenant: &call.tenant,
        key_id: &key_id,
        reason: &ask.reason,
        confirmation: &ask.confirmation,
    };
    if let Err(refusal) = begin_destruction(&PayloadKey::default(), &command) {
        return Err(context.deny(&call, &refusal, "", "").await);
    }
    let Some(key) = found else { return Err(context.deny(&call, &no_key(&call.tenant), "", "").await) };
    if let Some(request_id) = run_under_way(context, &call.tenant).await? {
        return Err(context.deny(&call, &in_use(&request_id), "", &request_id).await);
    }
    let begin = |state: &PayloadKey| begin_destruction(state, &command);
    let meta = call.meta("")?;
    context.log.decide(&call.tenant, &key.0.into(), &meta, begin).await.map_err(IntoStatus::into_status)?;
    let receipt = finish(context, &call.tenant, key, meta).await?;
    Ok(pb::DestroyPayloadKeyResponse { key_id, receipt })
}

/// Destroys the key of a destruction that was decided, and records what the keyring attests. Again: the same receipt.
async fn finish(context: &Context, tenant: &TenantId, key: KeyId, decided: Meta) -> Result<String, Status> {
    let destroyed = context.log.shred(tenant, key).await.map_err(IntoStatus::into_status)?;
    let (id, name) = (AggregateId::from(key.0), key.to_string());
    let finish = |state: &PayloadKey| Ok::<_, Refusal>(finish_destruction(state, &name, &destroyed.receipt));
    let meta = Meta { event_id: destroyed_id(tenant, &name), time: context.clock.now(), ..decided };
    let done = context.log.decide(tenant, &id, &meta, finish).await.map_err(IntoStatus::into_status)?;
    if done.outcome == Outcome::Appended {
        metrics::counter!("muster_payload_keys_destroyed_total").increment(1);
        tracing::warn!(%tenant, key = name, receipt = destroyed.receipt, "a tenant's content was made unreadable");
    }
    Ok(done.state.receipt.unwrap_or(destroyed.receipt))
}

fn destroyed_id(tenant: &TenantId, key_id: &str) -> Uuid {
    derived_id(&["payload-key.destroyed", tenant.as_str(), key_id])
}

/// Nobody could write down what happens to a target in the middle of a run.
async fn run_under_way(context: &Context, tenant: &TenantId) -> Result<Option<String>, Status> {
    let through = context.log.last_sequence(tenant).await.map_err(IntoStatus::into_status)?;
    let wait = wait_for(&context.db, projection::NAME, tenant, through, WAIT_FOR_LIST);
    wait.await.map_err(IntoStatus::into_status)?;
    let mut tx = context.db.tenant_tx(tenant).await.map_err(IntoStatus::into_status)?;
    let row = sqlx::query(
        "SELECT begun.request_id FROM audit.record begun
          WHERE begun.tenant = $1 AND begun.type = 'execution.started' AND NOT EXISTS (
                SELECT FROM audit.record ended WHERE ended.tenant = $1 AND ended.request_id = begun.request_id
                   AND ended.type IN ('execution.succeeded', 'execution.failed', 'execution.stopped'))
          LIMIT 1",
    )
    .bind(tenant.as_str())
    .fetch_optional(&mut *tx)
    .await
    .map_err(IntoStatus::into_status)?;
    row.map(|row| row.try_get(0)).transpose().map_err(IntoStatus::into_status)
}

fn no_key(tenant: &TenantId) -> Refusal {
    refusal(
        "PAYLOAD_KEY_NONE",
        "the tenant's payloads are stored in clear: there is no key whose end would make them unreadable",
        tenant.as_str(),
        "tenants whose payloads are encrypted",
        "docs/payload-encryption.md says how encryption is switched on, and what that does not change",
    )
}

fn in_use(request_id: &str) -> Refusal {
    refusal(
        "PAYLOAD_KEY_IN_USE",
        "a run of the tenant is under way, and nothing could be recorded of it any more",
        request_id,
        "tenants without a run under way",
        "wait for its end, or stop it with `muster request stop`",
    )
}
