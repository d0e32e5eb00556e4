//! What people ask of it: to try a route, to see what a message would look like, who was told what.

use jiff::Timestamp;
use muster_domain::delivery::Delivery;
use muster_domain::delivery::routing::CHANNELS;
use muster_domain::pb::common::v1::{Environment, PageRequest};
use muster_domain::pb::inventory::v1::{ContactSpec, Kind, NotificationRouteSpec, document::Spec};
use muster_domain::pb::notification::v1::notifier_service_client::NotifierServiceClient;
use muster_domain::pb::notification::v1::{
    DeliveryQueued, DeliveryState, DeliveryView, ListDeliveriesRequest, PreviewMessageRequest, TestRouteRequest,
};
use muster_domain::pb::request::v1::{RequestEvent, RequestOpened, request_event};
use muster_domain::request::Request;
use muster_runtime::Config;
use muster_runtime::status::refusal_of;
use tonic::Status;

use super::issuer::Issuer;
use super::stage::Stage;
use super::{alert_opened, hook_route, mail_route};

struct Asked {
    stage: Stage,
    issuer: Issuer,
}

impl Asked {
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let mut config = Config::default();
        config.auth.issuers = vec![issuer.config()];
        let mut stage = Stage::configured(config).await;
        stage.start().await;
        Self { stage, issuer }
    }

    fn by<T>(&self, name: &str, group: &str, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let token = self.issuer.token(name, &[group], false);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    async fn api(&self) -> NotifierServiceClient<tonic::transport::Channel> {
        NotifierServiceClient::connect(self.stage.url.clone()).await.unwrap()
    }

    /// What the log says of the one delivery of a test.
    async fn tried(&self, route: &str, name: &str, group: &str) -> Result<DeliveryQueued, Status> {
        let ask = TestRouteRequest { tenant: "acme".into(), route: route.into(), ..TestRouteRequest::default() };
        let answer = self.api().await.test_route(self.by(name, group, ask)).await?.into_inner();
        assert_eq!(answer.delivery_ids.len(), 1, "{answer:?}");
        assert!(answer.version > 0, "what to wait for in the list");
        let id = answer.delivery_ids[0].parse().unwrap();
        Ok(self.stage.ctx.log.load::<Delivery>(&self.stage.tenant, &id).await.unwrap().state.queued.unwrap())
    }

    async fn listed(&self, ask: ListDeliveriesRequest) -> Vec<String> {
        let ask = ListDeliveriesRequest { tenant: "acme".into(), ..ask };
        let listed = crate::api::list(&self.stage.ctx, &self.stage.tenant, &ask).await.unwrap();
        listed.deliveries.into_iter().map(|d| format!("{} {}", d.route, d.message_kind)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_says_who_asked_for_it_and_by_which_version_of_the_route() {
    let mut asked = Asked::start().await;
    asked.stage.route("team", mail_route(&["old@example.com"])).await;
    asked.stage.route("team", mail_route(&["team@example.com"])).await;
    let on_call = NotificationRouteSpec { production_on_call: true, ..hook_route("https://page.example.com/a") };
    asked.stage.route("on-call", on_call).await;
    let ingo = ContactSpec {
        person: "https://idp.example|ingo".into(),
        email: "ingo@example.com".into(),
        ..ContactSpec::default()
    };
    asked.stage.declare(Kind::Contact, "ingo", Spec::ContactSpec(ingo)).await;
    // The declarations are in once a message goes by them.
    asked.stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    asked.stage.until("the alert is told", |list| list.len() == 2).await;

    let queued = asked.tried("team", "olga", "operator").await.unwrap();
    let by = queued.asked_by.unwrap();
    assert_eq!((by.id, by.name), (asked.issuer.person("olga"), "olga".to_owned()));
    assert_eq!((queued.route_version, queued.test, queued.person.as_str()), (2, true, ""));
    let queued = asked.tried("contact:ingo", "olga", "operator").await.unwrap();
    assert_eq!((queued.route_version, queued.person.as_str()), (1, "https://idp.example|ingo"));

    let refused = asked.tried("on-call", "olga", "operator").await.unwrap_err();
    assert_eq!(refusal_of(&refused).unwrap().code, "ROUTE_TEST_WAKES_ON_CALL");
    let queued = asked.tried("on-call", "ada", "admin").await.unwrap();
    assert_eq!(queued.asked_by.unwrap().id, asked.issuer.person("ada"), "whoever wakes the on-call is named");
    let to_ingo = |list: &[DeliveryView]| list.iter().any(|d| d.route == "contact:ingo");
    let arrived = |list: &[DeliveryView]| to_ingo(list) && list.iter().all(|d| d.finished_at.is_some());
    let list = asked.stage.until("all arrived", arrived).await;
    let to_ingo = list.iter().find(|d| d.route == "contact:ingo").unwrap();
    assert_eq!((to_ingo.person.as_str(), to_ingo.state()), ("https://idp.example|ingo", DeliveryState::Accepted));
    assert_eq!(asked.stage.hook.attempts().len(), 2, "the alert and the Admin's test");
    asked.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_narrowed_by_each_of_its_filters() {
    let mut asked = Asked::start().await;
    let only = |kind: &str, spec: NotificationRouteSpec| NotificationRouteSpec { events: vec![kind.into()], ..spec };
    asked.stage.route("alerts", only("rpo.*", mail_route(&["alice@example.com"]))).await;
    asked.stage.route("rejects", only("rpo.*", mail_route(&["reject@example.com"]))).await;
    asked.stage.route("requests", only("request.*", mail_route(&["alice@example.com"]))).await;
    asked.stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    asked.stage.readiness(alert_opened("a2", Environment::Production), Timestamp::now()).await;
    let opened = RequestOpened { request_id: "r-1".into(), resource: "billing-db".into(), ..RequestOpened::default() };
    let opened = RequestEvent { event: Some(request_event::Event::Opened(opened)) };
    asked.stage.append::<Request>("r-1", opened, Timestamp::now()).await;
    asked.stage.until("five end", |list| list.len() == 5 && list.iter().all(|d| d.finished_at.is_some())).await;

    let nothing = ListDeliveriesRequest::default;
    let (alert, reject, request) = ("alerts rpo.breached", "rejects rpo.breached", "requests request.created");
    let in_state = |state: DeliveryState| ListDeliveriesRequest { states: vec![state.into()], ..nothing() };
    let by_route = |name: &str| ListDeliveriesRequest { route: name.into(), ..nothing() };
    let by_alert = |id: &str| ListDeliveriesRequest { alert_id: id.into(), ..nothing() };
    let by_resource = |name: &str| ListDeliveriesRequest { resource: name.into(), ..nothing() };
    let by_request = |id: &str| ListDeliveriesRequest { request_id: id.into(), ..nothing() };
    let rejected_of_a1 = ListDeliveriesRequest { alert_id: "a1".into(), ..in_state(DeliveryState::GaveUp) };
    let two = ListDeliveriesRequest {
        states: vec![DeliveryState::GaveUp.into(), DeliveryState::Accepted.into()],
        ..by_resource("orders-db")
    };
    let table: [(ListDeliveriesRequest, &[&str]); 13] = [
        (in_state(DeliveryState::GaveUp), &[reject, reject]),
        (in_state(DeliveryState::Accepted), &[alert, alert, request]),
        (in_state(DeliveryState::Held), &[]),
        (by_route("requests"), &[request]),
        (by_route("alert"), &[]),
        (by_alert("a1"), &[alert, reject]),
        (by_alert("a3"), &[]),
        (by_resource("billing-db"), &[request]),
        (by_resource("orders-db"), &[alert, alert, reject, reject]),
        (by_request("r-1"), &[request]),
        (rejected_of_a1, &[reject]),
        (two, &[alert, alert, reject, reject]),
        (ListDeliveriesRequest { route: "requests".into(), ..by_alert("a1") }, &[]),
    ];
    for (ask, expected) in table {
        let mut found = asked.listed(ask.clone()).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{ask:?}");
    }
    page_of_another_list(&asked).await;
    asked.stage.stop().await;
}

/// A place in one list is none in another.
async fn page_of_another_list(asked: &Asked) {
    let page = |page_token: &str| Some(PageRequest { page_size: 1, page_token: page_token.to_owned() });
    let ask = |route: &str, page| ListDeliveriesRequest {
        tenant: "acme".into(),
        route: route.into(),
        page,
        ..ListDeliveriesRequest::default()
    };
    let (ctx, tenant) = (&asked.stage.ctx, &asked.stage.tenant);
    let first = crate::api::list(ctx, tenant, &ask("alerts", page(""))).await.unwrap();
    let token = first.page.unwrap().next_page_token;
    assert!(crate::api::list(ctx, tenant, &ask("alerts", page(&token))).await.is_ok());
    let refused = crate::api::list(ctx, tenant, &ask("rejects", page(&token))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_what_each_channel_would_send_and_no_secret() {
    let mut asked = Asked::start().await;
    let mut api = asked.api().await;
    for channel in CHANNELS {
        let ask = PreviewMessageRequest {
            tenant: "acme".into(),
            message_kind: "rpo.breached".into(),
            channel: channel.into(),
            ..PreviewMessageRequest::default()
        };
        let shown = api.preview_message(asked.by("vera", "operator", ask)).await.unwrap().into_inner();
        assert_eq!(shown.subject, "CRITICAL: orders-db (tier 1, production): RPO breached");
        if channel == "email" {
            assert!(shown.html.contains("RPO breached") && shown.payload.is_empty(), "a mail is its text and its page");
            continue;
        }
        let payload: serde_json::Value = serde_json::from_str(&shown.payload).unwrap();
        assert!(payload.to_string().contains("orders-db"), "{channel}: {payload:#}");
        assert!(shown.html.is_empty(), "{channel}");
        if channel == "pagerduty" {
            assert_eq!(payload["event_action"], "trigger");
            assert_eq!(payload["routing_key"], "the integration key", "a word stands where the secret goes");
        }
    }
    assert!(asked.stage.mail.attempts().is_empty() && asked.stage.list().await.is_empty(), "nothing is sent");
    asked.stage.stop().await;
}
