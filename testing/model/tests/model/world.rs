//! What the model's people and services know: who there is, what is declared, the steps of the run.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Aggregate,
    gate::{self, Gate},
    inventory::TenantInventory,
    pb::{
        common::v1::{Actor, ActorKind, Environment, Role, Tier},
        execution::v1::Step,
        inventory::v1 as inv,
        plan::v1::{Action, CommandAction, FailurePolicy, PlanStep, action::Kind},
        request::v1::RequestType,
    },
    plan,
    request::{self, BreakGlassAsk, Case, OpenRequest, Request, effective_policy},
};

pub(crate) const RESOURCE: &str = "orders-db";
/// The plan's steps, and the way back of its first one. Position: the step's number everywhere in the model.
pub(crate) const STEPS: [&str; 5] = ["freeze", "promote", "dns", "announce", "undo:freeze"];
pub(crate) const FREEZE: usize = 0;
pub(crate) const PROMOTE: usize = 1;
pub(crate) const DNS: usize = 2;
pub(crate) const ANNOUNCE: usize = 3;
pub(crate) const UNDO_FREEZE: usize = 4;
/// The arrows as they were approved: which steps come before each. What a compiler may lose, this does not.
pub(crate) const AFTER: [&[usize]; 5] = [&[], &[FREEZE], &[FREEZE], &[PROMOTE, DNS], &[]];
/// May be run twice. `promote` is guarded by the target's own lock; nobody can see what `announce` did.
pub(crate) const IDEMPOTENT: [bool; 5] = [true, false, true, false, true];

/// Those who say something. Olga asks; Ada could fill either place, Ben one; Oscar starts what others asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Person {
    Olga,
    Oscar,
    Ada,
    Ben,
}

pub(crate) const PEOPLE: [Person; 4] = [Person::Olga, Person::Oscar, Person::Ada, Person::Ben];

impl Person {
    pub(crate) fn roles(self) -> Vec<Role> {
        match self {
            Self::Olga => vec![Role::Operator, Role::ApproverIt, Role::ApproverBusiness],
            Self::Oscar => vec![Role::Operator],
            Self::Ada => vec![Role::ApproverIt, Role::ApproverBusiness],
            Self::Ben => vec![Role::ApproverBusiness],
        }
    }

    pub(crate) fn actor(self) -> Actor {
        Actor {
            id: format!("https://idp.example|{self:?}"),
            name: format!("{self:?}"),
            kind: ActorKind::Person.into(),
            roles: self.roles().into_iter().map(Into::into).collect(),
        }
    }

    /// The human being behind an actor, whatever the log calls them: a second account ends with the same name.
    pub(crate) fn behind(actor: Option<&Actor>) -> Option<Self> {
        let actor = actor?;
        PEOPLE.into_iter().find(|person| actor.name == format!("{person:?}"))
    }
}

/// Times at which something is over. Between them nothing that the rules look at changes.
pub(crate) const LAST_HOUR: u8 = 2;

pub(crate) fn time(hour: u8) -> Timestamp {
    let past = match hour {
        0 => 0,
        // The glass is over, an ordinary request is not.
        1 => 2,
        // Every request is over, and every review is due.
        _ => 80,
    };
    Timestamp::from_second(1_790_000_000).unwrap() + SignedDuration::from_hours(past)
}

/// The resource before and after somebody declared it again; the second is another plan hash.
pub(crate) fn inventory(version: u64) -> TenantInventory {
    let node = |name: &str, site: &str| inv::PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port: 5432,
        agent: name.into(),
    };
    let platform = inv::PostgresqlTarget {
        nodes: vec![node("a", "fra"), node("b", "ams")],
        execute: Some(inv::Credential { user: "x".into(), password_ref: "file:x".into() }),
        ..Default::default()
    };
    let spec = inv::ResourceSpec {
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        primary_site: "fra".into(),
        dr_site: "ams".into(),
        platform: Some(inv::resource_spec::Platform::Postgresql(platform)),
        ..Default::default()
    };
    let mut inventory = TenantInventory::default();
    inventory.insert(inv::Document {
        kind: inv::Kind::Resource.into(),
        tenant: "acme".into(),
        name: RESOURCE.into(),
        version,
        spec: Some(inv::document::Spec::ResourceSpec(spec)),
        ..Default::default()
    });
    inventory
}

pub(crate) fn plan_hash(inventory: &TenantInventory) -> String {
    plan::hash(None, &plan::scope(inventory, "", RESOURCE).unwrap()).hash
}

/// Opened by Olga. Tier 1: one Approver-IT and one Approver-Business.
pub(crate) fn opened(id: &str, glass: bool, inventory: &TenantInventory) -> Request {
    let scope = plan::scope(inventory, "", RESOURCE).unwrap();
    let kind = RequestType::Switchover;
    let (tier, environment) = (Tier::Tier1, Environment::Production);
    let policy = effective_policy(&[], tier, environment, kind);
    let gate = gate::effective(kind, "", tier, environment, &Gate::default(), &Gate::default());
    let seen_at = BTreeMap::new();
    let case = Case {
        scope: &scope,
        plan: None,
        policy: &policy,
        gate: &gate,
        evidence: None,
        seen_at: &seen_at,
        earlier: None,
    };
    let command = OpenRequest {
        request_id: id.into(),
        kind,
        resource: RESOURCE.into(),
        target_site: "ams".into(),
        reason: "patch night".into(),
        break_glass: glass.then(|| BreakGlassAsk {
            incident: "INC-1".into(),
            reason: "nobody answers".into(),
            limit: None,
        }),
        ..OpenRequest::default()
    };
    let mut request = Request::default();
    request.evolve(&request::open(&request, &command, &case, &Person::Olga.actor(), time(0)).unwrap().unwrap());
    request
}

/// The run's steps as compiled from the text with that hash, which is kept in their titles.
pub(crate) fn steps(count: usize, dns_fails: FailurePolicy, text: &str, lose_an_arrow: bool) -> Vec<Step> {
    let named = |names: &[usize]| names.iter().map(|step| STEPS[*step].to_owned()).collect::<Vec<_>>();
    let command = |name: &str| {
        let name = name.to_owned();
        Some(Action { kind: Some(Kind::Command(CommandAction { name, ..Default::default() })) })
    };
    (0..count)
        .map(|step| {
            let lost = lose_an_arrow && step == ANNOUNCE;
            let after = named(if lost { &[DNS] } else { AFTER[step] });
            let definition = (step != PROMOTE).then(|| PlanStep {
                id: STEPS[step].into(),
                action: command(STEPS[step]),
                undo: if step == FREEZE { command("thaw") } else { None },
                ..PlanStep::default()
            });
            Step {
                id: STEPS[step].into(),
                title: text.into(),
                plan_step: STEPS[step].into(),
                idempotent: IDEMPOTENT[step],
                resource: if definition.is_none() { RESOURCE.into() } else { String::new() },
                on_failure: if step == DNS { dns_fails } else { FailurePolicy::Stop }.into(),
                definition,
                after,
                ..Step::default()
            }
        })
        .collect()
}
