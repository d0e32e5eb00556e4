//! Destructions that were decided and not finished; and keys that somebody put back.

use std::time::Duration;

use muster_domain::{
    TenantId,
    audit::PayloadKey,
    pb::common::v1::{Actor, ActorKind},
};
use muster_eventlog::{LogError, Meta};
use muster_runtime::Context;

use super::finish;

/// Nobody waits for it: it is for processes that died at the wrong moment, and for restored backups.
const EVERY: Duration = Duration::from_secs(600);

/// Looks at every tenant, now and then, until the process stops.
pub(crate) async fn settle(context: Context) {
    loop {
        match context.log.tenants().await {
            Ok(tenants) => {
                for tenant in tenants {
                    if let Err(why) = settle_one(&context, &tenant).await {
                        tracing::warn!(%tenant, why, "the destruction of a payload key cannot be looked at now");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot list the tenants yet"),
        }
        tokio::select! {
            () = context.shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn settle_one(context: &Context, tenant: &TenantId) -> Result<(), String> {
    let text = |error: LogError| error.to_string();
    let Some(key) = context.log.payload_key(tenant).await.map_err(text)? else { return Ok(()) };
    let state = context.log.load::<PayloadKey>(tenant, &key.0.into()).await.map_err(text)?.state;
    if state.is_destroyed() {
        // The keyring makes sure that a copy which came back with a backup goes again.
        return context.log.shred(tenant, key).await.map(drop).map_err(text);
    }
    if !state.is_ending() {
        return Ok(());
    }
    let event_id = context.clock.new_id();
    let actor = Actor {
        id: "service:audit".to_owned(),
        name: "audit".to_owned(),
        kind: ActorKind::Service.into(),
        roles: Vec::new(),
    };
    let meta = Meta { event_id, actor, time: context.clock.now(), correlation: event_id, causation: None };
    finish(context, tenant, key, meta).await.map(drop).map_err(|status| status.message().to_owned())
}
