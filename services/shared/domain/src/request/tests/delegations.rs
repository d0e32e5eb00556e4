//! Deciding for somebody who is away: one own role, for a while, never in the own matter, and two people are one seat.

use super::*;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Bea is away and has handed her role to that person.
fn from_bea_to(who: &Actor) -> Delegation {
    let to = who.id.clone();
    let ask = Delegate {
        delegation_id: "d-1",
        to: &to,
        to_name: &who.name,
        role: Role::ApproverBusiness,
        starts: None,
        ends: Some(now() + days(7)),
        reason: "holiday",
    };
    let mut delegation = Delegation::default();
    delegation.evolve(&delegate(&delegation, &ask, 0, &bea(), now()).unwrap().unwrap());
    delegation
}

fn for_bea(request: &Request, who: &Actor, delegation: &Delegation) -> Result<Option<RequestEvent>, Refusal> {
    approve(request, who, &Yes { delegation: Some(delegation), ..Yes::default() }, now())
}

fn witness(delegation: &Delegation) -> Witness {
    Witness { delegations: BTreeMap::from([("d-1".to_owned(), delegation.clone())]), ..Witness::default() }
}

#[test]
fn a_deputy_decides_in_the_role_of_who_is_away_and_the_log_proves_it() {
    let ida = person("ida", &[Role::ApproverIt]);
    let delegation = from_bea_to(&ida);
    let mut request = opened(Tier::Tier1);
    assert_eq!(code(yes(&request, &person("ida", &[Role::Viewer]))), "NOT_AN_APPROVER");
    let decision = for_bea(&request, &ida, &delegation);
    apply(&mut request, decision);
    let approval = &request.view.approvals[0];
    assert_eq!((approval.as_role(), approval.delegation_id.as_str()), (Role::ApproverBusiness, "d-1"));
    assert_eq!(approval.on_behalf_of.as_ref().unwrap().id, bea().id);
    assert_eq!(request.view.missing, ["one approval by Approver-IT"], "her own role is not used by it");

    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    let decision = go(&request, &olga(), PHRASE);
    apply(&mut request, decision);
    assert_eq!(delegations_named(&request), ["d-1"]);
    assert!(proven_by(&request, &witness(&delegation)).is_ok());
    assert_eq!(proven(&request).unwrap_err().code, "APPROVAL_NOT_PROVEN", "without the delegation nothing is proven");
    let forged = |forge: fn(&mut Delegation)| {
        let mut other = delegation.clone();
        forge(&mut other);
        proven_by(&request, &witness(&other)).is_err()
    };
    assert!(forged(|d| d.delegated.as_mut().unwrap().to = "somebody".into()));
    assert!(forged(|d| d.delegated.as_mut().unwrap().from = Some(ingo())));
    assert!(forged(|d| d.delegated.as_mut().unwrap().set_role(Role::ApproverIt)));
    assert!(forged(|d| d.delegated.as_mut().unwrap().ends = d.delegated.as_ref().unwrap().starts));
    assert!(forged(|d| d.ended = Some(Default::default())));
}

#[test]
fn deputy_and_who_is_away_are_one_seat() {
    let both = person("bo", &[Role::ApproverIt, Role::ApproverBusiness]);
    let delegation = from_bea_to(&both);
    let mut request = opened(Tier::Tier1);
    let decision = for_bea(&request, &both, &delegation);
    apply(&mut request, decision);
    assert_eq!(code(yes(&request, &both)), "ALREADY_APPROVED", "not once more for oneself");
    assert_eq!(code(yes(&request, &bea())), "ALREADY_APPROVED", "nor who is away");

    let mut request = opened(Tier::Tier1);
    let decision = yes(&request, &bea());
    apply(&mut request, decision);
    assert_eq!(code(for_bea(&request, &both, &delegation)), "ALREADY_APPROVED");
}

#[test]
fn never_for_requests_of_either_of_the_two() {
    let facts = Facts::of(vec![resource(Tier::Tier1)]);
    for requester in [person("ida", &[Role::Operator]), person("bea", &[Role::Operator])] {
        let mut request = Request::default();
        apply(&mut request, facts.open(&command(), &requester));
        let ida = person("ida", &[Role::ApproverIt]);
        assert_eq!(code(for_bea(&request, &ida, &from_bea_to(&ida))), "APPROVER_IS_REQUESTER", "{}", requester.name);
    }
}

#[test]
fn it_holds_from_its_beginning_to_its_end_and_for_one_person() {
    let ida = person("ida", &[Role::ApproverIt]);
    let delegation = from_bea_to(&ida);
    let request = opened(Tier::Tier1);
    assert_eq!(code(for_bea(&request, &ingo(), &delegation)), "DELEGATION_NOT_HOLDING");
    assert_eq!(code(for_bea(&request, &ida, &Delegation::default())), "DELEGATION_NOT_HOLDING");
    assert!(delegation.held_at(now()) && !delegation.held_at(now() + days(7)));
    assert!(!delegation.held_at(now() - SignedDuration::from_secs(1)));
    let mut over = delegation.clone();
    over.evolve(&end_delegation(&delegation, &ida, now() + days(1)).unwrap().unwrap());
    assert!(over.held_at(now()) && !over.held_at(now() + days(1)) && !over.is_open(now()));
    assert!(end_delegation(&over, &ida, now()).unwrap().is_none());
    assert_eq!(end_delegation(&delegation, &ingo(), now()).unwrap_err().code, "DELEGATION_NOT_YOURS");
    assert!(end_delegation(&delegation, &person("ada", &[Role::Admin]), now()).is_ok());
    assert_eq!(end_delegation(&Delegation::default(), &ida, now()).unwrap_err().code, "DELEGATION_NOT_FOUND");
}

#[test]
fn only_an_own_approver_role_to_somebody_else_for_a_month_at_most() {
    let sound = Delegate {
        delegation_id: "d-1",
        to: "https://idp.example|ida",
        to_name: "Ida",
        role: Role::ApproverBusiness,
        starts: None,
        ends: Some(now() + days(30)),
        reason: "holiday",
    };
    let refused = |ask: Delegate<'_>, open, from: &Actor| {
        let refusal = delegate(&Delegation::default(), &ask, open, from, now()).unwrap_err();
        assert!(!refusal.next_action.is_empty());
        (refusal.field, refusal.code)
    };
    assert!(delegate(&Delegation::default(), &sound, 0, &bea(), now()).is_ok());
    assert_eq!(refused(sound.clone(), 0, &ingo()).1, "DELEGATION_NOT_YOURS");
    // No chain: a role that was handed over is not held, so it cannot be handed on.
    assert_eq!(refused(sound.clone(), 0, &person("ida", &[Role::ApproverIt])).1, "DELEGATION_NOT_YOURS");
    assert_eq!(refused(Delegate { role: Role::Operator, ..sound.clone() }, 0, &olga()).0, "role");
    assert_eq!(refused(Delegate { to: &bea().id, ..sound.clone() }, 0, &bea()).0, "to");
    assert_eq!(refused(Delegate { to: " ", ..sound.clone() }, 0, &bea()).0, "to");
    assert_eq!(refused(Delegate { reason: "", ..sound.clone() }, 0, &bea()).0, "reason");
    assert_eq!(refused(sound.clone(), 20, &bea()).1, "TOO_MANY_DELEGATIONS");
    for ends in [None, Some(now()), Some(now() - days(1)), Some(now() + days(30) + SignedDuration::from_secs(1))] {
        assert_eq!(refused(Delegate { ends, ..sound.clone() }, 0, &bea()).0, "ends", "{ends:?}");
    }
    let far = Delegate { starts: Some(now() + days(91)), ends: Some(now() + days(92)), ..sound.clone() };
    assert_eq!(refused(far, 0, &bea()).0, "starts");
    let mut machine = bea();
    machine.set_kind(ActorKind::Machine);
    assert_eq!(refused(sound.clone(), 0, &machine).1, "PERSON_REQUIRED");
    // Nothing is decided in the past.
    let past = Delegate { starts: Some(now() - days(60)), ..sound };
    let mut delegation = Delegation::default();
    delegation.evolve(&delegate(&delegation, &past, 0, &bea(), now()).unwrap().unwrap());
    assert!(!delegation.held_at(now() - SignedDuration::from_secs(1)) && delegation.held_at(now()));
}
