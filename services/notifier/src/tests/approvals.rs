//! Approvers get messages of their own, with links that are theirs, and hear the outcome.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use muster_domain::AggregateId;
use muster_domain::pb::common::v1::{Actor, ActorKind, Environment, Role, Tier};
use muster_domain::pb::inventory::v1::{ApprovalRequirement, ContactSpec, Kind, document::Spec};
use muster_domain::pb::plan::v1::PlanRef;
use muster_domain::pb::request::v1::{
    ApprovalPolicy, IntentDecision, RequestApproved, RequestEscalated, RequestEvent, RequestOpened, RequestWithdrawn,
    request_event,
};
use muster_domain::request::Request;
use muster_domain::request::intent::{self, Intent};
use muster_domain::time::to_pb;
use muster_runtime::{Config, IntentLinks};

use super::mail_route;
use super::stage::Stage;

pub(super) const REQUEST: &str = "019345aa-0000-7000-8000-000000000001";

pub(super) fn person(name: &str, role: Role) -> Actor {
    Actor {
        id: format!("https://idp.example|{name}"),
        name: name.into(),
        kind: ActorKind::Person.into(),
        roles: vec![role.into()],
    }
}

pub(super) fn opened(tier: Tier) -> request_event::Event {
    let need = |role: Role| ApprovalRequirement { role: role.into(), count: 1 };
    let now = Timestamp::now();
    request_event::Event::Opened(RequestOpened {
        request_id: REQUEST.into(),
        resource: "orders-db".into(),
        from_site: "fra".into(),
        target_site: "ams".into(),
        reason: "patch night".into(),
        tier: tier.into(),
        environment: Environment::Production.into(),
        requester: Some(person("olga", Role::Operator)),
        opened_at: Some(to_pb(now)),
        expires_at: Some(to_pb(now + SignedDuration::from_hours(4))),
        plan: Some(PlanRef { hash: "ab12cd34".into(), ..PlanRef::default() }),
        policy: Some(ApprovalPolicy {
            require: vec![need(Role::ApproverIt), need(Role::ApproverBusiness)],
            ..ApprovalPolicy::default()
        }),
        ..RequestOpened::default()
    })
}

/// Where Muster's own secrets are.
pub(super) fn with_a_key_of_links() -> tempfile::TempDir {
    let secrets = tempfile::tempdir().unwrap();
    std::fs::create_dir(secrets.path().join("_system")).unwrap();
    std::fs::write(secrets.path().join("_system/links"), "a key of links, with more than 32 bytes").unwrap();
    secrets
}

struct Scene {
    stage: Stage,
    links: IntentLinks,
    _secrets: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        let secrets = with_a_key_of_links();
        let mut config = Config::default();
        config.secrets.directory = Some(secrets.path().to_owned());
        config.approval.intent_key_refs = vec!["file:links".into()];
        let mut stage = Stage::configured(config).await;
        stage.start().await;
        let links = IntentLinks::new(&stage.ctx.config.approval, stage.ctx.secrets.clone());
        let scene = Self { stage, links, _secrets: secrets };
        for (name, role) in [("ingo", Role::ApproverIt), ("bea", Role::ApproverBusiness), ("olga", Role::ApproverIt)] {
            let spec = ContactSpec {
                person: format!("https://idp.example|{name}"),
                email: format!("{name}@example.com"),
                asked_as: vec![role.into()],
                ..ContactSpec::default()
            };
            scene.stage.declare(Kind::Contact, name, Spec::ContactSpec(spec)).await;
        }
        scene
    }

    async fn happens(&self, event: request_event::Event) {
        self.stage.append::<Request>(REQUEST, RequestEvent { event: Some(event) }, Timestamp::now()).await;
    }

    /// Recipients of so many messages of a kind.
    async fn told(&self, kind: &str, count: usize) -> Vec<String> {
        let of_kind = |recipient: &(String, String)| recipient.1 == kind;
        let accepted = |list: &[muster_domain::pb::notification::v1::DeliveryView]| {
            list.iter().filter(|d| d.message_kind == kind && d.finished_at.is_some()).count() >= count
        };
        self.stage.until(&format!("{count} of {kind}"), accepted).await;
        let mut to: Vec<String> = self.stage.mail.seen().into_iter().filter(of_kind).map(|(to, _)| to).collect();
        to.sort();
        to
    }

    fn tokens(&self) -> Vec<(String, String)> {
        let token = |link: &str| link.strip_prefix("https://muster.example/intent/").map(str::to_owned);
        let attempts = self.stage.mail.attempts().into_iter();
        attempts.filter_map(|attempt| Some((attempt.recipient.shown, token(&attempt.link)?))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_missing_approver_gets_a_link_of_their_own_and_hears_the_outcome() {
    let mut scene = Scene::start().await;
    scene.happens(opened(Tier::Tier1)).await;
    assert_eq!(scene.told("approval.asked", 2).await, ["bea@example.com", "ingo@example.com"], "not the requester");
    let tokens = scene.tokens();
    assert_eq!(tokens.iter().map(|(_, token)| token).collect::<BTreeSet<_>>().len(), 2);
    for (to, token) in &tokens {
        let claims = scene.links.open(token).unwrap().unwrap();
        let id: AggregateId = claims.intent_id.parse().unwrap();
        let issued = scene.stage.ctx.log.load::<Intent>(&scene.stage.tenant, &id).await.unwrap().state.issued.unwrap();
        assert!(claims.fit(&issued) && issued.plan_hash == "ab12cd34" && issued.request_id == REQUEST);
        let name = to.split('@').next().unwrap();
        assert_eq!(issued.person, format!("https://idp.example|{name}"));
    }
    let asked = scene.stage.mail.attempts().into_iter().find(|a| a.recipient.shown.starts_with("ingo")).unwrap();
    let said = format!("{:?}", asked.message);
    for part in ["ab12cd34", "nobody yet", "If you approve", "If you deny", "If nobody decides", "RTO expected"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("it cannot be bounded"), "nobody has seen it: {said}");
    let kept = format!("{:?} {said}", scene.stage.list().await);
    assert!(tokens.iter().all(|(_, token)| !kept.contains(&token[..40])), "no list and no timer holds a token");

    // Ingo decides: he hears that it is recorded, and only Bea is asked again.
    let approved = RequestApproved {
        approver: Some(person("ingo", Role::ApproverIt)),
        as_role: Role::ApproverIt.into(),
        missing: vec!["one approval by Approver-Business".into()],
        ..RequestApproved::default()
    };
    scene.happens(request_event::Event::Approved(approved)).await;
    assert_eq!(scene.told("approval.outcome", 1).await, ["ingo@example.com"]);
    scene.happens(request_event::Event::Escalated(RequestEscalated { stage: 1, ..Default::default() })).await;
    let again = scene.told("approval.asked", 3).await;
    assert_eq!(again, ["bea@example.com", "bea@example.com", "ingo@example.com"]);
    assert_eq!(scene.tokens().into_iter().collect::<BTreeSet<_>>().len(), 3, "a link of its own for each asking");

    scene.happens(request_event::Event::Withdrawn(RequestWithdrawn::default())).await;
    let outcome = scene.told("approval.outcome", 3).await;
    assert_eq!(outcome, ["bea@example.com", "ingo@example.com", "ingo@example.com"]);
    let last = scene.stage.mail.attempts().pop().unwrap();
    assert_eq!(last.link, format!("https://muster.example/t/acme/requests/{REQUEST}"));
    scene.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_hears_of_links_that_are_tried_in_vain() {
    let mut scene = Scene::start().await;
    let mut route = mail_route(&["security@example.com"]);
    route.events = vec!["security.*".into()];
    scene.stage.route("security", route).await;
    let mallory = person("mallory", Role::ApproverIt);
    for number in 0..7 {
        let id = AggregateId::from(uuid::Uuid::now_v7());
        let why = intent::bad_token();
        let event =
            intent::refused(&Intent::default(), &mallory, IntentDecision::Approve, &why, "console", Timestamp::now());
        let appended = scene.stage.append::<Intent>(id.as_str(), event.unwrap(), Timestamp::now()).await;
        assert!(!appended.is_nil(), "{number}");
    }
    assert_eq!(scene.told("security.intents_refused", 1).await, ["security@example.com"], "once for the first five");
    let told = scene.stage.mail.attempts().pop().unwrap().message;
    assert!(told.is_page_class() && told.reasons.len() == 5 && told.reasons[0].contains("INTENT_BAD_TOKEN"));
    assert!(told.reasons[0].contains("mallory"));
    scene.stage.stop().await;
}
