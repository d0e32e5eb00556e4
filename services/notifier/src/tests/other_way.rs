//! What went another way for many at once is ended there, too.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::inventory::v1::{
    Grouping, NotificationRouteSpec, PagerdutyChannel, notification_route_spec::Channel as Declared,
};
use muster_domain::pb::notification::v1::DeliveryState;
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event};
use muster_domain::readiness::Readiness;
use muster_domain::time::duration_to_pb;
use muster_fakes::Fake;
use muster_fakes::pagerduty::{Pagerduty as Service, State};
use muster_runtime::Config;

use super::mail_route;
use super::pager::{opened, resolved};
use super::stage::{ONE_WINDOW, Stage};
use crate::channels::pagerduty::Pagerduty;
use crate::channels::{Limits, Outgoing};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A mail route that is refused everything, and the pager that takes what it does not get rid of.
async fn scene() -> (Stage, Fake<Service>, tempfile::TempDir) {
    let secrets = tempfile::tempdir().unwrap();
    std::fs::create_dir(secrets.path().join("acme")).unwrap();
    std::fs::write(secrets.path().join("acme/pager"), KEY).unwrap();
    let mut config = Config::default();
    config.secrets.directory = Some(secrets.path().to_owned());
    let far = Fake::start(Service::new(KEY)).await.unwrap();
    let mut stage = Stage::configured(config).await;
    let outgoing = Outgoing::new(&["127.0.0.1".to_owned()], Limits::default()).unwrap();
    stage.more.push(Arc::new(Pagerduty::new(outgoing, stage.ctx.secrets.clone())));
    let channel = PagerdutyChannel {
        routing_key_ref: "file:pager".into(),
        events_url: far.url.clone(),
        ..PagerdutyChannel::default()
    };
    // By itself it asks for nothing.
    let pager = NotificationRouteSpec {
        channel: Some(Declared::Pagerduty(channel)),
        events: vec!["request.escalated".into()],
        ..NotificationRouteSpec::default()
    };
    stage.route("pager", pager).await;
    let window = Some(duration_to_pb(ONE_WINDOW));
    let team = NotificationRouteSpec {
        grouping: Some(Grouping { more_than: 1, window, flaps: 50 }),
        fallback_route: "pager".into(),
        fallback_after: Some(duration_to_pb(SignedDuration::from_hours(1))),
        ..mail_route(&["reject@example.com"])
    };
    stage.route("team", team).await;
    stage.start().await;
    (stage, far, secrets)
}

async fn happens(stage: &Stage, system: &str, event: Event) {
    stage.append::<Readiness>(system, ReadinessEvent { event: Some(event) }, Timestamp::now()).await;
}

/// How the one incident of many stands.
fn of_many(far: &Fake<Service>) -> Option<State> {
    far.with(|service| {
        let mut found = service.incidents.iter().filter(|((_, key), _)| key.starts_with("muster/acme/group/"));
        found.next().map(|(_, incident)| incident.state)
    })
}

/// The first is told there by itself, the other two by one message.
async fn three_at_the_pager() -> (Stage, Fake<Service>, tempfile::TempDir) {
    let (stage, far, secrets) = scene().await;
    happens(&stage, "a", opened("a")).await;
    stage.until("the first by itself", |list| list.iter().any(|d| d.route == "pager" && d.finished_at.is_some())).await;
    happens(&stage, "b", opened("b")).await;
    happens(&stage, "c", opened("c")).await;
    stage.until("the others together", |_| of_many(&far) == Some(State::Open)).await;
    (stage, far, secrets)
}

fn all_resolved(far: &Fake<Service>) -> bool {
    far.with(|service| service.incidents.values().all(|incident| incident.state == State::Resolved))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_incident_of_many_on_the_other_way_ends_with_the_last_of_them() {
    let (mut stage, far, _secrets) = three_at_the_pager().await;

    happens(&stage, "b", resolved("b")).await;
    let ended = |system: &'static str| {
        move |list: &[muster_domain::pb::notification::v1::DeliveryView]| {
            list.iter().any(|d| {
                d.route == "team"
                    && d.resource == system
                    && d.message_kind == "alert.resolved"
                    && d.finished_at.is_some()
            })
        }
    };
    stage.until("the end of one is decided", ended("b")).await;
    assert_eq!(of_many(&far), Some(State::Open), "the other one is still open");
    happens(&stage, "c", resolved("c")).await;
    stage.until("the end of all of them", |_| of_many(&far) == Some(State::Resolved)).await;
    happens(&stage, "a", resolved("a")).await;
    stage.until("nothing is left open", |_| all_resolved(&far)).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_the_other_way_by_itself_ends_there_though_its_end_is_told_with_others() {
    let (mut stage, far, _secrets) = three_at_the_pager().await;
    // From the second on, what ends in one window is told together.
    for system in ["b", "c", "a"] {
        happens(&stage, system, resolved(system)).await;
    }
    let joined = |list: &[muster_domain::pb::notification::v1::DeliveryView]| {
        let end = |d: &&muster_domain::pb::notification::v1::DeliveryView| d.message_kind == "alert.resolved";
        list.iter().filter(end).any(|d| d.route == "team" && d.resource == "a" && d.state() == DeliveryState::Grouped)
    };
    stage.until("its end is told with others", joined).await;
    stage.until("nothing is left open", |_| all_resolved(&far)).await;
    stage.stop().await;
}
