//! PagerDuty, as the service uses it: what is opened there is ended, in that order, and nothing else is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_domain::AggregateId;
use muster_domain::delivery::Escalation;
use muster_domain::delivery::routing::rule;
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::{
    Grouping, NotificationRouteSpec, PagerdutyChannel, TimeWindow, notification_route_spec::Channel as Declared,
};
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView};
use muster_domain::pb::readiness::v1::{
    AlertKind, AlertOpened, AlertResolved, ReadinessEvent, Severity, readiness_event::Event,
};
use muster_domain::readiness::Readiness;
use muster_domain::time::{duration_to_pb, to_pb};
use muster_fakes::pagerduty::{Pagerduty as Service, State};
use muster_fakes::{Fake, Reply, Trouble};
use muster_local::eventually;
use muster_runtime::Config;

use super::stage::{ONE_WINDOW, Stage};
use crate::channels::pagerduty::Pagerduty;
use crate::channels::{Limits, Outgoing};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const WEBHOOK_SECRET: &str = "a secret of the subscription";

struct Pager {
    stage: Stage,
    far: Fake<Service>,
    _secrets: tempfile::TempDir,
}

impl Pager {
    async fn start(change: impl FnOnce(&mut NotificationRouteSpec)) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        std::fs::create_dir(secrets.path().join("acme")).unwrap();
        std::fs::write(secrets.path().join("acme/pager"), KEY).unwrap();
        std::fs::write(secrets.path().join("acme/subscription"), WEBHOOK_SECRET).unwrap();
        let mut config = Config::default();
        config.secrets.directory = Some(secrets.path().to_owned());
        let far = Fake::start(Service::new(KEY)).await.unwrap();
        let mut stage = Stage::configured(config).await;
        let outgoing = Outgoing::new(&["127.0.0.1".to_owned()], Limits::default()).unwrap();
        stage.more.push(Arc::new(Pagerduty::new(outgoing, stage.ctx.secrets.clone())));
        let channel = PagerdutyChannel {
            routing_key_ref: "file:pager".into(),
            webhook_secret_ref: "file:subscription".into(),
            events_url: far.url.clone(),
            ..PagerdutyChannel::default()
        };
        let mut route = NotificationRouteSpec {
            channel: Some(Declared::Pagerduty(channel)),
            grouping: Some(Grouping { more_than: 100, window: None, flaps: 50 }),
            ..NotificationRouteSpec::default()
        };
        change(&mut route);
        stage.route("pager", route).await;
        stage.start().await;
        Self { stage, far, _secrets: secrets }
    }

    async fn opened(&self, system: &str) {
        self.happens(system, opened(system)).await;
    }

    async fn resolved(&self, system: &str) {
        self.happens(system, resolved(system)).await;
    }

    async fn happens(&self, system: &str, event: Event) {
        self.stage.append::<Readiness>(system, ReadinessEvent { event: Some(event) }, Timestamp::now()).await;
    }

    /// What it was asked, in order: "trigger", "resolve", …
    fn actions(&self) -> Vec<String> {
        let action = |body: serde_json::Value| body["event_action"].as_str().unwrap_or("change").to_owned();
        self.far.requests().iter().map(|request| action(request.json())).collect()
    }

    fn state(&self, key: &str) -> Option<State> {
        self.far.with(|service| service.incident(key).map(|incident| incident.state))
    }

    /// The key of the one incident that many are told by.
    fn group_key(&self) -> String {
        let keys = self.far.with(|service| service.incidents.keys().map(|(_, key)| key.clone()).collect::<Vec<_>>());
        let groups: Vec<_> = keys.into_iter().filter(|key| key.starts_with("muster/acme/group/")).collect();
        assert_eq!(groups.len(), 1, "{groups:?}");
        groups[0].clone()
    }
}

fn alert(system: &str) -> String {
    format!("alert-of-{system}")
}

fn key(system: &str) -> String {
    format!("muster/acme/{system}/rpo.breached/{}", alert(system))
}

pub(super) fn opened(system: &str) -> Event {
    Event::AlertOpened(AlertOpened {
        alert_id: alert(system),
        resource: system.into(),
        kind: AlertKind::RpoBreach.into(),
        severity: Severity::Critical.into(),
        tier: Tier::Tier2.into(),
        environment: Environment::Production.into(),
        ..AlertOpened::default()
    })
}

pub(super) fn resolved(system: &str) -> Event {
    Event::AlertResolved(AlertResolved {
        alert_id: alert(system),
        resource: system.into(),
        kind: AlertKind::RpoBreach.into(),
        tier: Tier::Tier2.into(),
        environment: Environment::Production.into(),
        ..AlertResolved::default()
    })
}

fn of_kind<'a>(list: &'a [DeliveryView], kind: &str) -> Vec<&'a DeliveryView> {
    list.iter().filter(|d| d.message_kind == kind).collect()
}

fn all_over(list: &[DeliveryView], count: usize) -> bool {
    list.len() == count && list.iter().all(|d| d.finished_at.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolve_never_overtakes_its_trigger() {
    let mut pager = Pager::start(|_| {}).await;
    pager.far.trouble(Trouble::Instead(Reply::empty(503)));
    pager.opened("orders").await;
    pager.stage.until("the trigger is tried again", |list| list.iter().any(|d| d.retry_at.is_some())).await;
    pager.resolved("orders").await;
    pager.stage.until("the resolve waits", |list| !of_kind(list, "alert.resolved").is_empty()).await;
    // Killed in between.
    pager.stage.stop().await;
    assert_eq!(pager.actions(), ["trigger"], "the resolve was sent");
    pager.stage.start().await;
    pager.stage.until("both are taken", |list| all_over(list, 2)).await;
    assert_eq!(pager.actions(), ["trigger", "trigger", "resolve"]);
    assert_eq!(pager.state(&key("orders")), Some(State::Resolved));
    quiet_hours_hold_no_resolve_back(&pager).await;
    pager.stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_opened_is_not_resolved() {
    let mut pager = Pager::start(|_| {}).await;
    pager.far.trouble(Trouble::Instead(Reply::empty(503)));
    // At its next attempt it is refused for good.
    pager.far.trouble(Trouble::Instead(Reply::json(400, &serde_json::json!({"errors": ["no such thing"]}))));
    pager.opened("orders").await;
    pager.stage.until("the trigger is tried again", |list| list.iter().any(|d| d.retry_at.is_some())).await;
    pager.resolved("orders").await;
    let decided = |list: &[DeliveryView]| of_kind(list, "alert.resolved").iter().any(|d| d.finished_at.is_some());
    let list = pager.stage.until("the end is decided", decided).await;
    let end = of_kind(&list, "alert.resolved")[0];
    assert_eq!((end.state(), end.rule.as_str()), (DeliveryState::Suppressed, rule::NOTHING_TO_END));
    assert!(pager.actions().iter().all(|action| action == "trigger"), "{:?}", pager.actions());
    pager.stage.stop().await;
}

/// The first by itself, the others together.
async fn many_at_once(pager: &Pager, systems: &[&str]) -> String {
    pager.opened(systems[0]).await;
    pager.stage.until("the first by itself", |list| all_over(list, 1)).await;
    for system in &systems[1..] {
        pager.opened(system).await;
    }
    let group = |list: &[DeliveryView]| list.iter().filter(|d| d.state() == DeliveryState::Accepted).count() == 2;
    pager.stage.until("one by itself and one for the rest", group).await;
    pager.group_key()
}

fn together(route: &mut NotificationRouteSpec) {
    let window = Some(duration_to_pb(ONE_WINDOW));
    route.grouping = Some(Grouping { more_than: 1, window, flaps: 50 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_incident_of_many_is_acknowledged_for_all_and_ends_with_the_last_of_them() {
    let mut pager = Pager::start(together).await;
    let group = many_at_once(&pager, &["a", "b", "c", "d"]).await;
    assert_eq!((pager.state(&key("a")), pager.state(&group)), (Some(State::Open), Some(State::Open)));
    assert_eq!(pager.far.with(|service| service.incidents.len()), 2, "two pages for four systems");
    acknowledging_it_acknowledges_each_and_nothing_else(&pager, &group).await;
    let told = pager.stage.until("it is told who looks after them", |list| all_over(list, 5 + 4)).await;
    assert!(of_kind(&told, "alert.acknowledged").len() == 4 && pager.state(&group) == Some(State::Open));

    for system in ["b", "a", "d"] {
        pager.resolved(system).await;
    }
    let list = pager.stage.until("three ends are decided", |list| all_over(list, 9 + 3)).await;
    let with_others = |d: &&&DeliveryView| d.rule == rule::TOLD_TOGETHER;
    assert_eq!(of_kind(&list, "alert.resolved").iter().filter(with_others).count(), 2);
    assert_eq!((pager.state(&key("a")), pager.state(&group)), (Some(State::Resolved), Some(State::Open)));

    pager.resolved("c").await;
    pager.stage.until("the end of all of them", |list| all_over(list, 9 + 4 + 1)).await;
    assert_eq!(pager.state(&group), Some(State::Resolved));
    assert_eq!(pager.actions().iter().filter(|action| *action == "resolve").count(), 2, "{:?}", pager.actions());
    pager.stage.stop().await;
}

async fn acknowledging_it_acknowledges_each_and_nothing_else(pager: &Pager, group: &str) {
    let who = async |system: &str| {
        let id: AggregateId = alert(system).parse().unwrap();
        let state = pager.stage.ctx.log.load::<Escalation>(&pager.stage.tenant, &id).await.unwrap().state;
        state.acknowledged.and_then(|said| said.by).map(|by| by.name)
    };
    assert_eq!(acknowledged_there(pager, group, "another secret").await, 401);
    // Which alerts there are is in a read model of its own.
    eventually("it is acknowledged", async || acknowledged_there(pager, group, WEBHOOK_SECRET).await == 200).await;
    let ingo = || Some("Ingo".to_owned());
    assert_eq!([who("a").await, who("b").await, who("c").await, who("d").await], [None, ingo(), ingo(), ingo()]);
    assert_eq!(acknowledged_there(pager, &key("a"), WEBHOOK_SECRET).await, 200);
    assert_eq!(who("a").await, ingo());
    assert_eq!(acknowledged_there(pager, &key("elsewhere"), WEBHOOK_SECRET).await, 202, "not here");
}

async fn acknowledged_there(pager: &Pager, key: &str, secret: &str) -> u16 {
    let body = serde_json::json!({"event": {
        "id": "01EVENT", "event_type": "incident.acknowledged", "resource_type": "incident",
        "occurred_at": Timestamp::now().to_string(),
        "agent": {"id": "PXPGF42", "type": "user_reference", "summary": "Ingo"},
        "data": {"id": "PGR0VU2", "type": "incident", "incident_key": key},
    }})
    .to_string();
    let signature = format!("v1={}", muster_fakes::check::hmac_hex(secret, body.as_bytes()));
    let url = format!("{}/notify/pagerduty/acme/pager", pager.stage.url);
    let call = reqwest::Client::new().post(url).header("x-pagerduty-signature", signature).body(body);
    call.send().await.unwrap().status().as_u16()
}

async fn quiet_hours_hold_no_resolve_back(pager: &Pager) {
    pager.opened("sales").await;
    pager
        .stage
        .until("it is opened", |list| list.iter().any(|d| d.resource == "sales" && d.finished_at.is_some()))
        .await;
    let night = TimeWindow {
        name: "night".into(),
        from: Some(to_pb(Timestamp::now() - SignedDuration::from_mins(1))),
        until: Some(to_pb(Timestamp::now() + SignedDuration::from_hours(8))),
        ..TimeWindow::default()
    };
    let channel = PagerdutyChannel {
        routing_key_ref: "file:pager".into(),
        events_url: pager.far.url.clone(),
        ..PagerdutyChannel::default()
    };
    let quiet = NotificationRouteSpec {
        channel: Some(Declared::Pagerduty(channel)),
        quiet_hours: vec![night],
        ..NotificationRouteSpec::default()
    };
    pager.stage.route("pager", quiet).await;
    pager.opened("billing").await;
    pager.resolved("sales").await;
    let of_sales_is_over = |list: &[DeliveryView]| {
        let of_sales = list.iter().filter(|d| d.resource == "sales");
        of_sales.clone().count() == 2 && of_sales.clone().all(|d| d.finished_at.is_some())
    };
    let is_held =
        |list: &[DeliveryView]| list.iter().any(|d| d.resource == "billing" && d.state() == DeliveryState::Held);
    pager.stage.until("what opens waits, what ends does not", |list| of_sales_is_over(list) && is_held(list)).await;
    assert_eq!(pager.state(&key("sales")), Some(State::Resolved), "it closes something, and wakes nobody");
    assert_eq!(pager.state(&key("billing")), None);
}
