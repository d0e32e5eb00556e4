//! The transparency log over the record: leaves, tiles, checkpoints, keys.
//!
//! Between the writer of a log and those who vouch for it or keep copies stand the types of [`vouch`]: the writer knows
//! neither the protocol of witnesses nor what an anchor is.

mod vouch;

use std::pin::Pin;

use futures::Stream;
use muster_domain::pb::audit::v1 as pb;
use muster_runtime::{Call, Context};
use tonic::Status;

pub(crate) async fn get_log(_context: &Context, _call: Call<pb::GetLogRequest>) -> Result<pb::GetLogResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn read_log_file(
    _context: &Context,
    _call: Call<pb::ReadLogFileRequest>,
) -> Result<pb::ReadLogFileResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn prove_event(
    _context: &Context,
    _call: Call<pb::ProveEventRequest>,
) -> Result<pb::ProveEventResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn stream_leaves(
    _context: &Context,
    _call: Call<pb::StreamLeavesRequest>,
) -> Result<Pin<Box<dyn Stream<Item = Result<pb::StreamLeavesResponse, Status>> + Send>>, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn rotate_log_key(
    _context: &Context,
    _call: Call<pb::RotateLogKeyRequest>,
) -> Result<pb::RotateLogKeyResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}

pub(crate) async fn revoke_log_key(
    _context: &Context,
    _call: Call<pb::RevokeLogKeyRequest>,
) -> Result<pb::RevokeLogKeyResponse, Status> {
    Err(Status::unimplemented("PENDING"))
}
