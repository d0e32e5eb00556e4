//! Every call passes here: who is it, may they, and if not, the record says so.

mod bucket;
mod call;
mod denials;
mod scoped;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderMap;
use muster_domain::{
    AggregateId, InvalidId, Refusal, TenantId, access,
    pb::common::v1::Actor,
    refusal::{field_refusal, refusal},
};
use tonic::{Status, metadata::MetadataValue};

pub use call::Call;
pub(crate) use denials::LogSink;
pub use denials::{DenialSink, Denials, SinkError};
pub use scoped::TenantScoped;

use crate::{
    Clock,
    auth::{AuthError, Authenticator, Caller},
    status::{self, ACCESS_DENIED, RefusalClass},
};

/// Authenticates and authorizes. A cheap handle.
#[derive(Clone)]
pub struct Access {
    auth: Authenticator,
    clock: Clock,
    denials: Arc<Denials>,
}

impl Access {
    pub fn new(auth: Authenticator, clock: Clock, sink: impl DenialSink) -> Self {
        let denials = Arc::new(Denials::new(Arc::new(sink), clock.clone()));
        Self { auth, clock, denials }
    }

    /// Who calls, by the header `authorization: Bearer …`.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        let verified = match bearer(headers) {
            Some(token) => self.auth.verify(token).await,
            None => Err(AuthError::Missing),
        };
        verified.map_err(|error| self.not_authenticated(&error))
    }

    /// The same for one of our messages, and whether this caller may make this call in this tenant.
    pub async fn authorize<T: TenantScoped>(&self, request: tonic::Request<T>) -> Result<Call<T>, Status> {
        let (metadata, _, message) = request.into_parts();
        let headers = metadata.into_headers();
        let caller = self.authenticate(&headers).await?;
        let tenant: TenantId = message.tenant().parse().map_err(|e| status::refused(&tenant_refusal(e)))?;
        let actor = caller.actor_in(&tenant);
        let span = tracing::Span::current();
        span.record("tenant", tenant.as_str());
        span.record("actor", actor.id.as_str());

        let roles = caller.roles_in(&tenant);
        if roles.is_empty() {
            let refusal = not_a_member(&tenant);
            // Recorded behind the answer: the time it takes must not tell whether the tenant exists.
            self.denials.record_later(tenant, attempt(T::METHOD, &actor, &refusal));
            return Err(status::refused_as(RefusalClass::Role, &refusal));
        }
        if let Err(refusal) = access::check(T::METHOD, roles, caller.kind) {
            let mut attempt = attempt(T::METHOD, &actor, &refusal);
            // So that it is in the request's story. What is no id is nobody's request.
            attempt.request_id =
                message.request_id().parse::<AggregateId>().map(|id| id.to_string()).unwrap_or_default();
            self.denials.record(&tenant, attempt).await;
            return Err(status::refused_as(RefusalClass::Role, &refusal));
        }
        Ok(Call::new(&caller, tenant, T::METHOD, message, &headers, self.clock.clone()))
    }

    /// Records that the rules refused what somebody asked for, and makes the answer.
    pub async fn deny<T>(&self, call: &Call<T>, refusal: &Refusal, resource: &str, request_id: &str) -> Status {
        self.record_denial(call, refusal, resource, request_id).await;
        status::refused(refusal)
    }

    /// Only records. Best effort and bounded per actor: the answer does not depend on it.
    pub async fn record_denial<T>(&self, call: &Call<T>, refusal: &Refusal, resource: &str, request_id: &str) {
        let mut attempt = attempt(call.method, &call.actor, refusal);
        attempt.resource = resource.to_owned();
        attempt.request_id = request_id.to_owned();
        self.denials.record(&call.tenant, attempt).await;
    }

    /// Waits until denials that are still being written are written.
    pub async fn flush(&self) {
        self.denials.flush().await;
    }

    fn not_authenticated(&self, error: &AuthError) -> Status {
        let mut refusal = error.to_refusal();
        if let AuthError::KeysUnavailable { .. } | AuthError::Client(_) = error {
            return status::unavailable("the identity provider", &refusal.next_action);
        }
        metrics::counter!("muster_authentication_failures_total", "code" => refusal.code.clone()).increment(1);
        tracing::info!(code = refusal.code, "a call was not authenticated");
        if *error == AuthError::Missing {
            refusal.limit = format!("{}; issuers: {}", refusal.limit, self.auth.issuer_names());
        }
        let mut status = status::unauthenticated(&refusal);
        // RFC 6750, 3: what kind of credentials would help.
        status.metadata_mut().insert("www-authenticate", MetadataValue::from_static("Bearer"));
        status
    }
}

/// RFC 6750, 2.1. The scheme's case does not matter.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        // Two identities: nobody should guess which one counts.
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn attempt(method: &str, actor: &Actor, refusal: &Refusal) -> muster_domain::pb::identity::v1::AttemptDenied {
    muster_domain::pb::identity::v1::AttemptDenied {
        method: method.to_owned(),
        actor: Some(actor.clone()),
        refusal: Some(refusal.clone()),
        resource: String::new(),
        request_id: String::new(),
    }
}

/// One answer for "does not exist" and "not yours", so that nobody can find out who the customers are.
fn not_a_member(tenant: &TenantId) -> Refusal {
    refusal(
        ACCESS_DENIED,
        "you hold no role in this tenant, or it does not exist",
        tenant.as_str(),
        "tenants in which your groups map to a role",
        "check the tenant's name, or ask an admin of the tenant for a role",
    )
}

fn tenant_refusal(e: InvalidId) -> Refusal {
    field_refusal(
        "tenant",
        "TENANT_INVALID",
        "every call names its tenant",
        e.value,
        e.rule,
        "name the tenant; `muster whoami` lists yours",
    )
}
