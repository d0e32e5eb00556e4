//! Policies with AND, OR and N-of-M: what they demand, compared with trying out every assignment of people to places.

use proptest::prelude::*;

use super::super::demand::{Demand, missing_for};
use super::super::expression::{Place, ways};
use super::super::seats::Voice;
use super::*;
use crate::pb::inventory::v1::{
    ApprovalAll, ApprovalAny, ApprovalAtLeast, ApprovalExpression, ApproverGroup, approval_expression::Kind,
};
use crate::pb::request::v1::ApprovalPolicy;

const IT: Role = Role::ApproverIt;
const BUSINESS: Role = Role::ApproverBusiness;

fn expression(kind: Kind) -> ApprovalExpression {
    ApprovalExpression { kind: Some(kind) }
}

fn role(role: Role) -> ApprovalExpression {
    expression(Kind::Role(role.into()))
}

fn named(name: &str) -> ApprovalExpression {
    expression(Kind::Person(person(name, &[]).id))
}

fn people(name: &str, members: &[&str]) -> ApprovalExpression {
    let people = members.iter().map(|member| person(member, &[]).id).collect();
    expression(Kind::Group(ApproverGroup { name: name.into(), people }))
}

fn all(of: Vec<ApprovalExpression>) -> ApprovalExpression {
    expression(Kind::All(ApprovalAll { of }))
}

fn any(of: Vec<ApprovalExpression>) -> ApprovalExpression {
    expression(Kind::Any(ApprovalAny { of }))
}

fn at_least(count: u32, of: Vec<ApprovalExpression>) -> ApprovalExpression {
    expression(Kind::AtLeast(ApprovalAtLeast { count, of }))
}

fn policy(require: &[(Role, u32)], expressions: Vec<ApprovalExpression>) -> ApprovalPolicy {
    let require =
        require.iter().map(|(role, count)| inv::ApprovalRequirement { role: (*role).into(), count: *count }).collect();
    ApprovalPolicy { source: "test".into(), require, expressions, ..ApprovalPolicy::default() }
}

/// A request whose policy is raised by this expression.
fn opened_under(tier: Tier, expression: ApprovalExpression) -> Request {
    let rule = inv::ApprovalRule { expression: Some(expression), ..Default::default() };
    let spec = inv::PolicySpec { approvals: vec![rule], ..Default::default() };
    let facts = Facts { policies: vec![policy_document("strict", spec)], ..Facts::of(vec![resource(tier)]) };
    facts.opened(&command())
}

#[test]
fn a_group_and_an_alternative_are_asked_for_in_words_and_filled_by_different_people() {
    let dbas = people("DBAs", &["dora", "dan"]);
    let mut request = opened_under(Tier::Tier2, any(vec![dbas, role(IT)]));
    assert_eq!(request.view.missing, ["one approval by Approver-IT", "one of: group DBAs, Approver-IT"]);

    // Dora is in the group and an approver of the business: for the built-in place of IT she does not count.
    let dora = person("dora", &[BUSINESS]);
    let decision = yes(&request, &dora);
    apply(&mut request, decision);
    assert_eq!(request.view.approvals[0].place, "group DBAs");
    assert_eq!(request.view.approvals[0].as_role(), BUSINESS);
    assert_eq!(request.view.missing, ["one approval by Approver-IT"]);
    assert_eq!(code(yes(&request, &person("dan", &[BUSINESS]))), "APPROVAL_NOT_NEEDED");
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::Approved);
}

#[test]
fn one_person_never_fills_two_places() {
    let mut request = opened_under(Tier::Tier2, named("ingo"));
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    assert_eq!(request.view.missing, ["one approval by Approver-IT"], "he is the named person, so IT is still missing");
    assert_eq!(code(yes(&request, &ingo())), "ALREADY_APPROVED");
}

#[test]
fn the_long_way_stays_open_while_the_short_one_is_not_gone() {
    let both = all(vec![named("dora"), named("dan")]);
    let mut request = opened_under(Tier::Tier2, any(vec![both, named("max")]));
    // Dora alone is nearer to nothing than Max would be, and still on a way to a yes.
    for (who, left) in [("dora", 2), ("dan", 1)] {
        let decision = yes(&request, &person(who, &[BUSINESS]));
        apply(&mut request, decision);
        assert_eq!(request.view.missing.len(), left, "{:?}", request.view.missing);
    }
    assert_eq!(request.view.missing, ["one approval by Approver-IT"]);
}

#[test]
fn two_of_three_need_two_different_ones() {
    let three = at_least(2, vec![named("dora"), named("dan"), people("leads", &["lea", "dora"])]);
    let mut request = opened_under(Tier::Tier2, three);
    let dora = person("dora", &[BUSINESS]);
    assert!(request.view.missing[1].starts_with("2 of: "), "{:?}", request.view.missing);
    let decision = yes(&request, &dora);
    apply(&mut request, decision);
    // Dora fills one of her two places; the other still needs somebody else.
    assert!(request.view.missing[1].starts_with("one of: "), "{:?}", request.view.missing);
    let decision = yes(&request, &person("lea", &[BUSINESS]));
    apply(&mut request, decision);
    assert_eq!(request.view.missing, ["one approval by Approver-IT"]);
}

#[test]
fn what_nobody_can_work_out_is_refused_and_never_satisfied() {
    let wide = at_least(8, (0..20).map(|i| named(&format!("p{i}"))).collect());
    let deep = (0..12).fold(role(IT), |inner, _| all(vec![inner]));
    let unusable = [wide, deep, all(vec![]), any(vec![]), at_least(3, vec![role(IT)]), ApprovalExpression::default()];
    for expression in unusable {
        let policy = policy(&[(IT, 1)], vec![expression.clone()]);
        let everybody: Vec<Actor> = (0..20).map(|i| person(&format!("p{i}"), &[IT, BUSINESS])).collect();
        let voices: Vec<Voice<'_>> = everybody.iter().map(Voice::own).collect();
        assert!(!missing_for(&policy, &voices).is_empty(), "{expression:?}");

        let rule = inv::ApprovalRule { expression: Some(expression), ..Default::default() };
        let spec = inv::PolicySpec { approvals: vec![rule], ..Default::default() };
        let policies = vec![policy_document("wild", spec)];
        assert!(first_unusable(&policies.iter().collect::<Vec<_>>()).is_some());
        let facts = Facts { policies, ..Facts::of(vec![resource(Tier::Tier2)]) };
        assert_eq!(facts.open(&command(), &olga()).unwrap_err().code, "POLICY_UNUSABLE");
    }
}

#[test]
fn who_must_approve_is_said_in_a_sentence() {
    let words = |policy| policy_words(&policy);
    assert_eq!(words(policy(&[(IT, 1)], vec![])), "one Approver-IT, not the requester");
    assert_eq!(
        words(policy(&[(IT, 1), (BUSINESS, 1)], vec![])),
        "one Approver-IT and one Approver-Business, two different people, none of them the requester"
    );
    assert_eq!(
        words(policy(&[(IT, 2)], vec![any(vec![people("DBAs", &["dora"]), all(vec![role(IT), role(BUSINESS)])])])),
        "two Approver-IT and one of: group DBAs, (all of: Approver-IT, Approver-Business), \
         3 to 4 different people, none of them the requester"
    );
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn any_expression() -> impl Strategy<Value = ApprovalExpression> {
    let leaf = prop_oneof![
        Just(role(IT)),
        Just(role(BUSINESS)),
        (0usize..5).prop_map(|i| named(NAMES[i])),
        prop::collection::vec(0usize..5, 1..4)
            .prop_map(|of| people("g", &of.iter().map(|i| NAMES[*i]).collect::<Vec<_>>())),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let list = prop::collection::vec(inner, 1..4);
        prop_oneof![
            list.clone().prop_map(all),
            list.clone().prop_map(any),
            (1u32..3, list).prop_map(|(count, of)| at_least(count.min(of.len() as u32), of)),
        ]
    })
}

fn anybody() -> impl Strategy<Value = Vec<Actor>> {
    let roles = prop_oneof![Just(vec![]), Just(vec![IT]), Just(vec![BUSINESS]), Just(vec![IT, BUSINESS])];
    prop::collection::vec(roles, 5).prop_flat_map(|roles| {
        let everybody: Vec<Actor> = NAMES.iter().zip(&roles).map(|(name, roles)| person(name, roles)).collect();
        prop::sample::subsequence(everybody, 0..=5)
    })
}

/// By the plainest possible reading: is there any way whose places can be given to different people?
fn satisfied_by_trying(policy: &ApprovalPolicy, people: &[Actor]) -> bool {
    let mut whole: Vec<Vec<Place<'_>>> = vec![
        policy
            .require
            .iter()
            .flat_map(|required| std::iter::repeat_n(Place::Role(required.role), required.count as usize))
            .collect(),
    ];
    for expression in &policy.expressions {
        let own = ways(expression).unwrap();
        whole =
            whole.iter().flat_map(|so_far| own.iter().map(|way| so_far.iter().chain(way).copied().collect())).collect();
    }
    whole.iter().any(|places| assign(places, people, 0))
}

fn assign(places: &[Place<'_>], people: &[Actor], used: u32) -> bool {
    let Some((place, rest)) = places.split_first() else { return true };
    (0..people.len())
        .any(|i| used & (1 << i) == 0 && Voice::own(&people[i]).can_fill(*place) && assign(rest, people, used | 1 << i))
}

proptest! {
    /// The matching and the plain reading agree on who satisfies what, whatever the policy and whoever decided.
    #[test]
    fn satisfied_exactly_when_different_people_fill_all_places(
        expressions in prop::collection::vec(any_expression(), 0..3), it in 0u32..3, people in anybody()
    ) {
        let policy = policy(&[(IT, it), (BUSINESS, 1)], expressions);
        prop_assume!(Demand::of(&policy).is_ok());
        let voices: Vec<Voice<'_>> = people.iter().map(Voice::own).collect();
        prop_assert_eq!(missing_for(&policy, &voices).is_empty(), satisfied_by_trying(&policy, &people));
    }

    /// Nobody's yes is counted before it helps, and one that helps is never turned away: asking everybody in turn ends
    /// satisfied exactly when everybody together satisfies it.
    #[test]
    fn people_who_come_one_after_the_other_get_where_all_together_get(
        expressions in prop::collection::vec(any_expression(), 1..3), people in anybody()
    ) {
        let policy = policy(&[(IT, 1)], expressions);
        let demand = Demand::of(&policy);
        prop_assume!(demand.is_ok());
        let demand = demand.unwrap();
        let mut heard: Vec<Voice<'_>> = Vec::new();
        // Twice: who came too early for one way may be needed for another.
        for person in people.iter().chain(&people) {
            if heard.iter().any(|voice| voice.people.contains(&person.id.as_str())) {
                continue;
            }
            heard.push(Voice::own(person));
            if demand.place_of_last(&heard).is_none() {
                heard.pop();
            }
        }
        prop_assert_eq!(missing_for(&policy, &heard).is_empty(), satisfied_by_trying(&policy, &people));
    }

    /// More people never make anything missing.
    #[test]
    fn another_yes_never_takes_one_away(expression in any_expression(), people in anybody()) {
        let policy = policy(&[(IT, 1)], vec![expression]);
        prop_assume!(Demand::of(&policy).is_ok());
        let voices: Vec<Voice<'_>> = people.iter().map(Voice::own).collect();
        let satisfied: Vec<bool> =
            (0..=voices.len()).map(|n| missing_for(&policy, &voices[..n]).is_empty()).collect();
        prop_assert!(satisfied.windows(2).all(|pair| pair[0] <= pair[1]), "{satisfied:?}");
    }
}
