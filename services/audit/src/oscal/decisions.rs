//! Who decided what: approvals, the emergency path, reviews. As observations, and as attestations of the people.

use muster_domain::{access::role_name, pb::common::v1::Actor};

use super::{
    Evidence, NAMESPACE, Run,
    entry::{People, pb_time},
    model::*,
    observations::{Observations, Observer, Seen},
    text::{code, prose},
};

pub(crate) fn observe(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    for approval in &run.approvals {
        let policy = run.opened.as_ref().and_then(|opened| opened.body.policy.clone()).unwrap_or_default();
        let seen = Seen {
            element: "observation",
            of: "",
            event: &approval.event,
            title: format!("Approved as {}", role_name(approval.body.as_role())),
            description: format!(
                "By {}. Policy: {}.",
                prose(&who(approval.body.approver.as_ref())),
                prose(&policy.source)
            ),
            method: "EXAMINE",
            kind: "control-objective",
            props: props([
                ("role", role_name(approval.body.as_role()).to_string()),
                ("policy", policy.source),
                ("plan-hash", approval.body.plan_hash.clone()),
            ]),
        };
        observer.add(found, seen);
    }
    let Some(confirmed) = run.confirmed.as_ref().filter(|_| run.broke_glass()) else { return };
    let glass = run.opened.as_ref().and_then(|opened| opened.body.break_glass.clone()).unwrap_or_default();
    let missing: Vec<String> = confirmed.body.missing.iter().map(|text| prose(text)).collect();
    let seen = Seen {
        element: "observation",
        of: "",
        event: &confirmed.event,
        title: "Started by the emergency path, with approvals missing".into(),
        description: format!(
            "By {}. Incident {}: {}. Missing: {}.",
            prose(&who(confirmed.body.actor.as_ref())),
            code(&glass.incident),
            prose(&glass.reason),
            missing.join("; ")
        ),
        method: "EXAMINE",
        kind: "discovery",
        props: props([
            ("incident", glass.incident.clone()),
            ("review-due", pb_time(glass.review_due.as_ref()).unwrap_or_default()),
        ]),
    };
    observer.add(found, seen);
}

pub(crate) fn observe_reviews(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    for review in &run.reviews {
        let seen = Seen {
            element: "observation",
            of: "",
            event: &review.event,
            title: format!("Results reviewed and {}", verdict(review.body.accepted)),
            description: format!(
                "By {}: {}",
                prose(&who(review.event.record.actor.as_ref())),
                prose(&review.body.note)
            ),
            method: "EXAMINE",
            kind: "control-objective",
            props: props([("accepted", review.body.accepted.to_string())]),
        };
        let reference = observer.add(found, seen);
        found.reviews.push(reference);
    }
    if let Some(review) = &run.glass_reviewed {
        let justified = if review.body.justified { "justified" } else { "not justified" };
        let seen = Seen {
            element: "observation",
            of: "",
            event: &review.event,
            title: format!("The emergency path was reviewed and found {justified}"),
            description: format!("By {}: {}", prose(&who(review.body.actor.as_ref())), prose(&review.body.findings)),
            method: "EXAMINE",
            kind: "control-objective",
            props: props([("justified", review.body.justified.to_string())]),
        };
        let reference = observer.add(found, seen);
        found.glass_review.push(reference);
    } else if let Some(overdue) = &run.glass_overdue {
        let seen = Seen {
            element: "observation",
            of: "",
            event: &overdue.event,
            title: "The review of the emergency path is overdue".into(),
            description: format!(
                "It was due at {}.",
                pb_time(overdue.body.due.as_ref()).unwrap_or_else(|| "an unknown time".into())
            ),
            method: "EXAMINE",
            kind: "control-objective",
            props: Vec::new(),
        };
        let reference = observer.add(found, seen);
        found.glass_review.push(reference);
    }
}

/// What people put their name to.
pub(crate) fn attestations(run: &Run, evidence: &Evidence<'_>, people: &mut People) -> Vec<Attestation> {
    let scope = evidence.scope();
    let approvals = run.approvals.iter().map(|approval| {
        let text = format!("Approved as {}. {}", role_name(approval.body.as_role()), prose(&approval.body.note));
        (&approval.event, approval.body.approver.as_ref(), "approval", text)
    });
    let reviews = run.reviews.iter().map(|review| {
        let text = format!("Reviewed and {}. {}", verdict(review.body.accepted), prose(&review.body.note));
        (&review.event, review.event.record.actor.as_ref(), "acceptance", text)
    });
    let glass = run.glass_reviewed.iter().map(|review| {
        let text = format!("Reviewed the emergency path. {}", prose(&review.body.findings));
        (&review.event, review.body.actor.as_ref(), "acceptance", text)
    });
    let all: Vec<_> = approvals.chain(reviews).chain(glass).collect();
    all.into_iter()
        .map(|(event, actor, name, prose)| {
            let party = people.add_approver(scope, actor);
            let part = Part {
                uuid: scope.of_event("part", event.id()),
                name,
                ns: Some(NAMESPACE),
                prose,
                props: evidence.props(event),
            };
            let responsible = ResponsibleParty { role_id: "content-approver", party_uuids: vec![party] };
            Attestation { responsible_parties: vec![responsible], parts: vec![part] }
        })
        .collect()
}

pub(crate) fn who(actor: Option<&Actor>) -> String {
    let actor = actor.cloned().unwrap_or_default();
    match (actor.name.as_str(), actor.id.as_str()) {
        ("", "") => "an unknown actor".into(),
        ("", id) => id.to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn verdict(accepted: bool) -> &'static str {
    if accepted { "accepted" } else { "not accepted" }
}
