#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod binding;
mod break_glass;
mod delegations;
mod escalations;
mod expressions;
mod freezes;
mod groups;
mod overrides;
mod step_up;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::gate::{self, Gate};
use crate::inventory::TenantInventory;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1 as inv;
use crate::pb::request::v1::RequestOpened;
use crate::plan;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn person(name: &str, roles: &[Role]) -> Actor {
    Actor {
        id: format!("https://idp.example|{name}"),
        name: name.into(),
        kind: ActorKind::Person.into(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
    }
}

fn resource(tier: Tier) -> inv::Document {
    let node = |name: &str, site: &str| inv::PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port: 5432,
        agent: name.into(),
    };
    let target = inv::PostgresqlTarget {
        nodes: vec![node("a", "fra"), node("b", "ams")],
        execute: Some(inv::Credential { user: "x".into(), password_ref: "file:x".into() }),
        ..Default::default()
    };
    inv::Document {
        kind: inv::Kind::Resource.into(),
        tenant: "acme".into(),
        name: "orders-db".into(),
        version: 3,
        spec: Some(inv::document::Spec::ResourceSpec(inv::ResourceSpec {
            tier: tier.into(),
            environment: Environment::Production.into(),
            primary_site: "fra".into(),
            dr_site: "ams".into(),
            platform: Some(inv::resource_spec::Platform::Postgresql(target)),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn command() -> OpenRequest {
    OpenRequest {
        request_id: "r-1".into(),
        kind: RequestType::Switchover,
        resource: "orders-db".into(),
        target_site: "ams".into(),
        reason: "patch night".into(),
        ticket: "CHG-1".into(),
        ..OpenRequest::default()
    }
}

fn group(name: &str, members: &[&str]) -> inv::Document {
    let members =
        members.iter().map(|resource| inv::GroupMember { resource: (*resource).into(), ..Default::default() });
    inv::Document {
        kind: inv::Kind::Group.into(),
        tenant: "acme".into(),
        name: name.into(),
        version: 2,
        spec: Some(inv::document::Spec::GroupSpec(inv::GroupSpec { members: members.collect(), ..Default::default() })),
        ..Default::default()
    }
}

fn inventory(documents: &[inv::Document]) -> TenantInventory {
    let mut inventory = TenantInventory::default();
    documents.iter().for_each(|document| inventory.insert(document.clone()));
    inventory
}

/// What an opening is judged by, for tests to change.
#[derive(Default)]
struct Facts {
    documents: Vec<inv::Document>,
    policies: Vec<inv::Document>,
    plan: Option<inv::Document>,
    gate: Gate,
    seen_at: BTreeMap<String, String>,
    earlier: Option<Earlier>,
}

impl Facts {
    fn of(documents: Vec<inv::Document>) -> Self {
        Self { documents, ..Self::default() }
    }

    fn open(&self, command: &OpenRequest, requester: &Actor) -> Result<Option<RequestEvent>, Refusal> {
        self.open_on(&Request::default(), command, requester)
    }

    fn open_on(
        &self,
        request: &Request,
        command: &OpenRequest,
        requester: &Actor,
    ) -> Result<Option<RequestEvent>, Refusal> {
        let inventory = inventory(&self.documents);
        let (group, resource) = match &self.earlier {
            Some(earlier) => (&earlier.opened.group, &earlier.opened.resource),
            None => (&command.group, &command.resource),
        };
        let scope = plan::scope(&inventory, group, resource)?;
        let (tier, environment) = worst(&scope);
        let policies: Vec<&inv::Document> = self.policies.iter().collect();
        let policy = effective_policy(&policies, tier, environment, command.kind);
        let gate = gate::effective(command.kind, "", tier, environment, &self.gate, &Gate::default());
        let case = Case {
            scope: &scope,
            plan: self.plan.as_ref(),
            policy: &policy,
            gate: &gate,
            evidence: None,
            seen_at: &self.seen_at,
            last_seen: &self.seen_at,
            earlier: self.earlier.as_ref(),
        };
        open(request, command, &case, requester, now())
    }

    /// Opened by Olga, who is an operator.
    fn opened(&self, command: &OpenRequest) -> Request {
        let mut request = Request::default();
        apply(&mut request, self.open(command, &olga()));
        request
    }
}

fn olga() -> Actor {
    person("olga", &[Role::Operator, Role::ApproverIt])
}

fn ingo() -> Actor {
    person("ingo", &[Role::ApproverIt])
}

fn bea() -> Actor {
    person("bea", &[Role::ApproverBusiness])
}

fn yes(request: &Request, who: &Actor) -> Result<Option<RequestEvent>, Refusal> {
    approve(request, who, &Yes::default(), now())
}

fn go(request: &Request, who: &Actor, phrase: &str) -> Result<Option<RequestEvent>, Refusal> {
    start(request, who, phrase, &StartTerms::default(), now())
}

fn policy_document(name: &str, spec: inv::PolicySpec) -> inv::Document {
    inv::Document {
        kind: inv::Kind::Policy.into(),
        name: name.into(),
        version: 2,
        spec: Some(inv::document::Spec::PolicySpec(spec)),
        ..Default::default()
    }
}

fn apply(request: &mut Request, decision: Result<Option<RequestEvent>, Refusal>) {
    let event = decision.unwrap_or_else(|r| panic!("refused: {}", crate::refusal::describe(&r))).unwrap();
    request.evolve(&event);
}

fn opened(tier: Tier) -> Request {
    Facts::of(vec![resource(tier)]).opened(&command())
}

fn code(decision: Result<Option<RequestEvent>, Refusal>) -> String {
    decision.unwrap_err().code
}

const PHRASE: &str = "switchover orders-db from fra to ams";

#[test]
fn tier_1_needs_it_and_business_then_the_phrase() {
    let mut request = opened(Tier::Tier1);
    let olga = person("olga", &[Role::Operator, Role::ApproverIt]);
    assert_eq!(request.view.state(), RequestState::PendingApproval);
    assert_eq!(request.view.missing.len(), 2);
    assert_eq!(code(go(&request, &olga, PHRASE)), "NOT_APPROVED");

    assert_eq!(code(yes(&request, &olga)), "APPROVER_IS_REQUESTER");
    let decision = yes(&request, &person("ingo", &[Role::ApproverIt]));
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::PendingApproval);
    assert_eq!(request.view.missing, ["one approval by Approver-Business"]);
    assert_eq!(code(go(&request, &olga, PHRASE)), "NOT_APPROVED");
    assert_eq!(code(yes(&request, &person("ingo", &[Role::ApproverBusiness]))), "ALREADY_APPROVED");
    assert_eq!(code(yes(&request, &person("ida", &[Role::ApproverIt]))), "APPROVAL_NOT_NEEDED");

    let decision = yes(&request, &person("bea", &[Role::ApproverBusiness]));
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::Approved);
    let wrong = go(&request, &olga, "switchover billing-db from fra to ams").unwrap_err();
    assert_eq!((wrong.code.as_str(), wrong.field.as_str()), ("PHRASE_WRONG", "confirmation"));
    assert_eq!(code(go(&request, &person("bea", &[Role::ApproverBusiness]), PHRASE)), "ROLE_MISSING");
    let decision = go(&request, &olga, PHRASE);
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::Confirmed);
    assert_eq!(code(go(&request, &olga, PHRASE)), "REQUEST_CLOSED");
}

#[test]
fn a_used_key_answers_only_the_question_it_was_used_for() {
    let request = opened(Tier::Tier1);
    assert_eq!(same_question(&request, &OpenRequest { reason: " patch night ".into(), ..command() }), Ok(()));
    let glass = BreakGlassAsk { incident: "INC-1".into(), reason: "now".into(), limit: None };
    let others = [
        OpenRequest { kind: RequestType::Failover, ..command() },
        OpenRequest { target_site: "fra".into(), ..command() },
        OpenRequest { reason: "another".into(), ..command() },
        OpenRequest { ticket: String::new(), ..command() },
        OpenRequest { resource: "billing-db".into(), ..command() },
        OpenRequest { resource: String::new(), group: "shop".into(), ..command() },
        OpenRequest { plan: "other".into(), ..command() },
        OpenRequest { break_glass: Some(glass), ..command() },
        OpenRequest { rollback_of: "r-0".into(), ..command() },
    ];
    for other in others {
        let refused = same_question(&request, &other).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.field.as_str()), ("IDEMPOTENCY_KEY_REUSED", "idempotency_key"));
    }
}

#[test]
fn what_approvers_read_holds_nothing_invisible() {
    let request = opened(Tier::Tier1);
    let ingo = person("ingo", &[Role::ApproverIt]);
    for hidden in ["a\0b", "\u{1b}[2Jnothing to see", "\u{202e}reversed"] {
        assert_eq!(approve(&request, &ingo, &Yes { note: hidden, ..Yes::default() }, now()).unwrap_err().field, "note");
        assert_eq!(deny(&request, &ingo, hidden, now()).unwrap_err().field, "reason");
    }
    assert!(deny(&request, &ingo, "first line\r\nsecond", now()).is_ok());
}

#[test]
fn an_executor_finds_the_proof_in_the_log_and_misses_what_is_not_there() {
    let mut request = opened(Tier::Tier2);
    assert_eq!(proven(&request).unwrap_err().code, "APPROVAL_NOT_PROVEN");
    let decision = yes(&request, &person("ingo", &[Role::ApproverIt]));
    apply(&mut request, decision);
    assert!(proven(&request).is_err(), "approved and not confirmed");
    let decision = go(&request, &person("olga", &[Role::Operator]), PHRASE);
    apply(&mut request, decision);
    assert!(proven(&request).is_ok());

    // What no decision of ours writes, and an executor must not act on.
    let forged = |forge: fn(&mut RequestView)| {
        let mut request = request.clone();
        forge(&mut request.view);
        proven(&request).unwrap_err().code
    };
    assert_eq!(forged(|view| view.approvals.clear()), "APPROVAL_NOT_PROVEN");
    assert_eq!(
        forged(|view| view.approvals[0].approver = view.opened.as_ref().unwrap().requester.clone()),
        "APPROVAL_NOT_PROVEN"
    );
    assert_eq!(forged(|view| view.opened.as_mut().unwrap().policy = None), "APPROVAL_NOT_PROVEN");
    assert_eq!(forged(|view| view.confirmed.as_mut().unwrap().phrase = "yes".into()), "APPROVAL_NOT_PROVEN");
}

#[test]
fn a_request_holds_for_one_version_of_the_resource() {
    let request = opened(Tier::Tier2);
    let opened = request.view.opened.as_ref().unwrap();
    let document = resource(Tier::Tier2);
    assert!(unchanged(opened, Some(&document)).is_ok());
    for changed in [
        None,
        Some(inv::Document { version: 4, ..document.clone() }),
        Some(inv::Document { retired: true, ..document }),
    ] {
        assert_eq!(unchanged(opened, changed.as_ref()).unwrap_err().code, "RESOURCE_CHANGED");
    }
}

#[test]
fn one_person_with_both_approver_roles_fills_one_place_and_blocks_nobody() {
    let mut request = opened(Tier::Tier1);
    let both = person("bo", &[Role::ApproverIt, Role::ApproverBusiness]);
    let decision = yes(&request, &both);
    apply(&mut request, decision);
    assert_eq!(request.view.missing.len(), 1);
    // Whoever comes second, the first one moves to the other place.
    let decision = yes(&request, &person("ingo", &[Role::ApproverIt]));
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::Approved);
}

#[test]
fn machines_and_non_approvers_decide_nothing() {
    let request = opened(Tier::Tier2);
    let mut machine = person("ci", &[Role::ApproverIt]);
    machine.set_kind(ActorKind::Machine);
    assert_eq!(code(yes(&request, &machine)), "PERSON_REQUIRED");
    assert_eq!(code(yes(&request, &person("vera", &[Role::Viewer]))), "NOT_AN_APPROVER");
    // Business alone does not decide on tier 2, where the policy names IT only.
    assert_eq!(code(yes(&request, &person("bea", &[Role::ApproverBusiness]))), "NOT_AN_APPROVER");
}

#[test]
fn a_denial_ends_it_and_needs_a_reason() {
    let mut request = opened(Tier::Tier1);
    let ingo = person("ingo", &[Role::ApproverIt]);
    assert_eq!(code(deny(&request, &ingo, "  ", now())), "FIELD_INVALID");
    let decision = deny(&request, &ingo, "quarter end", now());
    apply(&mut request, decision);
    assert_eq!(request.view.state(), RequestState::Denied);
    assert_eq!(code(yes(&request, &person("bea", &[Role::ApproverBusiness]))), "REQUEST_CLOSED");
}

#[test]
fn an_approval_does_not_outlive_the_request() {
    let mut request = opened(Tier::Tier2);
    let decision = yes(&request, &person("ingo", &[Role::ApproverIt]));
    apply(&mut request, decision);
    let late = now() + SignedDuration::from_hours(4);
    assert_eq!(
        code(start(&request, &person("olga", &[Role::Operator]), PHRASE, &StartTerms::default(), late)),
        "REQUEST_EXPIRED"
    );
    assert!(expire(&request, late - SignedDuration::from_secs(1)).is_none());
    request.evolve(&expire(&request, late).unwrap());
    assert_eq!(request.view.state(), RequestState::Expired);
    assert!(expire(&request, late).is_none());
}

#[test]
fn bad_requests_name_field_value_limit_and_next_action() {
    let refused = |command: OpenRequest, resource: &inv::Document| {
        let refusal = Facts::of(vec![resource.clone()]).open(&command, &olga()).unwrap_err();
        assert!(!refusal.next_action.is_empty() && !refusal.limit.is_empty(), "{refusal:?}");
        (refusal.field, refusal.code)
    };
    let declared = resource(Tier::Tier1);
    assert_eq!(refused(OpenRequest { target_site: "mars".into(), ..command() }, &declared).0, "target_site");
    assert_eq!(refused(OpenRequest { target_site: String::new(), ..command() }, &declared).0, "target_site");
    assert_eq!(refused(OpenRequest { reason: " ".into(), ..command() }, &declared).0, "reason");
    assert_eq!(refused(OpenRequest { reason: "x".repeat(2001), ..command() }, &declared).0, "reason");
    assert_eq!(refused(OpenRequest { kind: RequestType::Unspecified, ..command() }, &declared).0, "type");
    assert_eq!(refused(OpenRequest { group: "shop".into(), ..command() }, &declared).0, "scope");
    assert_eq!(refused(OpenRequest { rollback_of: "r-0".into(), ..command() }, &declared).0, "rollback_of");
    assert_eq!(refused(OpenRequest { kind: RequestType::Rollback, ..command() }, &declared).0, "rollback_of");
    let mut watched = declared.clone();
    if let Some(inv::document::Spec::ResourceSpec(spec)) = &mut watched.spec
        && let Some(inv::resource_spec::Platform::Postgresql(target)) = &mut spec.platform
    {
        target.execute = None;
    }
    assert_eq!(refused(command(), &watched).1, "RESOURCE_NOT_MOVABLE");
    let retired = inv::Document { retired: true, ..declared };
    assert_eq!(refused(command(), &retired).1, "SCOPE_UNKNOWN");
}

#[test]
fn a_policy_raises_the_floor_and_cannot_lower_it() {
    let rule = |role: Role, count| inv::ApprovalRule {
        require: vec![inv::ApprovalRequirement { role: role.into(), count }],
        expires_after: Some(crate::time::duration_to_pb(SignedDuration::from_hours(400))),
        ..Default::default()
    };
    let document = inv::Document {
        name: "strict".into(),
        version: 2,
        spec: Some(inv::document::Spec::PolicySpec(inv::PolicySpec {
            approvals: vec![rule(Role::ApproverIt, 2), rule(Role::ApproverBusiness, 0)],
            ..Default::default()
        })),
        ..Default::default()
    };
    let policy = effective_policy(&[&document], Tier::Tier1, Environment::Production, RequestType::Failover);
    let counts: Vec<(Role, u32)> = policy.policy.require.iter().map(|r| (r.role(), r.count)).collect();
    assert_eq!(counts, [(Role::ApproverIt, 2), (Role::ApproverBusiness, 1)]);
    assert_eq!(policy.expires_after, policy::DEFAULT_EXPIRY);
    assert_eq!(policy.policy.source, "built-in ADR-001, policy strict version 2");
}

const ROLES: [Role; 4] = [Role::Viewer, Role::Operator, Role::ApproverIt, Role::ApproverBusiness];

proptest! {
    /// Whatever people do in whatever order: nothing is confirmed without two different approvers,
    /// neither the requester, one of each kind.
    #[test]
    fn no_confirmation_without_two_different_approvers(
        steps in prop::collection::vec((0usize..4, 0usize..6, prop::collection::vec(0usize..4, 0..4)), 1..40)
    ) {
        let mut request = opened(Tier::Tier1);
        for (what, who, roles) in steps {
            let name = ["olga", "ingo", "bea", "bo", "vera", "max"][who];
            let actor = person(name, &roles.iter().map(|r| ROLES[*r]).collect::<Vec<_>>());
            let decision = match what {
                0 | 1 => yes(&request, &actor),
                2 => go(&request, &actor, PHRASE),
                _ => go(&request, &actor, "wrong"),
            };
            if let Ok(Some(event)) = decision {
                request.evolve(&event);
            }
            if request.view.state() == RequestState::Confirmed {
                let names: std::collections::BTreeSet<_> =
                    request.view.approvals.iter().map(|a| a.approver.clone().unwrap().name).collect();
                prop_assert!(names.len() >= 2 && !names.contains("olga"));
                let held = |role| request.view.approvals.iter().any(|a| a.approver.as_ref().unwrap().roles().any(|r| r == role));
                prop_assert!(held(Role::ApproverIt) && held(Role::ApproverBusiness));
            }
        }
    }

    /// `evolve` is total: no order of events panics, and a closed request stays closed to decisions.
    #[test]
    fn evolve_takes_any_order(kinds in prop::collection::vec(0u8..7, 0..20)) {
        let mut request = Request::default();
        for kind in kinds {
            let event = match kind {
                0 => Some(Event::Opened(RequestOpened::default())),
                1 => Some(Event::Approved(Default::default())),
                2 => Some(Event::Denied(Default::default())),
                3 => Some(Event::Withdrawn(Default::default())),
                4 => Some(Event::Expired(Default::default())),
                5 => Some(Event::Confirmed(Default::default())),
                _ => None,
            };
            request.evolve(&RequestEvent { event });
            let _ = expire(&request, now());
        }
    }
}
