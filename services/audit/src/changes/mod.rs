//! Who changed which field from what to what.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn list_configuration_changes(
    _context: &Context,
    _call: Call<pb::ListConfigurationChangesRequest>,
) -> Result<pb::ListConfigurationChangesResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
