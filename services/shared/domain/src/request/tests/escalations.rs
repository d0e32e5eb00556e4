//! Asking again: stage by stage while approvals are missing, each once, and never after the request is over.

use super::*;
use crate::pb::inventory::v1::Escalation;
use crate::time::duration_to_pb;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn escalation(after: i64, routes: &[&str]) -> Escalation {
    Escalation {
        after: Some(duration_to_pb(minutes(after))),
        routes: routes.iter().map(|route| (*route).to_owned()).collect(),
    }
}

fn waiting() -> Request {
    let rule = inv::ApprovalRule {
        escalations: vec![escalation(60, &["managers"]), escalation(30, &[]), escalation(300, &[])],
        ..Default::default()
    };
    let spec = inv::PolicySpec { approvals: vec![rule], ..Default::default() };
    let facts = Facts { policies: vec![policy_document("calls", spec)], ..Facts::of(vec![resource(Tier::Tier1)]) };
    facts.opened(&command())
}

#[test]
fn the_stages_come_in_order_and_none_after_the_request_is_over() {
    let request = waiting();
    let due = escalations_due(request.view.opened.as_ref().unwrap());
    assert_eq!(due, [(1, now() + minutes(30)), (2, now() + minutes(60))], "after 5 h there is no request any more");
}

#[test]
fn each_stage_is_told_once_while_somebody_is_missing() {
    let mut request = waiting();
    assert!(escalate(&request, 1, now() + minutes(29)).is_none());
    request.evolve(&escalate(&request, 1, now() + minutes(30)).unwrap());
    assert!(escalate(&request, 1, now() + minutes(31)).is_none(), "once");
    assert_eq!(request.view.escalations[0].missing.len(), 2);
    assert!(
        escalate(&request, 3, now() + minutes(90)).is_none() && escalate(&request, 0, now() + minutes(90)).is_none()
    );

    // Late by hours is still told; the event says when.
    let event = escalate(&request, 2, now() + minutes(200)).unwrap();
    match event.event {
        Some(Event::Escalated(escalated)) => assert_eq!(escalated.routes, ["managers"]),
        _ => panic!("not escalated"),
    }
    assert!(escalate(&request, 2, now() + minutes(240)).is_none(), "the request is over by then");
    for approver in [ingo(), bea()] {
        let decision = yes(&request, &approver);
        apply(&mut request, decision);
    }
    assert!(escalate(&request, 2, now() + minutes(60)).is_none(), "nobody is missing");
}
