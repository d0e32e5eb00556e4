//! The preflight that a requester looked at, as the log has it.

use muster_domain::{AggregateId, TenantId, pb::execution::v1::Verdict, preflight::Preflight, refusal::field_refusal};
use muster_runtime::{IntoStatus, refused};
use tonic::Status;

use crate::Approval;

impl Approval {
    /// What it said. One that is not there is refused: approvers would read it as a yes.
    pub(crate) async fn verdict(&self, tenant: &TenantId, preflight_id: &str) -> Result<Verdict, Status> {
        let unknown = || {
            refused(&field_refusal(
                "preflight_id",
                "PREFLIGHT_NOT_FOUND",
                "a request names a preflight that was made",
                preflight_id.chars().take(80).collect::<String>(),
                "the id of a preflight of this tenant",
                "make one, or leave it out",
            ))
        };
        let id: AggregateId = preflight_id.parse().map_err(|_| unknown())?;
        let preflight = self.ctx.log.load::<Preflight>(tenant, &id).await.map_err(IntoStatus::into_status)?;
        preflight.state.report.map(|report| report.verdict()).ok_or_else(unknown)
    }
}
