//! Packages of evidence that verify without Muster.

use std::pin::Pin;

use futures::Stream;
use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn export_package(
    _context: &Context,
    _call: Call<pb::ExportPackageRequest>,
) -> Result<Pin<Box<dyn Stream<Item = Result<pb::ExportPackageResponse, Status>> + Send>>, Status> {
    Err(Status::unimplemented("PENDING"))
}
