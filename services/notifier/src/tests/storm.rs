//! Very many alerts at once, with the channel down for the first half: nothing lost, nothing doubled, tier 1 first.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use muster_domain::delivery::Message;
use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::Grouping;
use muster_domain::pb::notification::v1::DeliveryState;
use muster_domain::pb::readiness::v1::{AlertOpened, ReadinessEvent, Severity, readiness_event::Event};
use muster_domain::readiness::Readiness;
use muster_domain::time::duration_to_pb;
use muster_local::eventually;

use super::stage::{LIMIT, Stage};
use super::{hook_route, mail_route};

const ALERTS: usize = 400;
const WINDOW_S: u64 = 10;
/// Of so many, one is tier 1.
const TIER_1_EVERY: usize = 20;

fn opened(number: usize) -> ReadinessEvent {
    let first = number.is_multiple_of(TIER_1_EVERY);
    let (tier, severity) = if first { (Tier::Tier1, Severity::Critical) } else { (Tier::Tier3, Severity::Warning) };
    ReadinessEvent {
        event: Some(Event::AlertOpened(AlertOpened {
            alert_id: format!("alert-{number}"),
            resource: format!("db-{number}"),
            kind: 1,
            severity: severity.into(),
            tier: tier.into(),
            environment: Environment::Production.into(),
            ..AlertOpened::default()
        })),
    }
}

async fn open_all(stage: &Stage) {
    let now = Timestamp::now();
    let open =
        |number: usize| async move { stage.append::<Readiness>(&format!("db-{number}"), opened(number), now).await };
    futures::future::join_all((0..ALERTS).map(open)).await;
}

/// Waits until every alert is told, alone or in a group, and every attempt is over.
async fn all_told(stage: &Stage) -> (Vec<Message>, u64) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let taken: Vec<Message> = stage.hook.taken().into_iter().map(|attempt| attempt.message).collect();
        let counted: u64 = taken.iter().map(counts).sum();
        if counted >= ALERTS as u64 {
            return (taken, counted);
        }
        let late = tokio::time::Instant::now() >= deadline;
        let mut left = if late { stage.whole_list("storm").await } else { Vec::new() };
        left.retain(|delivery| delivery.finished_at.is_none());
        assert!(!late, "{counted} of {ALERTS} were told in {} messages; on their way: {left:#?}", taken.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many alerts a message tells.
fn counts(message: &Message) -> u64 {
    let total = message.facts.iter().find(|fact| fact.name == "Messages" && message.resource.is_empty());
    total.map_or(1, |fact| fact.value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_a_channel_that_is_down_loses_nothing_and_doubles_nothing() {
    let mut stage = Stage::new().await;
    stage.hook.down();
    let mut route = hook_route("https://hooks.example.com/storm");
    let window = jiff::SignedDuration::from_secs(i64::try_from(WINDOW_S).unwrap());
    route.grouping = Some(Grouping { more_than: 10, window: Some(duration_to_pb(window)), flaps: 0 });
    stage.route("storm", route).await;
    stage.start().await;
    let began = std::time::Instant::now();
    open_all(&stage).await;
    // The first attempts meet a closed door.
    eventually("some are tried", async || stage.hook.attempts().len() >= 10).await;
    stage.hook.up();
    let (taken, counted) = all_told(&stage).await;
    assert_eq!(counted, ALERTS as u64, "each alert is told once");
    // In each window at most ten one by one of each of the two tiers, and a group.
    let windows = usize::try_from(began.elapsed().as_secs() / WINDOW_S).unwrap() + 1;
    assert!(taken.len() <= windows * 2 * (10 + 1), "{} messages in {windows} windows", taken.len());
    let ids: Vec<_> = stage.hook.taken().iter().map(|attempt| attempt.delivery_id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no delivery is taken twice");
    assert!(stage.hook.taken().iter().all(|attempt| !attempt.possibly_duplicate));
    for message in taken.iter().filter(|message| message.resource.is_empty()) {
        let (said, of) = (&message.subject, "'rpo.breached'");
        assert!(
            said.contains(&format!("more messages {of}")) || said.contains(&format!(": 1 more message {of}")),
            "{said}"
        );
    }
    // What the record says agrees: every alert has its delivery, none is open. The far side knows of the last ones first.
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let all = stage.whole_list("storm").await;
        let grouped = all.iter().filter(|d| d.state() == DeliveryState::Grouped).count();
        let accepted = all.iter().filter(|d| d.state() == DeliveryState::Accepted).count();
        if (grouped + accepted, accepted) == (all.len(), taken.len()) {
            break;
        }
        let late = tokio::time::Instant::now() >= deadline;
        assert!(!late, "{grouped} grouped, {accepted} accepted of {}; {} taken", all.len(), taken.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tier_1_goes_first_when_there_are_too_many_to_send_at_once() {
    let mut stage = Stage::new().await;
    stage.hook.slow(Duration::from_millis(20));
    let mut route = hook_route("https://hooks.example.com/storm");
    // Nothing is grouped: every alert is a message of its own.
    route.grouping = Some(Grouping { more_than: 10_000, window: None, flaps: 0 });
    stage.route("storm", route).await;
    open_all(&stage).await;
    stage.start().await;
    let (taken, _) = all_told(&stage).await;
    assert_eq!(taken.len(), ALERTS);
    let place = |wanted: Tier| {
        let places: Vec<usize> =
            taken.iter().enumerate().filter(|(_, m)| m.tier == wanted).map(|(place, _)| place).collect();
        places[places.len() / 2]
    };
    // Half of tier 1 was out before half of the rest, although it came spread among it.
    let (first, rest) = (place(Tier::Tier1), place(Tier::Tier3));
    assert!(first < rest, "median place of tier 1: {first}, of the rest: {rest}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_channel_keeps_nobody_waiting_at_another_one() {
    let mut stage = Stage::new().await;
    // Two at a time for what is not critical: ten minutes for all of them.
    stage.hook.slow(Duration::from_secs(3));
    for (name, mut route) in [("slow", hook_route("https://hooks.example.com/slow")), ("mail", mail_route(&["a@b.c"]))]
    {
        route.grouping = Some(Grouping { more_than: 10_000, window: None, flaps: 0 });
        stage.route(name, route).await;
    }
    stage.start().await;
    open_all(&stage).await;
    eventually("all mails are taken", async || stage.mail.taken().len() == ALERTS).await;
    assert!(stage.hook.taken().len() < ALERTS / 2, "the slow channel was not slow");
    stage.stop().await;
}
