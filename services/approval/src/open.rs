//! Opening a request, by what the log says about the resource and the tenant's policies at this moment.

use futures::{StreamExt, TryStreamExt, stream};
use muster_domain::{
    AggregateId, Refusal, TenantId,
    ids::derived_id,
    pb::{
        inventory::v1::{Document, Kind, document},
        request::v1::{OpenRequestRequest, RequestType},
    },
    refusal::field_refusal,
    request::{self, OpenRequest, Request},
};
use muster_eventlog::{DecideError, LogError};
use muster_runtime::{Call, IntoStatus};
use tonic::Status;

use crate::{
    Approval,
    decide::{Changed, about},
};

/// Loads under way at once; each takes half a millisecond.
const POLICY_LOADS: usize = 8;

impl Approval {
    pub(crate) async fn open(&self, call: Call<OpenRequestRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        let meta = call.meta(&ask.idempotency_key)?;
        let id = match ask.idempotency_key.as_str() {
            "" => self.ctx.clock.new_id(),
            key => derived_id(&["request", call.tenant.as_str(), &call.actor.id, key]),
        };
        let id = AggregateId::from(id);
        let kind = RequestType::try_from(ask.r#type).unwrap_or(RequestType::Unspecified);
        let (resource, sequence) = self.resource(&call.tenant, &ask.resource).await?;
        let policies = self.current_policies(&call.tenant, sequence).await.map_err(IntoStatus::into_status)?;
        let policies: Vec<&Document> = policies.iter().collect();
        let (tier, environment) = match &resource.spec {
            Some(document::Spec::ResourceSpec(spec)) => (spec.tier(), spec.environment()),
            _ => Default::default(),
        };
        let policy = request::effective_policy(&policies, tier, environment, kind);
        let command = OpenRequest {
            request_id: id.to_string(),
            kind,
            target_site: ask.target_site,
            reason: ask.reason,
            ticket: ask.ticket,
        };
        let decided = self
            .ctx
            .log
            .decide::<Request, Refusal>(&call.tenant, &id, &about(&id, meta), |request| {
                request::open(request, &command, &resource, &policy, &call.actor, call.now)
            })
            .await;
        match decided {
            Ok(decided) => {
                request::same_question(&decided.state, &command, &resource.name).map_err(IntoStatus::into_status)?;
                Ok((self.get(&call.tenant, id.as_str()).await?, decided.sequence))
            }
            Err(DecideError::Refused(refusal)) => Err(self.refuse(&call, refusal, &resource.name, &id).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The document and the position of its newest version.
    async fn resource(&self, tenant: &TenantId, name: &str) -> Result<(Document, u64), Status> {
        let (found, sequence) = self.document(tenant, Kind::Resource, name).await.map_err(IntoStatus::into_status)?;
        let document = found.ok_or_else(|| {
            muster_runtime::refused(&field_refusal(
                "resource",
                "RESOURCE_NOT_FOUND",
                "a request is about a declared resource",
                name.chars().take(80).collect::<String>(),
                "a resource of this tenant",
                "check `muster get resources`",
            ))
        })?;
        Ok((document, sequence))
    }

    /// Every policy of the tenant as the log has it now. The fold, which has taken in at least `sequence`, only says
    /// which names there are; what they say is read again, so that a policy that was just made stricter counts for the next request.
    async fn current_policies(&self, tenant: &TenantId, sequence: u64) -> Result<Vec<Document>, LogError> {
        let names = self.policies.names(tenant, sequence).await;
        let loads = names.into_iter().map(|name| async move { self.document(tenant, Kind::Policy, &name).await });
        let found: Vec<(Option<Document>, u64)> = stream::iter(loads).buffered(POLICY_LOADS).try_collect().await?;
        Ok(found.into_iter().filter_map(|(document, _)| document).collect())
    }
}
