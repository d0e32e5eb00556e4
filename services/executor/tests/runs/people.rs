//! What people do before a run, by the domain's own rules: open, approve twice, type the phrase.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Execution},
    gate::{self, Gate},
    inventory::TenantInventory,
    pb::{
        common::v1::{Actor, ActorKind, Environment, Role, Tier},
        execution::v1::ExecutionEvent,
        inventory::v1::{Kind, document},
        request::v1::{RequestEvent, RequestType},
    },
    plan,
    request::{self, Case, Earlier, OpenRequest, Request, StartTerms, Yes},
};
use muster_eventlog::Meta;
use uuid::Uuid;

use crate::world::{RESOURCE, World, acme};

pub(crate) fn person(name: &str) -> Actor {
    let role = match name {
        "Ingo" => Role::ApproverIt,
        "Bea" => Role::ApproverBusiness,
        "Ada" => Role::Admin,
        _ => Role::Operator,
    };
    Actor {
        id: format!("https://idp.example|{name}"),
        name: name.into(),
        kind: ActorKind::Person.into(),
        roles: vec![role.into()],
    }
}

pub(crate) fn meta(actor: &Actor) -> Meta {
    Meta {
        event_id: Uuid::now_v7(),
        actor: actor.clone(),
        time: Timestamp::now(),
        correlation: Uuid::now_v7(),
        causation: None,
    }
}

/// What a request is about.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    pub kind: RequestType,
    pub group: &'a str,
    pub resource: &'a str,
    pub site: &'a str,
    /// A declared plan; empty: the built-in one.
    pub plan: &'a str,
    /// The request whose run is taken back.
    pub takes_back: Option<&'a AggregateId>,
}

impl World {
    /// A confirmed request to move the resource to `site`.
    pub(crate) async fn confirmed(&self, kind: RequestType, site: &str) -> AggregateId {
        let id = self.approved(kind, site).await;
        self.confirm(&id).await;
        id
    }

    pub(crate) async fn approved(&self, kind: RequestType, site: &str) -> AggregateId {
        self.approved_for(&Asked { kind, resource: RESOURCE, site, ..Asked::default() }).await
    }

    pub(crate) async fn approved_for(&self, asked: &Asked<'_>) -> AggregateId {
        let Asked { kind, group, resource, site, plan, takes_back } = *asked;
        let mut inventory = TenantInventory::default();
        let mut names = vec![resource.to_owned()];
        if !group.is_empty() {
            let document = self.document(Kind::Group, group).await;
            let Some(document::Spec::GroupSpec(spec)) = &document.spec else { panic!("not a group") };
            names = spec.members.iter().map(|member| member.resource.clone()).collect();
            inventory.insert(document);
        }
        for name in &names {
            inventory.insert(self.document(Kind::Resource, name).await);
        }
        let plan = match plan {
            "" => None,
            name => Some(self.document(Kind::Plan, name).await),
        };
        let scope = plan::scope(&inventory, group, resource).unwrap();
        let policy = request::effective_policy(&[], Tier::Tier1, Environment::Production, kind);
        let nothing_decided = Gate::default();
        let (tier, environment) = request::worst(&scope);
        let earlier = match takes_back {
            Some(id) => {
                let request = self.log.load::<Request>(&acme(), id).await.unwrap().state;
                let run = self.log.load::<Execution>(&acme(), id).await.unwrap().state;
                Some(Earlier::of(&request, &run).unwrap())
            }
            None => None,
        };
        let case = Case {
            scope: &scope,
            plan: plan.as_ref(),
            policy: &policy,
            gate: &gate::effective(kind, "", tier, environment, &nothing_decided, &nothing_decided),
            evidence: None,
            seen_at: &BTreeMap::new(),
            last_seen: &BTreeMap::new(),
            earlier: earlier.as_ref(),
        };
        let id = AggregateId::from(Uuid::now_v7());
        let command = OpenRequest {
            request_id: id.to_string(),
            kind,
            resource: resource.into(),
            group: group.into(),
            target_site: site.into(),
            reason: "test".into(),
            rollback_of: takes_back.map(ToString::to_string).unwrap_or_default(),
            ..OpenRequest::default()
        };
        let olga = person("Olga");
        self.ask(&id, &olga, |r| request::open(r, &command, &case, &olga, Timestamp::now())).await;
        let hash = plan::hash(plan.as_ref(), &scope).hash;
        for name in ["Ingo", "Bea"] {
            let approver = person(name);
            let yes = Yes { plan_hash: &hash, ..Yes::default() };
            self.ask(&id, &approver, |r| match request::approve(r, &approver, &yes, Timestamp::now()) {
                // A drill needs fewer people.
                Err(refusal) if ["NOT_AN_APPROVER", "APPROVAL_NOT_NEEDED"].contains(&refusal.code.as_str()) => Ok(None),
                decided => decided,
            })
            .await;
        }
        id
    }

    /// A confirmed request about whatever it is.
    pub(crate) async fn confirmed_for(&self, asked: &Asked<'_>) -> AggregateId {
        let id = self.approved_for(asked).await;
        self.confirm(&id).await;
        id
    }

    /// What somebody says to a run that is under way.
    pub(crate) async fn say(
        &self,
        id: &AggregateId,
        who: &Actor,
        say: impl FnMut(&Execution) -> Result<Option<ExecutionEvent>, Refusal>,
    ) {
        self.log.decide::<Execution, Refusal>(&acme(), id, &meta(who), say).await.unwrap();
    }

    pub(crate) async fn confirm(&self, id: &AggregateId) {
        let olga = person("Olga");
        self.ask(id, &olga, |r| {
            let phrase = r.view.opened.as_ref().unwrap().confirmation_phrase.clone();
            request::start(r, &olga, &phrase, &StartTerms::default(), Timestamp::now())
        })
        .await;
    }

    pub(crate) async fn stop(&self, id: &AggregateId, reason: &str) {
        let olga = person("Olga");
        let decide = |e: &Execution| execution::request_stop(e, &olga, reason, Timestamp::now());
        self.log.decide::<Execution, Refusal>(&acme(), id, &meta(&olga), decide).await.unwrap();
    }

    async fn ask(
        &self,
        id: &AggregateId,
        who: &Actor,
        decide: impl FnMut(&Request) -> Result<Option<RequestEvent>, Refusal>,
    ) {
        self.log.decide::<Request, Refusal>(&acme(), id, &meta(who), decide).await.unwrap();
    }
}
