//! Gaps: opened, planned, closed, accepted.

use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn list_gaps(
    _context: &Context,
    _call: Call<pb::ListGapsRequest>,
) -> Result<pb::ListGapsResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn open_gap(
    _context: &Context,
    _call: Call<pb::OpenGapRequest>,
) -> Result<pb::OpenGapResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn plan_gap(
    _context: &Context,
    _call: Call<pb::PlanGapRequest>,
) -> Result<pb::PlanGapResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn close_gap(
    _context: &Context,
    _call: Call<pb::CloseGapRequest>,
) -> Result<pb::CloseGapResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn accept_gap(
    _context: &Context,
    _call: Call<pb::AcceptGapRequest>,
) -> Result<pb::AcceptGapResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn reopen_gap(
    _context: &Context,
    _call: Call<pb::ReopenGapRequest>,
) -> Result<pb::ReopenGapResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
