//! Killed, repeated, changed in between: nothing is lost, nothing is sent twice unmarked.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_domain::AggregateId;
use muster_domain::delivery::{Delivery, Phase, Route};
use muster_domain::pb::common::v1::Environment;
use muster_domain::pb::notification::v1::DeliveryState;
use muster_eventlog::{TimerFired, TimerHandler};
use muster_local::eventually;
use tokio_util::sync::CancellationToken;

use super::stage::Stage;
use super::{alert_opened, hook_route, mail_route};
use crate::outbox::Outbox;
use crate::parcel::Parcel;
use crate::routes::Routes;
use crate::worker::Worker;

fn worker(stage: &Stage) -> Arc<Worker> {
    let routes = Routes::follow(&stage.ctx.log, stage.ctx.secrets.clone(), CancellationToken::new());
    Arc::new(Worker::new(stage.ctx.clone(), Outbox::new(stage.ctx.clone(), routes), stage.channels()))
}

/// Queues one delivery of an alert as the outbox does, and gives back what its timer carries.
async fn queued(stage: &Stage, route: Route) -> Parcel {
    use muster_domain::delivery::{Source, alert, routing, state};
    let now = Timestamp::now();
    let event = alert_opened("a1", Environment::Production);
    let event_id = stage.readiness(event.clone(), now).await;
    let source = Source { tenant: "acme".into(), event_id, sequence: 1, occurred_at: now };
    let message = alert::message(&source, &event).unwrap();
    let decision = routing::route(&message, &[route]).remove(0);
    let parcel = Parcel::new(&message, &decision, event_id);
    let id = parcel.delivery_id();
    let event = state::queue(&Delivery::default(), id, &message, &decision, now).unwrap();
    stage.append::<Delivery>(&id.to_string(), event, now).await;
    parcel
}

fn fired(stage: &Stage, parcel: &Parcel) -> TimerFired {
    TimerFired {
        tenant: stage.tenant.clone(),
        key: parcel.delivery_id().to_string(),
        due: Timestamp::now(),
        payload: serde_json::to_vec(parcel).unwrap().into(),
        late_by: SignedDuration::ZERO,
    }
}

async fn state(stage: &Stage, parcel: &Parcel) -> Delivery {
    stage.ctx.log.load::<Delivery>(&stage.tenant, &AggregateId::from(parcel.delivery_id())).await.unwrap().state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_attempt_and_result_is_tried_again_and_marked() {
    let mut stage = Stage::new().await;
    let spec = mail_route(&["hang@example.com"]);
    stage.route("mail", spec.clone()).await;
    let parcel = queued(&stage, Route { name: "mail".into(), spec, ..Route::default() }).await;

    // The first process: it claims, calls the far side, and dies without an answer.
    let first = worker(&stage);
    let attempt = tokio::spawn({
        let fired = fired(&stage, &parcel);
        async move { first.fire(fired).await }
    });
    eventually("the first attempt begins", async || !stage.mail.attempts().is_empty()).await;
    attempt.abort();
    assert_eq!(state(&stage, &parcel).await.phase, Phase::Attempting);

    // The second finds the claim, and waits until it cannot be running any more.
    worker(&stage).fire(fired(&stage, &parcel)).await.unwrap();
    assert_eq!(stage.mail.attempts().len(), 1, "it overlapped with the claimed attempt");
    stage.start().await;
    stage
        .until("taken", |list| {
            list.iter().any(|d| d.recipient == "hang@example.com" && d.state() == DeliveryState::Accepted)
        })
        .await;
    let attempts = stage.mail.attempts();
    assert_eq!(attempts.iter().map(|a| (a.number, a.possibly_duplicate)).collect::<Vec<_>>(), [(1, false), (2, true)]);
    assert_eq!(attempts[0].delivery_id, attempts[1].delivery_id);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_reacted_to_again_sends_nothing_again() {
    let mut stage = Stage::new().await;
    stage.route("mail", mail_route(&["alice@example.com", "bob@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    stage.until("both", |list| list.len() == 2 && list.iter().all(|d| d.finished_at.is_some())).await;
    stage.stop().await;

    stage.forget_what_was_reacted_to().await;
    stage.start().await;
    stage.readiness(alert_opened("a2", Environment::Production), Timestamp::now()).await;
    stage.until("the second alert", |list| list.len() == 4 && list.iter().all(|d| d.finished_at.is_some())).await;
    assert_eq!(stage.mail.attempts().len(), 4);
    assert!(stage.mail.attempts().iter().all(|a| a.number == 1));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_is_later_by_a_timer_and_not_a_duplicate() {
    let mut stage = Stage::new().await;
    stage.route("mail", mail_route(&["later@example.com"])).await;
    stage.start().await;
    stage.readiness(alert_opened("a1", Environment::Production), Timestamp::now()).await;
    let list = stage.until("retrying", |list| list.iter().any(|d| d.state() == DeliveryState::Retrying)).await;
    assert_eq!(list[0].last_error, "DEFERRED: 450 later");
    assert!(list[0].retry_at.is_some());
    // The process is restarted while the delivery waits: the timer is not in its memory.
    stage.stop().await;
    stage.start().await;
    let list = stage.until("taken", |list| list.iter().all(|d| d.state() == DeliveryState::Accepted)).await;
    assert_eq!(list[0].attempts, 2);
    let attempts = stage.mail.attempts();
    assert!(
        attempts[1].now.duration_since(attempts[0].now) >= SignedDuration::from_millis(4_500),
        "page class waits 5 s ± 10 %"
    );
    assert!(!attempts[1].possibly_duplicate);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_it_waited_counts() {
    let stage = Stage::new().await;
    let spec = hook_route("https://hooks.example.com/a");
    let parcel = queued(&stage, Route { name: "hook".into(), spec, ..Route::default() }).await;
    // The route leads elsewhere now.
    stage.route("hook", hook_route("https://hooks.example.com/b")).await;
    worker(&stage).fire(fired(&stage, &parcel)).await.unwrap();
    let delivery = state(&stage, &parcel).await;
    assert_eq!(delivery.phase, Phase::GaveUp);
    assert!(delivery.last_error.starts_with("ROUTE_CHANGED: "), "{}", delivery.last_error);
    assert!(stage.hook.attempts().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_make_one_attempt() {
    let stage = Stage::new().await;
    let spec = mail_route(&["alice@example.com"]);
    stage.route("mail", spec.clone()).await;
    let parcel = queued(&stage, Route { name: "mail".into(), spec, ..Route::default() }).await;
    let workers: Vec<Arc<Worker>> = (0..4).map(|_| worker(&stage)).collect();
    let fires = workers.iter().map(|worker| worker.fire(fired(&stage, &parcel)));
    for outcome in futures::future::join_all(fires).await {
        outcome.unwrap();
    }
    assert_eq!(stage.mail.attempts().len(), 1);
    assert_eq!(state(&stage, &parcel).await.phase, Phase::Accepted);
}
