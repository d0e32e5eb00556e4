//! What ends something goes after what it ends, whatever happens in between.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::rule;
use muster_domain::pb::common::v1::Environment;
use muster_domain::pb::inventory::v1::Grouping;
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView};
use muster_domain::time::duration_to_pb;

use super::stage::Stage;
use super::{alert_opened, alert_resolved, hook_route, mail_route};

fn of_kind<'a>(list: &'a [DeliveryView], kind: &str) -> Vec<&'a DeliveryView> {
    list.iter().filter(|d| d.message_kind == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_alert_waits_for_its_beginning_also_over_a_restart() {
    let mut stage = Stage::new().await;
    stage.route("mail", mail_route(&["later@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    stage.until("it is tried again", |list| of_kind(list, "rpo.breached")[..].iter().any(|d| d.retry_at.is_some())).await;
    stage.readiness(alert_resolved("a1"), Timestamp::now()).await;
    let list = stage.until("the end is queued", |list| !of_kind(list, "alert.resolved").is_empty()).await;
    let end = of_kind(&list, "alert.resolved")[0];
    assert_eq!((end.state(), end.attempts), (DeliveryState::Pending, 0), "{list:#?}");
    // What waits is in no memory.
    stage.stop().await;
    assert_eq!(stage.mail.attempts().len(), 1);
    stage.start().await;
    stage.until("both are told", |list| list.iter().all(|d| d.state() == DeliveryState::Accepted)).await;
    let kinds: Vec<String> = stage.mail.seen().into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["rpo.breached", "rpo.breached", "alert.resolved"]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_ends_waits_for_the_beginnings_of_all_of_them() {
    let mut stage = Stage::new().await;
    stage.hook.down();
    let window = Some(duration_to_pb(SignedDuration::from_secs(2)));
    let mut route = hook_route("https://hooks.example.com/order");
    route.grouping = Some(Grouping { more_than: 1, window, flaps: 50 });
    stage.route("hook", route).await;
    stage.start().await;
    for alert in ["a1", "a2", "a3"] {
        stage.readiness(alert_opened(alert, Environment::Production), Timestamp::now()).await;
    }
    // The beginnings have met a closed door, one by itself and one for the others.
    stage.until("both are tried again", |list| list.iter().filter(|d| d.retry_at.is_some()).count() == 2).await;
    for alert in ["a1", "a2", "a3"] {
        stage.readiness(alert_resolved(alert), Timestamp::now()).await;
    }
    stage.until("the ends wait", |list| of_kind(list, "alert.resolved").len() == 4).await;
    stage.hook.up();
    stage.until("all are told", |list| list.len() == 8 && list.iter().all(|d| d.finished_at.is_some())).await;
    let kinds: Vec<String> = stage.hook.taken().into_iter().map(|attempt| attempt.message.kind).collect();
    let first_end = kinds.iter().position(|kind| kind == "alert.resolved").unwrap();
    assert!(kinds[..first_end].iter().all(|kind| kind == "rpo.breached"), "{kinds:?}");
    assert_eq!((first_end, kinds.len()), (2, 4), "{kinds:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_not_told_where_its_beginning_was_given_up() {
    let mut stage = Stage::new().await;
    // It says "later" once, and then that it does not take such a message.
    stage.route("mail", mail_route(&["later-reject@example.com", "alice@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    stage.until("it is tried again", |list| list.iter().any(|d| d.retry_at.is_some())).await;
    stage.readiness(alert_resolved("a1"), Timestamp::now()).await;
    let done = |list: &[DeliveryView]| {
        let told = list.iter().filter(|d| d.message_kind != "delivery.failed");
        told.clone().count() == 4 && told.clone().all(|d| d.finished_at.is_some())
    };
    let list = stage.until("all are over", done).await;
    let end = |to: &str| of_kind(&list, "alert.resolved").into_iter().find(|d| d.recipient == to).unwrap();
    let never = end("later-reject@example.com");
    assert_eq!((never.state(), never.rule.as_str()), (DeliveryState::Suppressed, rule::NOTHING_TO_END));
    assert_eq!(end("alice@example.com").state(), DeliveryState::Accepted);
    let to_it: Vec<_> = stage.mail.seen().into_iter().filter(|(to, _)| to.starts_with("later-reject")).collect();
    assert!(to_it.iter().all(|(_, kind)| kind == "rpo.breached") && to_it.len() == 2, "{to_it:?}");
    stage.stop().await;
}
