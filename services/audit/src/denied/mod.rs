//! What was refused to whom.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn list_denied_attempts(
    _context: &Context,
    _call: Call<pb::ListDeniedAttemptsRequest>,
) -> Result<pb::ListDeniedAttemptsResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
