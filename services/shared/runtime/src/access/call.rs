//! A call that may be made.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use muster_domain::{TenantId, pb::common::v1::Actor, request::Login};
use muster_eventlog::Meta;
use tonic::Status;
use uuid::Uuid;

use crate::{Clock, auth::Caller, idempotency, status};

/// A caller may name the correlation; else one is made.
const CORRELATION_HEADER: &str = "x-correlation-id";

/// An authenticated, authorized call of one method in one tenant.
#[derive(Debug, Clone)]
pub struct Call<T> {
    pub tenant: TenantId,
    /// With the roles held in this tenant at this moment.
    pub actor: Actor,
    /// "muster.request.v1.ApprovalService/ApproveRequest"
    pub method: &'static str,
    pub message: T,
    /// When the call was let in. One call has one time.
    pub now: Timestamp,
    pub correlation: Uuid,
    /// When the caller's token ends. A streaming answer ends then, too: see [`Call::expiry`].
    pub expires_at: Timestamp,
    /// How the caller logged in.
    pub login: Login,
    clock: Clock,
}

impl<T> Call<T> {
    pub(super) fn new(
        caller: &Caller,
        tenant: TenantId,
        method: &'static str,
        message: T,
        headers: &HeaderMap,
        clock: Clock,
    ) -> Self {
        let named = headers.get(CORRELATION_HEADER).and_then(|v| v.to_str().ok()?.parse().ok());
        let correlation = named.unwrap_or_else(|| clock.new_id());
        let (actor, expires_at, login) = (caller.actor_in(&tenant), caller.expires_at, caller.login);
        Self { tenant, actor, method, message, now: clock.now(), correlation, expires_at, login, clock }
    }

    /// Resolves when the caller's token ends, for `take_until` on a streaming answer.
    pub fn expiry(&self) -> impl Future<Output = ()> + Send + 'static {
        let left = self.expires_at.duration_since(self.clock.now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default())
    }

    /// What goes with the event this call appends. Its id follows from the key, so that the same command sent twice is
    /// one event; an empty key means that each sending is a new command.
    pub fn meta(&self, idempotency_key: &str) -> Result<Meta, Status> {
        let event_id =
            idempotency::event_id_for(&self.clock, &self.tenant, &self.actor.id, self.method, idempotency_key)
                .map_err(|refusal| status::refused(&refusal))?;
        Ok(Meta { event_id, actor: self.actor.clone(), time: self.now, correlation: self.correlation, causation: None })
    }

    /// Takes the message out; what is left still makes metas and denials.
    pub fn split(self) -> (T, Call<()>) {
        let Self { tenant, actor, method, message, now, correlation, expires_at, login, clock } = self;
        (message, Call { tenant, actor, method, message: (), now, correlation, expires_at, login, clock })
    }

    /// The same call about another message: for what one command does by another one.
    pub fn with<U>(self, message: U) -> Call<U> {
        let Self { tenant, actor, method, now, correlation, expires_at, login, clock, .. } = self;
        Call { tenant, actor, method, message, now, correlation, expires_at, login, clock }
    }
}
