//! What an approval is for: one text of the plan, one version of everything it moves, one level of the gate.

use super::*;
use crate::pb::request::v1::GateLevel;

fn approved() -> Request {
    let mut request = opened(Tier::Tier2);
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    request
}

#[test]
fn an_approver_approves_the_hash_that_was_looked_at() {
    let request = opened(Tier::Tier2);
    let hash = request.view.opened.as_ref().unwrap().plan.as_ref().unwrap().hash.clone();
    let looked_at = |plan_hash: &str| approve(&request, &ingo(), &Yes { plan_hash, ..Yes::default() }, now());
    assert_eq!(code(looked_at("0000")), "PLAN_HASH_MISMATCH");
    for seen in [hash.as_str(), ""] {
        match looked_at(seen).unwrap().unwrap().event {
            Some(Event::Approved(approved)) => assert_eq!(approved.plan_hash, hash, "it is written down either way"),
            _ => panic!("not approved"),
        }
    }
}

#[test]
fn a_change_of_any_member_the_group_or_the_plan_needs_new_approvals() {
    let documents = vec![resource(Tier::Tier2), group("shop", &["orders-db"])];
    let ask = OpenRequest { resource: String::new(), group: "shop".into(), ..command() };
    let opened = Facts::of(documents.clone()).opened(&ask).view.opened.unwrap();
    let check =
        |documents: &[inv::Document]| as_approved(&opened, &inventory(documents), None).map_err(|refusal| refusal.code);
    assert_eq!(check(&documents), Ok(()));
    let changed = |index: usize, change: fn(&mut inv::Document)| {
        let mut documents = documents.clone();
        change(&mut documents[index]);
        check(&documents)
    };
    let resource_changed = Err("RESOURCE_CHANGED".to_owned());
    let plan_changed = Err("PLAN_CHANGED".to_owned());
    assert_eq!(changed(0, |document| document.version += 1), resource_changed);
    assert_eq!(changed(0, |document| document.retired = true), resource_changed);
    assert_eq!(changed(1, |document| document.version += 1), plan_changed);
    assert_eq!(changed(1, |document| document.retired = true), plan_changed);
    let mut joined = documents.clone();
    joined[1] = group("shop", &["orders-db", "cart"]);
    joined.push(inv::Document { name: "cart".into(), ..resource(Tier::Tier3) });
    assert_eq!(check(&joined), plan_changed, "another member joined without another version");
    let mut named = opened.clone();
    named.plan.as_mut().unwrap().name = "move-shop".into();
    assert_eq!(as_approved(&named, &inventory(&documents), None).unwrap_err().code, "PLAN_CHANGED");
    // Opened before plans were: the version of its resource is what was approved.
    let before =
        RequestOpened { plan: None, members: vec![], resource: "orders-db".into(), resource_version: 3, ..opened };
    assert_eq!(as_approved(&before, &inventory(&documents), None), Ok(()));
}

#[test]
fn an_executor_runs_no_approval_of_another_plan_or_of_a_machine() {
    let mut request = approved();
    let decision = go(&request, &olga(), PHRASE);
    apply(&mut request, decision);
    assert!(proven(&request).is_ok());
    let mut other = request.clone();
    other.view.approvals[0].plan_hash = "0000".into();
    assert!(proven(&other).is_err());
    request.view.approvals[0].approver.as_mut().unwrap().set_kind(ActorKind::Machine);
    assert!(proven(&request).is_err());
}

fn level(level: GateLevel) -> Gate {
    Gate { level: Some(level), because: "decided by two".into(), ..Gate::default() }
}

fn effective(of_type: &Gate, tier: Tier) -> gate::Effective {
    gate::effective(RequestType::ReadinessDrill, "", tier, Environment::Production, of_type, &Gate::default())
}

#[test]
fn a_low_gate_lets_it_pass_without_approvals_only_while_it_is_low() {
    let facts = Facts { gate: level(GateLevel::L0), ..Facts::of(vec![resource(Tier::Tier2)]) };
    let drill = OpenRequest { kind: RequestType::ReadinessDrill, ..command() };
    let mut request = facts.opened(&drill);
    assert_eq!((request.view.state(), request.view.missing.len()), (RequestState::Approved, 0));
    assert_eq!(code(yes(&request, &ingo())), "NOT_AN_APPROVER", "nobody has to");
    let phrase = "readiness-drill orders-db";
    let raised = StartTerms { gate: Some(effective(&Gate::default(), Tier::Tier2)), ..Default::default() };
    assert_eq!(code(start(&request, &olga(), phrase, &raised, now())), "GATE_CLOSED");
    let low = effective(&level(GateLevel::L0), Tier::Tier2);
    let terms = StartTerms { gate: Some(low.clone()), ..Default::default() };
    let decision = start(&request, &olga(), phrase, &terms, now());
    apply(&mut request, decision);
    assert!(proven_by(&request, &Witness { gate: Some(low), ..Default::default() }).is_ok());
    assert!(proven(&request).is_err(), "without the gate nothing is proven");
    let raised = Witness { gate: raised.gate, ..Default::default() };
    assert!(proven_by(&request, &raised).is_err());
}

#[test]
fn at_l3_people_act_and_muster_starts_nothing() {
    let request = approved();
    let closed = gate::effective(
        RequestType::Switchover,
        "",
        Tier::Tier2,
        Environment::Production,
        &level(GateLevel::L3),
        &Gate::default(),
    );
    let terms = StartTerms { gate: Some(closed), ..Default::default() };
    assert_eq!(code(start(&request, &olga(), PHRASE, &terms, now())), "GATE_CLOSED");
}
