//! A shop: an order book, a ledger that needs it, a cart that needs both; at fra, to be moved to ams.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::inventory::{Declared, TenantInventory, declare};
use crate::pb::common::v1::{Actor, ActorKind, Environment, Role, Tier};
use crate::pb::inventory::v1 as pb;
use crate::pb::inventory::v1::{Document, Kind, document::Spec, resource_spec::Platform};
use crate::pb::plan::v1::{Action, Lint, MoveAction, NotifyAction, Phase, PlanSpec, PlanStep, action, plan_spec};
use crate::pb::request::v1::{ApprovalPolicy, RequestType};
use crate::plan::{Surroundings, lint};
use crate::time::{PbDuration, duration_to_pb};

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub(super) fn minutes(count: i64) -> Option<PbDuration> {
    Some(duration_to_pb(SignedDuration::from_mins(count)))
}

pub(super) fn person(id: &str) -> Actor {
    Actor { id: id.into(), name: id.into(), kind: ActorKind::Person.into(), roles: vec![Role::ApproverIt.into()] }
}

pub(super) fn document(kind: Kind, name: &str, version: u64, spec: Spec) -> Document {
    Document { kind: kind.into(), name: name.into(), version, spec: Some(spec), ..Default::default() }
}

pub(super) fn resource(agent: &str) -> pb::ResourceSpec {
    let node = |site: &str| pb::PostgresqlNode { site: site.into(), agent: agent.into(), ..Default::default() };
    let account = |user: &str| Some(pb::Credential { user: user.into(), password_ref: format!("file:{user}") });
    pb::ResourceSpec {
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        primary_site: "fra".into(),
        dr_site: "ams".into(),
        rto: minutes(10),
        platform: Some(Platform::Postgresql(pb::PostgresqlTarget {
            nodes: vec![node("fra"), node("ams")],
            execute: account("exec"),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// Declared as often as `version` says, each time a little different, as people do.
pub(super) fn add(inventory: &mut TenantInventory, document: &Document) {
    let known = Declared { document: inventory.get(document.kind(), &document.name).cloned() };
    if let Some(event) = declare(&known, document, "ada", now()) {
        inventory.apply(&event);
    }
}

pub(super) fn group(members: &[(&str, &[&str])]) -> pb::GroupSpec {
    let member = |(resource, depends_on): &(&str, &[&str])| pb::GroupMember {
        resource: (*resource).into(),
        depends_on: depends_on.iter().map(|name| (*name).into()).collect(),
    };
    pb::GroupSpec { display_name: "Shop".into(), members: members.iter().map(member).collect() }
}

pub(super) fn shop() -> TenantInventory {
    let mut inventory = TenantInventory::default();
    for name in ["orders-db", "ledger", "cart"] {
        add(&mut inventory, &document(Kind::Resource, name, 1, Spec::ResourceSpec(resource("agent"))));
    }
    // Written last to first, so that no order comes by luck.
    let spec = group(&[("cart", &["ledger", "orders-db"]), ("ledger", &["orders-db"]), ("orders-db", &[])]);
    add(&mut inventory, &document(Kind::Group, "shop", 1, Spec::GroupSpec(spec)));
    inventory
}

pub(super) fn step(id: &str, after: &[&str], kind: action::Kind) -> PlanStep {
    PlanStep {
        id: id.into(),
        after: after.iter().map(|id| (*id).into()).collect(),
        action: Some(Action { kind: Some(kind) }),
        timeout: minutes(1),
        ..Default::default()
    }
}

pub(super) fn moves(id: &str, after: &[&str], resource: &str) -> PlanStep {
    step(id, after, action::Kind::Move(MoveAction { resource: resource.into() }))
}

pub(super) fn tells(id: &str, after: &[&str]) -> PlanStep {
    step(id, after, action::Kind::Notify(NotifyAction { text: "done".into() }))
}

pub(super) fn phase(name: &str, steps: Vec<PlanStep>) -> Phase {
    Phase { name: name.into(), steps, ..Default::default() }
}

pub(super) fn plan_of(group: &str, phases: Vec<Phase>) -> PlanSpec {
    PlanSpec {
        scope: Some(plan_spec::Scope::Group(group.into())),
        owner: "team-shop".into(),
        from_site: "fra".into(),
        to_site: "ams".into(),
        rto: minutes(60),
        phases,
        ..Default::default()
    }
}

/// Tell, then move the databases, then the cart, then tell.
pub(super) fn shop_plan() -> PlanSpec {
    plan_of(
        "shop",
        vec![
            phase("before", vec![tells("tell", &[])]),
            phase("data", vec![moves("ledger", &["orders"], "ledger"), moves("orders", &[], "orders-db")]),
            phase("caches", vec![moves("cart", &[], "cart"), tells("done", &["cart"])]),
        ],
    )
}

/// The findings where secrets and commands are there and the policy is the built-in one.
pub(super) fn findings(spec: &PlanSpec, inventory: &TenantInventory) -> Vec<Lint> {
    let policies: Vec<&Document> = inventory.all(Kind::Policy).collect();
    let policy = |tier: Tier, environment: Environment, kind: RequestType| -> ApprovalPolicy {
        crate::request::effective_policy(&policies, tier, environment, kind).policy
    };
    let commands = BTreeSet::from(["flush-cdn".to_owned()]);
    lint(
        spec,
        &Surroundings { inventory, policy: &policy, commands: Some(&commands), secret_resolves: &|_: &str| Some(true) },
    )
}

pub(super) fn codes(findings: &[Lint]) -> Vec<&str> {
    findings.iter().map(|lint| lint.code.as_str()).collect()
}
