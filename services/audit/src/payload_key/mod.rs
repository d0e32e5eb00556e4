//! The end of a tenant's payloads: its key is destroyed.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn destroy_payload_key(
    _context: &Context,
    _call: Call<pb::DestroyPayloadKeyRequest>,
) -> Result<pb::DestroyPayloadKeyResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
