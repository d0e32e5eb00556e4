//! Killed between a record and what follows from it: what is held and what is told with others is told all the same, and
//! once.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::grouping::Group;
use muster_domain::delivery::silence::{Because, Hold};
use muster_domain::delivery::{Decision, Delivery, Message, Route, Source, alert, digest, routing, state};
use muster_domain::pb::common::v1::Environment;
use muster_domain::pb::inventory::v1::{Grouping, NotificationRouteSpec, TimeWindow};
use muster_domain::pb::notification::v1::{DeliveryEvent, DeliveryState, DeliveryView};
use muster_domain::time::{duration_to_pb, to_pb};

use super::silence::of_tier_2;
use super::stage::Stage;
use super::{alert_opened, mail_route};
use crate::groups::QUIET_GATHERS;
use crate::parcel::Parcel;

/// A log as a process left it that was killed: what was recorded is there, what follows is not.
struct Left {
    stage: Stage,
    route: Route,
}

impl Left {
    /// The route's quiet hours end, or ended, at `until`.
    async fn new(until: Timestamp) -> Self {
        let night = TimeWindow {
            name: "night".into(),
            from: Some(to_pb(until - SignedDuration::from_hours(2))),
            until: Some(to_pb(until)),
            ..TimeWindow::default()
        };
        let spec = NotificationRouteSpec { quiet_hours: vec![night], ..mail_route(&["alice@example.com"]) };
        let stage = Stage::new().await;
        stage.route("mail", spec.clone()).await;
        Self { stage, route: Route { name: "mail".into(), spec, ..Route::default() } }
    }

    /// An alert of tier 2, queued for the route.
    async fn queued(&self, alert_id: &str) -> Parcel {
        let now = Timestamp::now();
        let event = of_tier_2(alert_opened(alert_id, Environment::Production));
        let event_id = self.stage.readiness(event.clone(), now).await;
        let source = Source { tenant: "acme".into(), event_id, sequence: 1, occurred_at: now };
        let message = alert::message(&source, &event).unwrap();
        let decision = self.decision(&message);
        let parcel = Parcel::new(&message, &decision, event_id);
        self.records(&parcel, |delivery| state::queue(delivery, parcel.delivery_id(), &message, &decision, now)).await;
        parcel
    }

    fn decision(&self, message: &Message) -> Decision {
        routing::route(message, std::slice::from_ref(&self.route)).remove(0)
    }

    async fn held(&self, parcel: &Parcel, until: Timestamp) {
        let hold = Hold::new(Because::QuietHours, "night", Some(until));
        self.records(parcel, |delivery| state::hold(delivery, &hold.rule, hold.until)).await;
    }

    /// The group's own delivery, queued.
    async fn group(&self, group: &Group, first: &Message) -> Parcel {
        let message = digest::envelope(group, first);
        let decision = self.decision(&message);
        let mut parcel = Parcel::new(&message, &decision, group.event_id);
        parcel.group = Some(group.clone());
        let now = Timestamp::now();
        self.records(&parcel, |delivery| state::queue(delivery, parcel.delivery_id(), &message, &decision, now)).await;
        parcel
    }

    /// Appends what the rules say of the delivery as it stands.
    async fn records(&self, parcel: &Parcel, decide: impl FnOnce(&Delivery) -> Option<DeliveryEvent>) {
        let id = parcel.delivery_id();
        let delivery = self.stage.ctx.log.load::<Delivery>(&self.stage.tenant, &id.into()).await.unwrap().state;
        let event = decide(&delivery).unwrap();
        self.stage.append::<Delivery>(&id.to_string(), event, Timestamp::now()).await;
    }

    /// The successor runs until all of these alerts were told; then nothing more may come.
    async fn told(&mut self, deliveries: usize) -> Vec<DeliveryView> {
        self.stage.start().await;
        let enough = |list: &[DeliveryView]| list.len() == deliveries && list.iter().all(|d| d.finished_at.is_some());
        let list = self.stage.until("everything is told", enough).await;
        self.stage.stop().await;
        list
    }
}

fn in_state(list: &[DeliveryView], state: DeliveryState) -> usize {
    list.iter().filter(|d| d.state() == state).count()
}

/// How many alerts the messages tell that went out: one, or as many as a group says.
fn alerts_told(left: &Left) -> usize {
    let of = |message: &Message| {
        let counted = message.facts.iter().find(|fact| fact.name == "Messages");
        counted.map_or(1, |fact| fact.value.parse().unwrap())
    };
    left.stage.mail.attempts().iter().map(|attempt| of(&attempt.message)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_without_its_timer_is_told_when_its_time_comes() {
    let until = Timestamp::now() + SignedDuration::from_secs(8);
    let mut left = Left::new(until).await;
    let parcel = left.queued("a1").await;
    left.held(&parcel, until).await;
    let list = left.told(1).await;
    assert_eq!((list[0].state(), list[0].attempts), (DeliveryState::Accepted, 1));
    assert!(left.stage.mail.attempts()[0].now >= until, "not before its time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_without_its_timer_is_told_when_its_time_was_over_meanwhile() {
    let until = Timestamp::now() - SignedDuration::from_secs(60);
    let mut left = Left::new(until).await;
    let parcel = left.queued("a1").await;
    left.held(&parcel, until).await;
    let list = left.told(1).await;
    assert_eq!((list[0].state(), list[0].attempts), (DeliveryState::Accepted, 1));
    assert_eq!(left.stage.mail.attempts().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_without_its_timer_is_told_with_everybody_who_joins_it() {
    let until = Timestamp::now() - SignedDuration::from_secs(60);
    let mut left = Left::new(until).await;
    let (first, second) = (left.queued("a1").await, left.queued("a2").await);
    left.held(&first, until).await;
    left.held(&second, until).await;
    // The first was about to join: its group is held already, and nobody would ever look at it.
    let to = (first.route.as_str(), first.recipient.as_str());
    let group = Group::of_quiet("acme", to, &first.message, until, QUIET_GATHERS);
    let parcel = left.group(&group, &first.message).await;
    left.records(&parcel, |delivery| state::hold(delivery, "many at once: what quiet hours held", Some(group.until)))
        .await;

    left.stage.start().await;
    let both = |list: &[DeliveryView]| {
        in_state(list, DeliveryState::Grouped) == 2 && list.iter().all(|d| d.finished_at.is_some())
    };
    left.stage.until("both are told", both).await;
    left.stage.stop().await;
    assert_eq!(alerts_told(&left), 2, "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joined_a_group_that_had_gone_out_is_told_and_who_joined_before_is_not_told_again() {
    let mut left = Left::new(Timestamp::now() - SignedDuration::from_secs(60)).await;
    let (in_time, too_late) = (left.queued("a1").await, left.queued("a2").await);
    let now = Timestamp::now();
    let to = (in_time.route.as_str(), in_time.recipient.as_str());
    let group = Group::of_many("acme", to, &in_time.message, now - SignedDuration::from_secs(30), now);
    let own = left.group(&group, &in_time.message).await;
    left.records(&in_time, |delivery| state::group(delivery, group.delivery_id, now)).await;
    let limit = SignedDuration::from_secs(30);
    left.records(&own, |delivery| state::attempt(delivery, now, limit).unwrap()).await;
    left.records(&own, |delivery| state::accepted(delivery, 1, now, "250 ok")).await;
    // Killed before it could see that the group was on its way.
    left.records(&too_late, |delivery| state::group(delivery, group.delivery_id, now)).await;

    let list = left.told(4).await;
    assert_eq!(in_state(&list, DeliveryState::Grouped), 2);
    let into = |parcel: &Parcel| {
        let id = parcel.delivery_id().to_string();
        list.iter().find(|d| d.delivery_id == id).unwrap().grouped_into.clone()
    };
    assert_eq!(into(&in_time), group.delivery_id.to_string());
    assert_ne!(into(&too_late), group.delivery_id.to_string());
    assert_eq!((alerts_told(&left), left.stage.mail.attempts().len()), (1, 1), "the one that was left out, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_reacted_to_again_is_told_with_the_same_others() {
    let mut left = Left::new(Timestamp::now() - SignedDuration::from_secs(60)).await;
    let spec = NotificationRouteSpec {
        grouping: Some(Grouping {
            more_than: 1,
            window: Some(duration_to_pb(SignedDuration::from_secs(3))),
            ..Grouping::default()
        }),
        ..mail_route(&["alice@example.com"])
    };
    left.stage.route("mail", spec).await;
    left.stage.start().await;
    for alert in ["a1", "a2", "a3"] {
        let event = of_tier_2(alert_opened(alert, Environment::Production));
        left.stage.readiness(event, Timestamp::now()).await;
    }
    let all = |list: &[DeliveryView]| list.len() == 4 && list.iter().all(|d| d.finished_at.is_some());
    left.stage.until("one by itself and two together", all).await;
    left.stage.stop().await;
    assert_eq!(alerts_told(&left), 3);

    // It counts anew.
    left.stage.forget_what_was_reacted_to().await;
    left.stage.start().await;
    let event = of_tier_2(alert_opened("a4", Environment::Production));
    left.stage.readiness(event, Timestamp::now()).await;
    let newest =
        |list: &[DeliveryView]| list.iter().any(|d| d.alert_id == "a4") && list.iter().all(|d| d.finished_at.is_some());
    left.stage.until("the next one", newest).await;
    left.stage.stop().await;
    assert_eq!(alerts_told(&left), 4, "and nothing is told again");
}
