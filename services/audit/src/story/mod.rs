//! Everything about one request, in causal order.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn get_story(
    _context: &Context,
    _call: Call<pb::GetStoryRequest>,
) -> Result<pb::GetStoryResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
