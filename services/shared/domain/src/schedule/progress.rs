//! What became of the request that a due time opened.

use jiff::Timestamp;

use crate::execution::Execution;
use crate::pb::execution::v1::ExecutionState;
use crate::pb::request::v1::{RequestState, RequestView};
use crate::request::{Request, state_name};
use crate::time::{PbTimestamp, from_pb};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is no request yet.
    NotOpened,
    /// It can still be approved and started.
    Open,
    Running,
    Succeeded(Timestamp),
    /// It came to nothing.
    Over {
        because: String,
        at: Option<Timestamp>,
    },
}

pub fn progress(request: &Request, execution: &Execution) -> Progress {
    let run = &execution.view;
    let over = |because: String, at: Option<PbTimestamp>| Progress::Over { because, at: from_pb(at.as_ref()) };
    match run.state() {
        ExecutionState::Succeeded => {
            let at = run.succeeded.as_ref().and_then(|done| from_pb(done.finished_at.as_ref()));
            // A success without its time could not be told from an older one.
            at.map_or_else(|| over("its run ended at an unknown time".to_owned(), None), Progress::Succeeded)
        }
        ExecutionState::Failed => {
            let failed = run.failed.clone().unwrap_or_default();
            let place = if failed.step.is_empty() { "its checks".to_owned() } else { format!("step {}", failed.step) };
            over(format!("its run failed in {place}: {}", failed.error), failed.finished_at)
        }
        ExecutionState::Stopped => {
            let stopped = run.stopped.clone().unwrap_or_default();
            over(format!("its run was stopped: {}", stopped.reason), stopped.finished_at)
        }
        ExecutionState::Running => Progress::Running,
        ExecutionState::Unspecified => of_request(&request.view),
    }
}

fn of_request(view: &RequestView) -> Progress {
    if view.opened.is_none() {
        return Progress::NotOpened;
    }
    let name = |actor: Option<&crate::pb::common::v1::Actor>| actor.map(|actor| actor.name.clone()).unwrap_or_default();
    let (because, at) = match view.state() {
        RequestState::PendingApproval | RequestState::Approved => return Progress::Open,
        RequestState::Denied => {
            let denied = view.denied.clone().unwrap_or_default();
            (format!("{} rejected it: {}", name(denied.approver.as_ref()), denied.reason), denied.denied_at)
        }
        RequestState::Withdrawn => {
            let withdrawn = view.withdrawn.clone().unwrap_or_default();
            (format!("{} withdrew it: {}", name(withdrawn.actor.as_ref()), withdrawn.reason), withdrawn.withdrawn_at)
        }
        RequestState::Expired => {
            let at = view.expired.as_ref().and_then(|expired| expired.expired_at);
            ("it was not approved and started in its window".to_owned(), at)
        }
        RequestState::Confirmed | RequestState::Executing => return Progress::Running,
        ended
        @ (RequestState::Succeeded | RequestState::Failed | RequestState::Stopped | RequestState::Unspecified) => {
            (format!("it is {}", state_name(ended)), None)
        }
    };
    Progress::Over { because, at: from_pb(at.as_ref()) }
}
