//! Whether a plan was ever shown to work, exactly as it is now, and lately enough.

use jiff::{SignedDuration, Timestamp};

use super::Plan;
use crate::pb::plan::v1::{
    PlanEvent, PlanProofFailed, PlanProofLapsed, PlanProven, PlanRef, PlanSpec, PlanTest, ProofState, plan_event::Event,
};
use crate::pb::request::v1::RequestType;
use crate::refusal::{Refusal, field_refusal};
use crate::request::{MAX_TEXT, type_name};
use crate::time::{duration_from_pb, duration_to_pb, from_pb, humane, to_pb};

/// A passed test proves a plan for so long when the plan says nothing else.
pub const DEFAULT_PROOF_VALID_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

const WHAT_PROVES: &str =
    "An isolated drill, a live drill or a successful real move proves it; a tabletop or a readiness drill does not.";

/// One test or real run that ended.
#[derive(Debug, Clone)]
pub struct Test<'a> {
    /// The text and scope that ran.
    pub plan: &'a PlanRef,
    pub request_id: &'a str,
    pub request_type: RequestType,
    /// Absent: it was not measured.
    pub rto_measured: Option<SignedDuration>,
    /// Against the plan's objective.
    pub rto_met: bool,
}

/// How long a passed test of this plan counts.
pub fn valid_for(spec: &PlanSpec) -> SignedDuration {
    duration_from_pb(spec.proof_valid_for.as_ref())
        .filter(|valid| *valid > SignedDuration::ZERO)
        .unwrap_or(DEFAULT_PROOF_VALID_FOR)
}

/// Whether a success of that type shows that the plan works. Talking it through and looking at checks does not.
pub fn proves(request_type: RequestType) -> bool {
    match request_type {
        RequestType::Switchover
        | RequestType::Failover
        | RequestType::Failback
        | RequestType::Rotation
        | RequestType::IsolatedDrill
        | RequestType::LiveDrill => true,
        RequestType::ReadinessDrill | RequestType::TabletopDrill | RequestType::Rollback | RequestType::Unspecified => {
            false
        }
    }
}

/// A test passed. The same run again changes nothing.
pub fn prove(
    plan: &Plan,
    test: &Test<'_>,
    valid_for: SignedDuration,
    now: Timestamp,
) -> Result<Option<PlanEvent>, Refusal> {
    if !proves(test.request_type) {
        return Err(field_refusal(
            "type",
            "TEST_DOES_NOT_PROVE",
            "a plan is proven by something that really moved or really restored",
            type_name(test.request_type),
            "isolated-drill, live-drill, or a successful switchover, failover, failback or rotation",
            "keep the drill's notes; run an isolated or a live drill to prove the plan",
        ));
    }
    if is_known(plan, test.request_id) {
        return Ok(None);
    }
    event(Event::Proven(PlanProven {
        plan: Some(test.plan.clone()),
        request_id: test.request_id.to_owned(),
        r#type: type_name(test.request_type).to_owned(),
        proven_at: Some(to_pb(now)),
        // A length that no calendar holds ends with the calendar.
        valid_until: Some(to_pb(now.checked_add(valid_for).unwrap_or(Timestamp::MAX))),
        rto_measured: test.rto_measured.map(duration_to_pb),
        rto_met: test.rto_met,
    }))
}

/// A test failed, of whatever type: what was proven before is proven no more. A run that ended before its first step
/// says nothing about the plan and is not brought here. The same run again changes nothing.
pub fn fail_proof(plan: &Plan, test: &Test<'_>, reason: &str, now: Timestamp) -> Result<Option<PlanEvent>, Refusal> {
    if is_known(plan, test.request_id) {
        return Ok(None);
    }
    event(Event::ProofFailed(PlanProofFailed {
        plan: Some(test.plan.clone()),
        request_id: test.request_id.to_owned(),
        r#type: type_name(test.request_type).to_owned(),
        failed_at: Some(to_pb(now)),
        reason: reason.chars().take(MAX_TEXT).collect(),
    }))
}

/// Writes down that a proof is over: its time, or a change. `None` while it holds, and when there is none.
pub fn lapse(
    plan: &Plan,
    current: &PlanRef,
    valid_for: SignedDuration,
    now: Timestamp,
) -> Result<Option<PlanEvent>, Refusal> {
    let (state, reason) = proof(plan, current, valid_for, now);
    let Some(proven) = plan.proven.as_ref().filter(|_| state != ProofState::Proven) else { return Ok(None) };
    event(Event::ProofLapsed(PlanProofLapsed { plan: proven.plan.clone(), lapsed_at: Some(to_pb(now)), reason }))
}

/// Where the proof of the plan stands, and why in words. `current` is the hash of what a run would use now.
pub fn proof(plan: &Plan, current: &PlanRef, valid_for: SignedDuration, now: Timestamp) -> (ProofState, String) {
    if let Some(failed) = &plan.proof_failed {
        return match changed(failed.plan.as_ref(), current) {
            None => (ProofState::Failed, format!("Its last test failed: {}. {WHAT_PROVES}", of_failed(failed))),
            Some(change) => (
                ProofState::Untested,
                format!("Not tested as it is now: {change} since its last test, which failed ({}).", of_failed(failed)),
            ),
        };
    }
    if let Some(proven) = &plan.proven {
        return while_proven(proven, current, valid_for, now);
    }
    if let Some(lapsed) = &plan.proof_lapsed {
        // The text said why when it lapsed. The state is judged anew: by what it is now.
        let state =
            if changed(lapsed.plan.as_ref(), current).is_some() { ProofState::Untested } else { ProofState::Stale };
        return (state, lapsed.reason.clone());
    }
    (ProofState::Untested, format!("Never tested. {WHAT_PROVES}"))
}

fn while_proven(
    proven: &PlanProven,
    current: &PlanRef,
    valid_for: SignedDuration,
    now: Timestamp,
) -> (ProofState, String) {
    let test = of_proven(proven);
    if let Some(change) = changed(proven.plan.as_ref(), current) {
        return (ProofState::Untested, format!("Not tested as it is now: {change} since {test}. {WHAT_PROVES}"));
    }
    let at = from_pb(proven.proven_at.as_ref());
    let by_now = at.and_then(|at| at.checked_add(valid_for).ok());
    // A proof without its times holds for nothing.
    let until = from_pb(proven.valid_until.as_ref()).into_iter().chain(by_now).min().unwrap_or(Timestamp::MIN);
    if now >= until {
        let text = format!("Proven too long ago: {test}, which counted until {until:.0}. {WHAT_PROVES}");
        return (ProofState::Stale, text);
    }
    let speed = match (duration_from_pb(proven.rto_measured.as_ref()), proven.rto_met) {
        (Some(rto), true) => format!(" It took {}, within its objective.", humane(rto)),
        (Some(rto), false) => format!(" It took {}, longer than its objective.", humane(rto)),
        (None, _) => " How long it takes was not measured.".to_owned(),
    };
    (ProofState::Proven, format!("Proven by {test}, until {until:.0}.{speed}"))
}

/// What differs from the text that was tested. `None`: nothing.
fn changed(tested: Option<&PlanRef>, current: &PlanRef) -> Option<String> {
    let Some(tested) = tested else { return Some("it is not known what was tested".to_owned()) };
    // What cannot be resolved has no hash, and is like nothing.
    if tested.hash == current.hash && tested.name == current.name && !current.hash.is_empty() {
        None
    } else if tested.version != current.version {
        Some(format!("it is version {} now and was version {}", current.version, tested.version))
    } else {
        Some("its group or a resource that it moves was changed".to_owned())
    }
}

fn of_proven(proven: &PlanProven) -> String {
    format!("the {} of request {} on {}", proven.r#type, proven.request_id, day(proven.proven_at.as_ref()))
}

fn of_failed(failed: &PlanProofFailed) -> String {
    let reason = failed.reason.trim_end_matches('.');
    format!("{} of request {} on {}: {reason}", failed.r#type, failed.request_id, day(failed.failed_at.as_ref()))
}

fn day(at: Option<&crate::time::PbTimestamp>) -> String {
    from_pb(at).map_or_else(|| "an unknown day".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn is_known(plan: &Plan, request_id: &str) -> bool {
    plan.tests.iter().any(|test| test.request_id == request_id)
}

pub(super) fn passed(proven: &PlanProven) -> PlanTest {
    PlanTest {
        plan: proven.plan.clone(),
        request_id: proven.request_id.clone(),
        r#type: proven.r#type.clone(),
        at: proven.proven_at,
        passed: true,
        rto_measured: proven.rto_measured,
        rto_met: proven.rto_met,
        reason: String::new(),
    }
}

pub(super) fn failed(failed: &PlanProofFailed) -> PlanTest {
    PlanTest {
        plan: failed.plan.clone(),
        request_id: failed.request_id.clone(),
        r#type: failed.r#type.clone(),
        at: failed.failed_at,
        passed: false,
        rto_measured: None,
        rto_met: false,
        reason: failed.reason.clone(),
    }
}

fn event(event: Event) -> Result<Option<PlanEvent>, Refusal> {
    Ok(Some(PlanEvent { event: Some(event) }))
}
