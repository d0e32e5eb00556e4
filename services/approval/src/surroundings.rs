//! What a start depends on beside the request itself, read from the log right before the decision.

use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::{Reservation, reserve},
    inventory::{Declared, document_id},
    pb::inventory::v1::{Document, Kind},
    request::{self, Request},
};
use muster_eventlog::LogError;
use muster_runtime::IntoStatus;
use tonic::Status;

use crate::Approval;

#[derive(Default)]
pub(crate) struct Surroundings {
    resource: Option<Document>,
    reservation: Reservation,
}

impl Surroundings {
    /// The resource is what people approved, and no other run holds it.
    pub(crate) fn permit(&self, request: &Request) -> Result<(), Refusal> {
        let Some(opened) = &request.view.opened else { return Ok(()) };
        request::unchanged(opened, self.resource.as_ref())?;
        reserve(&self.reservation, &opened.resource, &opened.request_id).map(drop)
    }
}

impl Approval {
    pub(crate) async fn surroundings(&self, tenant: &TenantId, id: &AggregateId) -> Result<Surroundings, Status> {
        let request = self.ctx.log.load::<Request>(tenant, id).await.map_err(IntoStatus::into_status)?;
        // An unknown request is refused by the decision itself.
        let Some(opened) = &request.state.view.opened else { return Ok(Surroundings::default()) };
        let (resource, _) =
            self.document(tenant, Kind::Resource, &opened.resource).await.map_err(IntoStatus::into_status)?;
        let reservation = match opened.resource.parse::<AggregateId>() {
            Ok(id) => self.ctx.log.load::<Reservation>(tenant, &id).await.map_err(IntoStatus::into_status)?.state,
            Err(_) => Reservation::default(),
        };
        Ok(Surroundings { resource, reservation })
    }

    /// A declared document as the log has it now, retired or not, and its newest event's position.
    pub(crate) async fn document(
        &self,
        tenant: &TenantId,
        kind: Kind,
        name: &str,
    ) -> Result<(Option<Document>, u64), LogError> {
        let Ok(id) = document_id(kind, name) else { return Ok((None, 0)) };
        let loaded = self.ctx.log.load::<Declared>(tenant, &id).await?;
        Ok((loaded.state.document, loaded.sequence))
    }
}
