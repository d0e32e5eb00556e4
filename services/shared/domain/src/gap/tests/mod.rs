//! The rules of gaps and reviews, as docs/gaps.md has them.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod findings;
mod life;
mod properties;
mod reviews;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::Refusal;
use crate::pb::common::v1::{Actor, ActorKind, LossCertainty, LossStatement, Role, Tier};
use crate::pb::execution::v1::{
    ExecutionFailed, ExecutionStarted, ExecutionState, ExecutionSucceeded, ExecutionView, Member, MemberOutcome,
};
use crate::time::{PbDuration, duration_to_pb, to_pb};

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub(super) fn in_days(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

pub(super) fn seconds(seconds: i64) -> Option<PbDuration> {
    Some(duration_to_pb(SignedDuration::from_secs(seconds)))
}

pub(super) fn person(name: &str, roles: &[Role]) -> Actor {
    Actor {
        id: name.into(),
        name: name.into(),
        kind: ActorKind::Person.into(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
    }
}

pub(super) fn ada() -> Actor {
    person("ada", &[Role::Admin])
}

pub(super) fn ingo() -> Actor {
    person("ingo", &[Role::ApproverIt])
}

pub(super) fn bea() -> Actor {
    person("bea", &[Role::ApproverBusiness])
}

pub(super) fn muster() -> Actor {
    Actor { id: "service:audit".into(), name: "audit".into(), kind: ActorKind::Service.into(), roles: vec![] }
}

pub(super) fn ask(severity: Severity) -> OpenGap<'static> {
    OpenGap { gap_id: "g1", title: "No second network path", severity, resource: "orders-db", ..OpenGap::default() }
}

/// Opened by Ada.
pub(super) fn opened(severity: Severity) -> Gap {
    after(&Gap::default(), open(&Gap::default(), &ask(severity), &ada(), now()))
}

/// The gap after what was decided on it.
pub(super) fn after(gap: &Gap, decided: Result<Option<GapEvent>, Refusal>) -> Gap {
    let mut next = gap.clone();
    next.evolve(&decided.unwrap().unwrap());
    next
}

/// A drill of orders-db that began `days` from now and took ten minutes.
pub(super) fn drill(request_id: &str, days: i64, state: ExecutionState) -> ExecutionView {
    let started = ExecutionStarted {
        request_id: request_id.into(),
        resource: "orders-db".into(),
        r#type: "readiness-drill".into(),
        started_at: Some(to_pb(in_days(days))),
        tier: Tier::Tier2.into(),
        drill: true,
        ..Default::default()
    };
    let end = Some(to_pb(in_days(days) + SignedDuration::from_mins(10)));
    let (mut succeeded, mut failed) = (None, None);
    match state {
        ExecutionState::Succeeded => succeeded = Some(ExecutionSucceeded { finished_at: end, ..Default::default() }),
        ExecutionState::Failed => {
            failed = Some(ExecutionFailed { finished_at: end, error: "disk full".into(), ..Default::default() });
        }
        _ => {}
    }
    ExecutionView {
        request_id: request_id.into(),
        state: state.into(),
        started: Some(started),
        succeeded,
        failed,
        ..Default::default()
    }
}

/// A failover of orders-db with a target of 60 s for both objectives.
pub(super) fn failover(rto_seconds: Option<i64>, loss: LossStatement) -> ExecutionView {
    let member =
        Member { resource: "orders-db".into(), rto_target: seconds(60), rpo_target: seconds(60), ..Default::default() };
    let outcome = MemberOutcome { resource: "orders-db".into(), loss: Some(loss), moved: true, ..Default::default() };
    let mut run = drill("r1", 0, ExecutionState::Succeeded);
    let started = run.started.as_mut().unwrap();
    (started.r#type, started.drill, started.members) = ("failover".into(), false, vec![member]);
    started.rto_target = seconds(60);
    let end = run.succeeded.as_mut().unwrap();
    (end.rto_measured, end.members) = (rto_seconds.and_then(seconds), vec![outcome]);
    run
}

pub(super) fn loss(certainty: LossCertainty, window: Option<i64>) -> LossStatement {
    LossStatement { certainty: certainty.into(), window: window.and_then(seconds), ..Default::default() }
}

/// The gap that Muster opens about that run.
pub(super) fn found_by(run: &ExecutionView) -> Gap {
    let mut gap = Gap::default();
    gap.evolve(&found(&gap, "g1", &of_run(run).unwrap(), "e1", &muster(), now()).unwrap());
    gap
}
