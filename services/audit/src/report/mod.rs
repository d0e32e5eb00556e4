//! One page about one run.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn get_run_report(
    _context: &Context,
    _call: Call<pb::GetRunReportRequest>,
) -> Result<pb::GetRunReportResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
