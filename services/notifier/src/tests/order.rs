//! What ends something goes after what it ends, whatever happens in between.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::rule;
use muster_domain::pb::common::v1::Environment;
use muster_domain::pb::inventory::v1::{Grouping, NotificationRouteSpec};
use muster_domain::pb::notification::v1::{DeliveryState, DeliveryView};
use muster_domain::time::duration_to_pb;

use super::stage::{ONE_WINDOW, Stage};
use super::{alert_opened, alert_resolved, hook_route, mail_route};

fn of_kind<'a>(list: &'a [DeliveryView], kind: &str) -> Vec<&'a DeliveryView> {
    list.iter().filter(|d| d.message_kind == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_alert_waits_for_its_beginning_also_over_a_restart() {
    let mut stage = Stage::new().await;
    stage.mail.down();
    stage.route("mail", mail_route(&["alice@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    stage
        .until("it is tried again", |list| of_kind(list, "rpo.breached")[..].iter().any(|d| d.retry_at.is_some()))
        .await;
    stage.readiness(alert_resolved("a1"), Timestamp::now()).await;
    let list = stage.until("the end is queued", |list| !of_kind(list, "alert.resolved").is_empty()).await;
    let end = of_kind(&list, "alert.resolved")[0];
    assert_eq!((end.state(), end.attempts), (DeliveryState::Pending, 0), "{list:#?}");
    // What waits is in no memory.
    stage.stop().await;
    stage.mail.up();
    stage.start().await;
    stage.until("both are told", |list| list.iter().all(|d| d.state() == DeliveryState::Accepted)).await;
    let kinds: Vec<String> = stage.mail.seen().into_iter().map(|(_, kind)| kind).collect();
    let (end, before) = kinds.split_last().unwrap();
    assert!(end == "alert.resolved" && before.len() >= 2 && before.iter().all(|k| k == "rpo.breached"), "{kinds:?}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_ends_waits_for_the_beginnings_of_all_of_them() {
    let mut stage = Stage::new().await;
    stage.hook.down();
    let window = Some(duration_to_pb(ONE_WINDOW));
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
    // (what it tells, of one alert or of many), in the order in which it was taken.
    let told: Vec<(String, bool)> = stage
        .hook
        .taken()
        .into_iter()
        .map(|attempt| (attempt.message.kind, attempt.message.alert_id.is_empty()))
        .collect();
    let place = |kind: &str, of_many: bool| told.iter().position(|one| *one == (kind.to_owned(), of_many)).unwrap();
    for of_many in [false, true] {
        assert!(place("rpo.breached", of_many) < place("alert.resolved", of_many), "{told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    let ends = stage.hook.attempts().into_iter().filter(|attempt| attempt.message.kind == "alert.resolved");
    assert!(ends.clone().count() == 2 && ends.clone().all(|attempt| attempt.number == 1), "tried while it waited");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_follows_where_the_beginning_went_another_way() {
    let mut stage = Stage::new().await;
    // Asked for nothing: reached only when the other route fails.
    for (name, to) in [("first", "first@example.com"), ("second", "second@example.com")] {
        let silent = NotificationRouteSpec { events: vec!["nothing".into()], ..mail_route(&[to]) };
        stage.route(name, silent).await;
    }
    let failing = |url: &str, other: &str| NotificationRouteSpec {
        fallback_route: other.into(),
        fallback_after: Some(duration_to_pb(SignedDuration::from_secs(1))),
        ..hook_route(url)
    };
    // One is late, the other gives up at once.
    stage.route("late", failing("https://later.example.com/a", "first")).await;
    stage.route("refused", failing("https://reject.example.com/a", "second")).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    let told = |count: usize| {
        move |list: &[DeliveryView]| {
            let mails = |to: &str| list.iter().filter(|d| d.recipient == to && d.finished_at.is_some()).count();
            mails("first@example.com") == count && mails("second@example.com") == count
        }
    };
    stage.until("both are told the other way", told(1)).await;
    stage.readiness(alert_resolved("a1"), Timestamp::now()).await;
    stage.until("both hear of the end", told(2)).await;
    for to in ["first@example.com", "second@example.com"] {
        let kinds: Vec<String> =
            stage.mail.seen().into_iter().filter(|(who, _)| who == to).map(|(_, kind)| kind).collect();
        assert_eq!(kinds, ["rpo.breached", "alert.resolved"], "{to}");
    }
    let refused: Vec<_> = stage.hook.attempts().into_iter().filter(|a| a.route == "refused").collect();
    assert!(refused.iter().all(|attempt| attempt.message.kind == "rpo.breached"), "its end has nothing to end there");

    // Over before the other way is taken: it is opened nowhere else.
    stage.hook.down();
    let slow = NotificationRouteSpec {
        fallback_after: Some(duration_to_pb(SignedDuration::from_secs(10))),
        ..failing("https://later.example.com/a", "first")
    };
    stage.route("late", slow).await;
    stage.readiness(alert_opened("a2", Environment::Production), Timestamp::now()).await;
    stage.until("it is tried again", |list| list.iter().any(|d| d.alert_id == "a2" && d.retry_at.is_some())).await;
    stage.readiness(alert_resolved("a2"), Timestamp::now()).await;
    // The second attempt comes before the other way is due, the third, which is taken, after it.
    stage.until("it is tried once more", |list| list.iter().any(|d| d.alert_id == "a2" && d.attempts == 2)).await;
    stage.hook.up();
    let over = |list: &[DeliveryView]| {
        let late = |d: &&DeliveryView| d.alert_id == "a2" && d.route == "late" && d.message_kind != "delivery.failed";
        list.iter().filter(late).count() == 2 && list.iter().filter(late).all(|d| d.finished_at.is_some())
    };
    let list = stage.until("the late one is told", over).await;
    assert!(!list.iter().any(|d| d.alert_id == "a2" && d.route == "first"), "{list:#?}");
    assert!(!stage.mail.attempts().iter().any(|a| a.message.alert_id == "a2" && a.route == "first"));
    stage.stop().await;
}
