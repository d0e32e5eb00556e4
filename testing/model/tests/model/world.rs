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
        plan::v1::{Action, CommandAction, FailurePolicy, ManualAction, PlanStep, action::Kind},
        request::v1::{
            GateChangeApproved, GateChangeProposed, GateEvent, GateLevel, RequestEvent, RequestType, gate_event,
        },
    },
    plan,
    request::{self, BreakGlassAsk, Case, Delegate, Delegation, Earlier, OpenRequest, Request, effective_policy},
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

/// A check of the target that somebody may take the responsibility for, and one that nobody may.
pub(crate) const FREE_DISK: &str = "target_free_disk";
pub(crate) const SAME_SYSTEM: &str = "same_system";

/// Those who say something. Olga asks; Ada could fill either place, Ben one; Oscar starts what others asked for. Dora may
/// decide nothing of her own; Gus may propose a gate, and decide on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Person {
    Olga,
    Oscar,
    Ada,
    Ben,
    Dora,
    Gus,
}

/// Those who are in every scenario.
pub(crate) const PEOPLE: [Person; 4] = [Person::Olga, Person::Oscar, Person::Ada, Person::Ben];
const EVERYBODY: [Person; 6] = [Person::Olga, Person::Oscar, Person::Ada, Person::Ben, Person::Dora, Person::Gus];
/// To whom Ada, who is away, has handed her place of Approver-IT: somebody else, the requester, and who fills a place already.
pub(crate) const DEPUTIES: [Person; 3] = [Person::Dora, Person::Olga, Person::Ben];

impl Person {
    pub(crate) fn roles(self) -> Vec<Role> {
        match self {
            Self::Olga => vec![Role::Operator, Role::ApproverIt, Role::ApproverBusiness],
            Self::Oscar => vec![Role::Operator],
            Self::Ada => vec![Role::ApproverIt, Role::ApproverBusiness],
            Self::Ben => vec![Role::ApproverBusiness],
            Self::Dora => vec![Role::Viewer],
            Self::Gus => vec![Role::Admin, Role::ApproverIt],
        }
    }

    /// One bit, for sets of people.
    pub(crate) fn bit(self) -> u8 {
        1 << EVERYBODY.iter().position(|person| *person == self).unwrap()
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
        EVERYBODY.into_iter().find(|person| actor.name == format!("{person:?}"))
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

/// How much is at stake where the resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stakes {
    pub tier: Tier,
    pub environment: Environment,
}

/// Approver-IT and Approver-Business, and no gate below L2 for what moves.
pub(crate) const HIGH: Stakes = Stakes { tier: Tier::Tier1, environment: Environment::Production };
/// Approver-IT alone, and a gate that can let moves pass.
pub(crate) const LOW: Stakes = Stakes { tier: Tier::Tier3, environment: Environment::Development };

/// The resource before and after somebody declared it again; the second is another plan hash.
pub(crate) fn inventory(version: u64, stakes: Stakes) -> TenantInventory {
    let mut inventory = TenantInventory::default();
    declare(&mut inventory, RESOURCE, version, stakes);
    inventory
}

/// A pair of servers of its own.
pub(crate) fn declare(inventory: &mut TenantInventory, name: &str, version: u64, stakes: Stakes) {
    let node = |node: &str, site: &str| inv::PostgresqlNode {
        name: node.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port: 5432,
        agent: node.into(),
    };
    let platform = inv::PostgresqlTarget {
        nodes: vec![node("a", "fra"), node("b", "ams")],
        execute: Some(inv::Credential { user: "x".into(), password_ref: "file:x".into() }),
        ..Default::default()
    };
    let spec = inv::ResourceSpec {
        tier: stakes.tier.into(),
        environment: stakes.environment.into(),
        primary_site: "fra".into(),
        dr_site: "ams".into(),
        platform: Some(inv::resource_spec::Platform::Postgresql(platform)),
        ..Default::default()
    };
    inventory.insert(inv::Document {
        kind: inv::Kind::Resource.into(),
        tenant: "acme".into(),
        name: name.into(),
        version,
        spec: Some(inv::document::Spec::ResourceSpec(spec)),
        ..Default::default()
    });
}

pub(crate) fn plan_hash(inventory: &TenantInventory) -> String {
    plan::hash(None, &plan::scope(inventory, "", RESOURCE).unwrap()).hash
}

/// One request of a scenario, and how far it is at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub kind: RequestType,
    pub begins: Begins,
    pub breaks_glass: bool,
    /// The number of the request whose run it takes back.
    pub takes_back: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Nobody has asked for it yet.
    Later,
    /// Olga has asked, and nobody has said anything.
    Opened,
    /// Approvals and the start are past.
    Confirmed,
}

impl Ask {
    pub(crate) const fn of(kind: RequestType, begins: Begins) -> Self {
        Self { kind, begins, breaks_glass: false, takes_back: None }
    }

    /// Who must have said yes, apart from any gate; told here once more, so that the rules cannot be wrong in both places.
    pub(crate) fn needs(&self, stakes: Stakes) -> &'static [Role] {
        let touches = !matches!(self.kind, RequestType::ReadinessDrill);
        if stakes == HIGH && touches { &[Role::ApproverIt, Role::ApproverBusiness] } else { &[Role::ApproverIt] }
    }
}

/// What opening a request rests on beside what is declared.
pub(crate) struct Ground<'a> {
    pub ask: &'a Ask,
    pub stakes: Stakes,
    /// What was decided about requests of its type.
    pub gate: &'a Gate,
    pub earlier: Option<&'a Earlier>,
    /// The tenant's policy: each approval takes a login made for it.
    pub step_up: bool,
}

/// Olga asks. `None`: refused, or asked already.
pub(crate) fn open(
    request: &Request,
    id: &str,
    ground: &Ground<'_>,
    inventory: &TenantInventory,
) -> Option<RequestEvent> {
    let scope = plan::scope(inventory, "", RESOURCE).unwrap();
    let Ground { ask, stakes, .. } = ground;
    let policy = policy(ground.step_up);
    let policy = effective_policy(&policy.iter().collect::<Vec<_>>(), stakes.tier, stakes.environment, ask.kind);
    let nothing = BTreeMap::new();
    let case = Case {
        scope: &scope,
        plan: None,
        policy: &policy,
        gate: &effective_gate(ask.kind, *stakes, ground.gate),
        evidence: None,
        seen_at: &nothing,
        last_seen: &nothing,
        earlier: ground.earlier,
    };
    let target = if ask.takes_back.is_some() { "" } else { "ams" };
    let command = OpenRequest {
        request_id: id.into(),
        kind: ask.kind,
        resource: RESOURCE.into(),
        target_site: target.into(),
        reason: "patch night".into(),
        rollback_of: ask.takes_back.map(id_of_run).unwrap_or_default(),
        break_glass: ask.breaks_glass.then(|| BreakGlassAsk {
            incident: "INC-1".into(),
            reason: "nobody answers".into(),
            limit: None,
        }),
        ..OpenRequest::default()
    };
    request::open(request, &command, &case, &Person::Olga.actor(), time(0)).ok().flatten()
}

fn policy(step_up: bool) -> Option<inv::Document> {
    let rule = inv::ApprovalRule { step_up, ..Default::default() };
    step_up.then(|| inv::Document {
        kind: inv::Kind::Policy.into(),
        tenant: "acme".into(),
        name: "logins".into(),
        version: 1,
        spec: Some(inv::document::Spec::PolicySpec(inv::PolicySpec { approvals: vec![rule], ..Default::default() })),
        ..Default::default()
    })
}

pub(crate) fn effective_gate(kind: RequestType, stakes: Stakes, gate: &Gate) -> gate::Effective {
    gate::effective(kind, "", stakes.tier, stakes.environment, gate, &Gate::default())
}

pub(crate) fn id_of_run(run: usize) -> String {
    format!("r-{run}")
}

/// Ada is away for an hour, and has said who decides for her.
pub(crate) fn delegation(to: Person) -> Delegation {
    let mut delegation = Delegation::default();
    let id = format!("away-{to:?}");
    let ask = Delegate {
        delegation_id: &id,
        to: &to.actor().id,
        to_name: "",
        role: Role::ApproverIt,
        starts: None,
        ends: Some(time(0) + SignedDuration::from_hours(1)),
        reason: "at the dentist's",
    };
    let begun = request::delegate(&delegation, &ask, 0, &Person::Ada.actor(), time(0)).unwrap().unwrap();
    delegation.evolve(&begun);
    delegation
}

/// A gate that two people had lowered before anything here begins.
pub(crate) fn lowered(kind: RequestType) -> Gate {
    let change = GateChangeProposed {
        change_id: "before".into(),
        request_type: request::type_name(kind).into(),
        to: GateLevel::L1.into(),
        actor: Some(Person::Gus.actor()),
        ..GateChangeProposed::default()
    };
    let yes = GateChangeApproved {
        change_id: "before".into(),
        actor: Some(Person::Ada.actor()),
        ..GateChangeApproved::default()
    };
    let mut gate = Gate::default();
    for event in [gate_event::Event::Proposed(change), gate_event::Event::Approved(yes)] {
        gate.evolve(&GateEvent { event: Some(event) });
    }
    gate
}

/// What the step `dns` is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// What happens after it failed.
    pub dns_fails: FailurePolicy,
    /// An operator turns it by hand, and says so.
    pub dns_is_manual: bool,
}

/// The run's steps as compiled from the text with that hash, which is kept in their titles.
pub(crate) fn steps(count: usize, shape: Shape, text: &str, lose_an_arrow: bool) -> Vec<Step> {
    let named = |names: &[usize]| names.iter().map(|step| STEPS[*step].to_owned()).collect::<Vec<_>>();
    let command = |name: &str| {
        let name = name.to_owned();
        Some(Action { kind: Some(Kind::Command(CommandAction { name, ..Default::default() })) })
    };
    let by_a_person = Some(Action {
        kind: Some(Kind::Manual(ManualAction { role: Role::Operator.into(), instructions: "turn it".into() })),
    });
    (0..count)
        .map(|step| {
            let lost = lose_an_arrow && step == ANNOUNCE;
            let after = named(if lost { &[DNS] } else { AFTER[step] });
            let definition = (step != PROMOTE).then(|| PlanStep {
                id: STEPS[step].into(),
                action: if step == DNS && shape.dns_is_manual { by_a_person.clone() } else { command(STEPS[step]) },
                undo: if step == FREEZE { command("thaw") } else { None },
                ..PlanStep::default()
            });
            Step {
                id: STEPS[step].into(),
                title: text.into(),
                plan_step: STEPS[step].into(),
                idempotent: IDEMPOTENT[step],
                resource: if definition.is_none() { RESOURCE.into() } else { String::new() },
                on_failure: if step == DNS { shape.dns_fails } else { FailurePolicy::Stop }.into(),
                definition,
                after,
                ..Step::default()
            }
        })
        .collect()
}
