//! What a decision on a request depends on beside the request itself, read from the log right before it.

use jiff::Timestamp;
use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::{Reservation, reserve},
    pb::{inventory::v1::Document, request::v1::RequestOpened},
    request::{self, BreakGlassTerms, Request, StartTerms},
};
use muster_eventlog::{Approved, LogError};
use muster_runtime::IntoStatus;
use tonic::Status;

use crate::{Approval, rules::reservation_ids};

#[derive(Default)]
pub(crate) struct Surroundings {
    approved: Approved,
    reservations: Vec<(String, Reservation)>,
    pub(crate) terms: StartTerms,
}

impl Surroundings {
    /// Plan, group and resources are what the request was opened on.
    pub(crate) fn unchanged(&self, request: &Request) -> Result<(), Refusal> {
        let Some(opened) = &request.view.opened else { return Ok(()) };
        request::as_approved(opened, &self.approved.inventory, self.approved.plan.as_ref())
    }

    /// No other run holds anything of it.
    pub(crate) fn free(&self, request: &Request, now: Timestamp) -> Result<(), Refusal> {
        let request_id = &request.view.request_id;
        self.reservations.iter().try_for_each(|(name, held)| reserve(held, name, request_id, now).map(drop))
    }
}

impl Approval {
    /// For an approval: what is approved.
    pub(crate) async fn what_is_approved(&self, tenant: &TenantId, id: &AggregateId) -> Result<Surroundings, Status> {
        let Some(opened) = self.opened(tenant, id).await? else { return Ok(Surroundings::default()) };
        let approved = self.ctx.log.approved(tenant, &opened).await.map_err(IntoStatus::into_status)?;
        Ok(Surroundings { approved, ..Surroundings::default() })
    }

    /// For a start: also what may stand in its way.
    pub(crate) async fn what_a_start_meets(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        now: Timestamp,
    ) -> Result<Surroundings, Status> {
        let Some(opened) = self.opened(tenant, id).await? else { return Ok(Surroundings::default()) };
        self.read(tenant, &opened, now).await.map_err(IntoStatus::into_status)
    }

    /// An unknown request is refused by the decision itself.
    async fn opened(&self, tenant: &TenantId, id: &AggregateId) -> Result<Option<RequestOpened>, Status> {
        let request = self.ctx.log.load::<Request>(tenant, id).await.map_err(IntoStatus::into_status)?;
        Ok(request.state.view.opened)
    }

    async fn read(&self, tenant: &TenantId, opened: &RequestOpened, now: Timestamp) -> Result<Surroundings, LogError> {
        let log = &self.ctx.log;
        let approved = log.approved(tenant, opened).await?;
        let policies = self.current_policies(tenant, &opened.group, &opened.resource).await?;
        let policies: Vec<&Document> = policies.iter().collect();
        let plan = opened.plan.as_ref().map(|plan| plan.name.as_str()).unwrap_or_default();
        let gate = log.gate(tenant, opened.r#type(), plan, opened.tier(), opened.environment()).await?;
        let mut reservations = Vec::new();
        for (name, id) in reservation_ids(&opened.group, &request::resources(opened)) {
            reservations.push((name, log.load::<Reservation>(tenant, &id).await?.state));
        }
        let terms = StartTerms {
            break_glass: BreakGlassTerms::of(&policies),
            freeze: request::freeze_for(&policies, opened, now),
            gate: Some(gate),
        };
        Ok(Surroundings { approved, reservations, terms })
    }
}
