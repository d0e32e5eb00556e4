//! Told later, told with others, told another way, or never: and what the list then says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::rule;
use muster_domain::pb::common::v1::{Actor, Environment};
use muster_domain::pb::inventory::v1::{
    Kind, MaintenanceWindow, NotificationRouteSpec, PolicySpec, TimeWindow, document::Spec,
};
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView};
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event};
use muster_domain::time::{duration_to_pb, to_pb};
use muster_eventlog::Meta;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::stage::{LIMIT, Stage};
use super::{alert_opened, alert_resolved, hook_route, mail_route};
use crate::dead_letters::{self, RetryError};
use crate::outbox::Outbox;
use crate::routes::Routes;

/// An alert of tier 2: nothing lets it through a window.
pub(super) fn of_tier_2(mut event: ReadinessEvent) -> ReadinessEvent {
    match event.event.as_mut().unwrap() {
        Event::AlertOpened(e) => e.tier = 2,
        Event::AlertResolved(e) => e.tier = 2,
        _ => {}
    }
    event
}

fn open_for(length: SignedDuration) -> TimeWindow {
    let now = Timestamp::now();
    TimeWindow {
        name: "night".into(),
        from: Some(to_pb(now - SignedDuration::from_mins(1))),
        until: Some(to_pb(now + length)),
        ..TimeWindow::default()
    }
}

fn states(list: &[DeliveryView]) -> Vec<DeliveryState> {
    list.iter().map(DeliveryView::state).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_hours_hold_tell_together_and_let_tier_1_through() {
    let mut stage = Stage::new().await;
    stage.start().await;
    let quiet = NotificationRouteSpec {
        quiet_hours: vec![open_for(SignedDuration::from_secs(12))],
        ..mail_route(&["alice@example.com"])
    };
    stage.route("mail", quiet).await;
    for alert in ["a1", "a2", "a3"] {
        stage.readiness(of_tier_2(alert_opened(alert, Environment::Production)), Timestamp::now()).await;
    }
    stage.readiness(alert_opened("tier-1", Environment::Production), Timestamp::now()).await;
    let list = stage
        .until("three held, one told", |list| {
            list.len() == 4
                && list.iter().filter(|d| d.state() == DeliveryState::Held).count() == 3
                && list.iter().any(|d| d.state() == DeliveryState::Accepted)
        })
        .await;
    assert!(list.iter().filter(|d| d.state() == DeliveryState::Held).all(|d| d.rule == "quiet hours: night"));
    assert_eq!(stage.mail.attempts().len(), 1, "only tier 1 is told at night");
    assert_eq!(stage.mail.attempts()[0].message.alert_id, "tier-1");

    stage.until("the morning", |list| list.len() == 5 && list.iter().all(|d| d.finished_at.is_some())).await;
    let told = stage.mail.attempts();
    assert_eq!(told.len(), 2, "one message for the night");
    assert!(told[1].message.subject.contains("3 messages 'rpo.breached'"), "{}", told[1].message.subject);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_holds_and_what_ends_in_it_is_never_told() {
    let mut stage = Stage::new().await;
    stage.route("mail", mail_route(&["alice@example.com"])).await;
    stage.start().await;
    let work = MaintenanceWindow {
        window: Some(open_for(SignedDuration::from_secs(12))),
        resources: vec!["orders-db".into()],
        ..MaintenanceWindow::default()
    };
    let policy = PolicySpec { maintenance: vec![work], ..PolicySpec::default() };
    stage.declare(Kind::Policy, "changes", Spec::PolicySpec(policy)).await;
    stage.readiness(alert_opened("over", Environment::Production), Timestamp::now()).await;
    stage.readiness(alert_opened("stays", Environment::Production), Timestamp::now()).await;
    stage.until("both held", |list| states(list) == [DeliveryState::Held; 2]).await;
    stage.readiness(alert_resolved("over"), Timestamp::now()).await;
    let list = stage.until("all decided", |list| list.len() == 3 && list.iter().all(|d| d.finished_at.is_some())).await;
    let rules: Vec<&str> = list.iter().rev().map(|d| d.rule.as_str()).collect();
    assert_eq!((rules[0], rules[2]), (rule::ALERT_ENDED, rule::ALERT_NOT_TOLD));
    let told: Vec<String> = stage.mail.attempts().into_iter().map(|a| a.message.alert_id).collect();
    assert_eq!(told, ["stays"], "what is still open when the window ends is told");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_route_does_not_get_rid_of_goes_another_way_but_never_to_the_on_call_of_production() {
    let mut stage = Stage::new().await;
    let hook = NotificationRouteSpec {
        fallback_route: "on-call".into(),
        fallback_after: Some(duration_to_pb(SignedDuration::from_secs(1))),
        ..hook_route("https://later.example.com/a")
    };
    stage.route("hook", hook).await;
    let on_call = NotificationRouteSpec {
        production_on_call: true,
        events: vec!["nothing".into()],
        ..mail_route(&["on-call@example.com"])
    };
    stage.route("on-call", on_call).await;
    stage.hook.down();
    stage.start().await;
    stage.readiness(alert_opened("production", Environment::Production), Timestamp::now()).await;
    stage.readiness(alert_opened("test", Environment::Test), Timestamp::now()).await;
    let list = stage
        .until("four deliveries", |list| {
            list.len() == 4 && list.iter().filter(|d| d.route == "on-call").all(|d| d.finished_at.is_some())
        })
        .await;
    let suppressed: Vec<_> = list.iter().filter(|d| d.state() == DeliveryState::Suppressed).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0].rule, rule::ON_CALL_IS_FOR_PRODUCTION);
    let told: Vec<_> = stage.mail.attempts();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message.alert_id, "production");
    assert!(told[0].message.reasons[0].contains("route hook"), "{:?}", told[0].message.reasons);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_sent_again_by_a_person_once() {
    let mut stage = Stage::new().await;
    stage.route("mail", mail_route(&["reject@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    let list = stage.until("given up", |list| states(list) == [DeliveryState::GaveUp]).await;
    let id: Uuid = list[0].delivery_id.parse().unwrap();
    let routes = Routes::follow(&stage.ctx.log, stage.ctx.secrets.clone(), CancellationToken::new());
    routes.caught_up().await;
    let outbox = Outbox::new(stage.ctx.clone(), routes);
    let by_olga = Meta { actor: Actor { id: "olga".into(), ..Actor::default() }, ..stage.meta(Timestamp::now()) };
    // The timer that keeps the message is set right after the delivery was given up.
    let deadline = tokio::time::Instant::now() + LIMIT;
    let version = loop {
        match dead_letters::retry(&outbox, &stage.tenant, id, &by_olga).await {
            Ok(version) => break version,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(version > 0);
    stage.until("given up again", |list| list[0].attempts == 2 && list[0].state() == DeliveryState::GaveUp).await;
    assert!(dead_letters::retry(&outbox, &stage.tenant, id, &by_olga).await.is_ok(), "asked twice is once");
    let unknown = dead_letters::retry(&outbox, &stage.tenant, Uuid::now_v7(), &by_olga).await;
    assert!(matches!(unknown, Err(RetryError::Refused(_))));
    assert_eq!(stage.mail.attempts().len(), 2);
    stage.stop().await;
}
