//! What people do before a run, by the domain's own rules: open, approve twice, type the phrase.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Execution},
    gate::{self, Gate},
    inventory::{Declared, TenantInventory, document_id},
    pb::{
        common::v1::{Actor, ActorKind, Environment, Role, Tier},
        inventory::v1::Kind,
        request::v1::{RequestEvent, RequestType},
    },
    plan,
    request::{self, Case, OpenRequest, Request, StartTerms, Yes},
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

impl World {
    /// A confirmed request to move the resource to `site`.
    pub(crate) async fn confirmed(&self, kind: RequestType, site: &str) -> AggregateId {
        let id = self.approved(kind, site).await;
        self.confirm(&id).await;
        id
    }

    pub(crate) async fn approved(&self, kind: RequestType, site: &str) -> AggregateId {
        let document =
            self.log.load::<Declared>(&acme(), &document_id(Kind::Resource, RESOURCE).unwrap()).await.unwrap();
        let resource = document.state.document.unwrap();
        let mut inventory = TenantInventory::default();
        inventory.insert(resource);
        let scope = plan::scope(&inventory, "", RESOURCE).unwrap();
        let policy = request::effective_policy(&[], Tier::Tier1, Environment::Production, kind);
        let nothing_decided = Gate::default();
        let (tier, environment) = request::worst(&scope);
        let case = Case {
            scope: &scope,
            plan: None,
            policy: &policy,
            gate: &gate::effective(kind, "", tier, environment, &nothing_decided, &nothing_decided),
            evidence: None,
            seen_at: &BTreeMap::new(),
            earlier: None,
        };
        let id = AggregateId::from(Uuid::now_v7());
        let command = OpenRequest {
            request_id: id.to_string(),
            kind,
            resource: RESOURCE.into(),
            target_site: site.into(),
            reason: "test".into(),
            ..OpenRequest::default()
        };
        let olga = person("Olga");
        self.ask(&id, &olga, |r| request::open(r, &command, &case, &olga, Timestamp::now())).await;
        for name in ["Ingo", "Bea"] {
            let approver = person(name);
            let yes = Yes::default();
            self.ask(&id, &approver, |r| request::approve(r, &approver, &yes, Timestamp::now())).await;
        }
        id
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
