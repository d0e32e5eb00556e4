//! Everything about one request, in causal order: what led to it, who decided what, the run, what came after.

mod gather;
mod order;
mod projection;

pub(crate) use gather::{Gathered, by_sequence, gather};
pub(crate) use order::in_causal_order;
pub(crate) use projection::project;

use muster_domain::{
    AggregateId,
    pb::audit::v1 as pb,
    refusal::{field_refusal, refusal},
};
use muster_runtime::{Call, Context, refused};
use prost::Message;
use tonic::Status;

/// A message may hold 4 MiB; a story that is longer leaves out what its events hold, and never an event.
const MAX_BYTES: usize = 3 * 1024 * 1024;

pub(crate) async fn get_story(
    context: &Context,
    call: Call<pb::GetStoryRequest>,
) -> Result<pb::GetStoryResponse, Status> {
    let id = request_id(&call.message.request_id)?;
    let gathered = gather(context, &call.tenant, &id, call.message.min_version).await?;
    let mut lines = in_causal_order(&gathered.request.request_id, gathered.records);
    let size = |lines: &[pb::StoryLine]| lines.iter().map(Message::encoded_len).sum::<usize>();
    // Messages that were sent are many, and say least that is not said elsewhere.
    for kinds in [&["delivery/"][..], &[""]] {
        if size(&lines) > MAX_BYTES {
            leave_out_payloads(&mut lines, kinds);
        }
    }
    Ok(pb::GetStoryResponse { lines })
}

fn leave_out_payloads(lines: &mut [pb::StoryLine], kinds: &[&str]) {
    for record in lines.iter_mut().filter_map(|line| line.record.as_mut()) {
        if kinds.iter().any(|kind| record.aggregate.starts_with(kind)) {
            record.payload_json.clear();
        }
    }
}

pub(crate) fn request_id(text: &str) -> Result<AggregateId, Status> {
    text.parse().map_err(|error: muster_domain::InvalidId| {
        refused(&field_refusal(
            "request_id",
            "FIELD_INVALID",
            "a story is of one request",
            error.value,
            error.rule,
            "use the id that `muster request list` shows",
        ))
    })
}

pub(crate) fn not_found(id: &AggregateId) -> Status {
    refused(&refusal(
        "REQUEST_NOT_FOUND",
        "there is no such request in this tenant",
        id.to_string(),
        "a request id of this tenant",
        "list them with `muster request list`",
    ))
}
