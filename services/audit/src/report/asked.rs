//! What was asked for, under which rules, and what the approvers had in front of them.

use muster_domain::{
    gate::level_name,
    pb::{
        execution::v1::Verdict,
        plan::v1::PlanTest,
        request::v1::{MemberEvidence, RequestOpened, RequestView},
    },
    request::{policy_words, review_due, scope_name, type_name, was_broken},
};

use super::{
    make::{markers, name, seconds, time},
    model::{BreakGlass, Evidence, Request, SystemSeen},
};

/// "TIER_1" -> "1", "ENVIRONMENT_PRODUCTION" -> "production".
fn word(enum_name: &str, prefix: &str) -> String {
    enum_name.strip_prefix(prefix).unwrap_or(enum_name).to_lowercase().replace('_', " ")
}

pub(super) fn title(opened: &RequestOpened) -> String {
    let (kind, scope) = (type_name(opened.r#type()), scope_name(opened));
    match (opened.from_site.as_str(), opened.target_site.as_str()) {
        ("", "") => format!("{kind} of {scope}"),
        ("", to) => format!("{kind} of {scope} to {to}"),
        (from, "") => format!("{kind} of {scope} at {from}"),
        (from, to) => format!("{kind} of {scope} from {from} to {to}"),
    }
}

/// Who opened it. A schedule does it in the name of whoever declared it.
fn opener(opened: &RequestOpened) -> String {
    let person = name(opened.requester.as_ref());
    match opened.schedule.as_str() {
        "" => person,
        schedule => format!("schedule {schedule}, declared by {person}"),
    }
}

pub(super) fn request(view: &RequestView, opened: &RequestOpened) -> Request {
    let policy = opened.policy.clone().unwrap_or_default();
    let plan = opened.plan.clone().unwrap_or_default();
    Request {
        kind: type_name(opened.r#type()).to_owned(),
        scope: scope_name(opened).to_owned(),
        from_site: opened.from_site.clone(),
        target_site: opened.target_site.clone(),
        reason: opened.reason.clone(),
        ticket: opened.ticket.clone(),
        requester: opener(opened),
        opened_at: time(opened.opened_at.as_ref()),
        tier: word(opened.tier().as_str_name(), "TIER_"),
        environment: word(opened.environment().as_str_name(), "ENVIRONMENT_"),
        gate: level_name(opened.gate()).to_owned(),
        gate_source: opened.gate_source.clone(),
        policy: policy_words(&policy),
        policy_source: policy.source,
        plan: plan.name,
        plan_version: plan.version,
        plan_hash: plan.hash,
        rollback_of: opened.rollback_of.clone(),
        break_glass: break_glass(view, opened),
    }
}

fn break_glass(view: &RequestView, opened: &RequestOpened) -> Option<BreakGlass> {
    let glass = opened.break_glass.as_ref()?;
    let used = was_broken(view);
    let review = match (&view.review, &view.review_overdue) {
        (Some(review), _) if review.justified => "justified",
        (Some(_), _) => "not justified",
        (None, Some(_)) => "overdue",
        (None, None) if used => "owed",
        (None, None) => "not used",
    };
    let said = view.review.clone().unwrap_or_default();
    Some(BreakGlass {
        incident: glass.incident.clone(),
        reason: glass.reason.clone(),
        until: time(glass.until.as_ref()),
        skipped: glass.skipped.clone(),
        used,
        review_due: review_due(view).map(|due| due.to_string()),
        review: review.to_owned(),
        reviewer: name(said.actor.as_ref()),
        findings: said.findings,
    })
}

pub(super) fn evidence(opened: &RequestOpened) -> Option<Evidence> {
    let seen = opened.evidence.as_ref()?;
    let system = |member: &MemberEvidence| SystemSeen {
        resource: member.resource.clone(),
        status: member.status.clone(),
        seen_seconds_before: seconds(member.age.as_ref()),
        loss: member.loss.as_ref().map(|loss| loss.text.clone()).unwrap_or_default(),
    };
    let test = |test: &PlanTest| {
        let ended = if test.passed { "passed" } else { "failed" };
        format!("{} {ended} {}", test.r#type, time(test.at.as_ref()).unwrap_or_default())
    };
    Some(Evidence {
        taken_at: time(seen.taken_at.as_ref()),
        verdict: match seen.verdict() {
            Verdict::Unspecified => "no preflight".to_owned(),
            verdict => word(verdict.as_str_name(), "VERDICT_"),
        },
        preflight_id: seen.preflight_id.clone(),
        systems: seen.members.iter().map(system).collect(),
        markers: markers("approval", &seen.markers).collect(),
        past_tests: seen.past_tests.iter().map(test).collect(),
    })
}

#[cfg(test)]
mod tests {
    use muster_domain::pb::common::v1::Actor;

    use super::*;

    #[test]
    fn a_schedule_is_named_as_what_asked() {
        let ada = Actor { name: "Ada".into(), ..Actor::default() };
        let mut opened = RequestOpened { requester: Some(ada), ..RequestOpened::default() };
        assert_eq!(opener(&opened), "Ada");
        opened.schedule = "orders-monthly-proof".into();
        assert_eq!(opener(&opened), "schedule orders-monthly-proof, declared by Ada");
    }
}
