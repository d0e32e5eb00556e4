//! What people looked at: drills, and periods of the record.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn review_drill(
    _context: &Context,
    _call: Call<pb::ReviewDrillRequest>,
) -> Result<pb::ReviewDrillResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn review_audit(
    _context: &Context,
    _call: Call<pb::ReviewAuditRequest>,
) -> Result<pb::ReviewAuditResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
