#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::delivery::message::Source;
use crate::pb::execution::v1::{ExecutionFailed, ExecutionStarted, ExecutionSucceeded, Member};
use crate::pb::inventory::v1::WeeklyWindow;
use crate::time::to_pb;

const PROD: i32 = Environment::Production as i32;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn alert(kind: &str, tier: i32, severity: Severity) -> Message {
    let source = Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 1, occurred_at: at(0) };
    let mut message = Message::about(&source, kind, "orders-db", tier, PROD);
    message.severity = severity;
    message.alert_id = "a1".into();
    message.alert_kind = kind.into();
    message
}

fn resolved(tier: i32) -> Message {
    Message {
        kind: kind::ALERT_RESOLVED.into(),
        severity: Severity::Info,
        ..alert(kind::RPO_BREACHED, tier, Severity::Info)
    }
}

fn window(from: i64, until: i64) -> TimeWindow {
    TimeWindow {
        name: "night".into(),
        from: Some(to_pb(at(from))),
        until: Some(to_pb(at(until))),
        ..Default::default()
    }
}

fn weekly(start: &str, end: &str, zone: &str) -> TimeWindow {
    let weekly = WeeklyWindow { days: vec![], start: start.into(), end: end.into(), time_zone: zone.into() };
    TimeWindow { name: "night".into(), weekly: Some(weekly), ..Default::default() }
}

fn quiet(window: TimeWindow) -> NotificationRouteSpec {
    NotificationRouteSpec { quiet_hours: vec![window], ..Default::default() }
}

fn blackout(window: TimeWindow) -> NotificationRouteSpec {
    NotificationRouteSpec { blackouts: vec![window], ..Default::default() }
}

fn fate_at(message: &Message, route: &NotificationRouteSpec, now: i64) -> Fate {
    fate(message, route, Circumstances::default(), at(now))
}

#[test]
fn quiet_hours_hold_until_their_end_and_never_a_breach_of_tier_1() {
    let route = quiet(window(0, 100));
    let warning = alert(kind::RPO_BREACHED, 2, Severity::Warning);
    let Fate::Hold(hold) = fate_at(&warning, &route, 5) else { panic!("held") };
    assert_eq!(
        (hold.because, hold.until, hold.rule.as_str()),
        (Because::QuietHours, Some(at(100)), "quiet hours: night")
    );
    assert_eq!(fate_at(&warning, &route, 100), Fate::Send, "the end is not part of it");
    assert_eq!(fate_at(&alert(kind::RPO_BREACHED, 1, Severity::Warning), &route, 5), Fate::Send);
    assert_eq!(fate_at(&alert(kind::VISIBILITY_LOST, 1, Severity::Critical), &route, 5), Fate::Send);
    assert!(matches!(fate_at(&alert(kind::VISIBILITY_LOST, 1, Severity::Warning), &route, 5), Fate::Hold(_)));
    assert!(matches!(fate_at(&resolved(1), &route, 5), Fate::Hold(_)), "good news can wait");
}

#[test]
fn a_blackout_suppresses_and_says_so_but_never_a_breach_of_tier_1() {
    let route = blackout(window(0, 100));
    assert_eq!(
        fate_at(&alert(kind::RPO_BREACHED, 2, Severity::Critical), &route, 5),
        Fate::Suppress("blackout of the route: night".into())
    );
    assert_eq!(fate_at(&alert(kind::RPO_BREACHED, 1, Severity::Critical), &route, 5), Fate::Send);
    assert_eq!(fate_at(&alert(kind::RPO_BREACHED, 0, Severity::Critical), &route, 5), Fate::Send, "tier unknown");
}

#[test]
fn a_window_that_cannot_be_read_holds_nothing_back() {
    let broken = [weekly("25:00", "06:00", "UTC"), weekly("22:00", "06:00", "Mars/Olympus"), TimeWindow::default()];
    for window in broken {
        assert_eq!(fate_at(&alert(kind::RPO_BREACHED, 3, Severity::Info), &quiet(window), 5), Fate::Send);
    }
    // 1_700_000_005 is 22:13 UTC.
    let night = quiet(weekly("22:00", "06:00", "UTC"));
    assert!(matches!(fate_at(&alert(kind::RPO_BREACHED, 3, Severity::Info), &night, 5), Fate::Hold(_)));
}

#[test]
fn somebody_who_tries_a_route_sees_it_work_at_night() {
    let message = Message { test: true, ..alert(kind::ROUTE_TEST, 3, Severity::Info) };
    let route = NotificationRouteSpec {
        quiet_hours: vec![window(0, 100)],
        blackouts: vec![window(0, 100)],
        ..Default::default()
    };
    assert_eq!(fate_at(&message, &route, 5), Fate::Send);
}

fn policy(rule: MaintenanceWindow) -> PolicySpec {
    PolicySpec { maintenance: vec![rule], ..Default::default() }
}

fn under(message: &Message, policy: &PolicySpec, now: i64) -> Fate {
    let policies = [("changes", policy)];
    fate(message, &Default::default(), Circumstances { policies: &policies, ..Default::default() }, at(now))
}

#[test]
fn maintenance_holds_the_alerts_of_its_systems_but_never_two_primaries() {
    let rule =
        MaintenanceWindow { window: Some(window(0, 100)), resources: vec!["orders-db".into()], ..Default::default() };
    let breach = alert(kind::RPO_BREACHED, 1, Severity::Critical);
    let Fate::Hold(hold) = under(&breach, &policy(rule.clone()), 5) else { panic!("held") };
    assert_eq!((hold.because, hold.rule.as_str()), (Because::Maintenance, "maintenance: night (policy changes)"));
    assert_eq!(under(&breach, &policy(rule.clone()), 100), Fate::Send);
    assert_eq!(under(&alert(kind::INTEGRITY_VIOLATED, 1, Severity::Critical), &policy(rule.clone()), 5), Fate::Send);
    let other = MaintenanceWindow { resources: vec!["billing".into()], ..rule.clone() };
    assert_eq!(under(&breach, &policy(other), 5), Fate::Send);
    let everything = MaintenanceWindow { resources: vec![], ..rule };
    assert_eq!(under(&breach, &policy(everything), 5), Fate::Send, "a window that names nothing holds nothing");
}

#[test]
fn maintenance_of_a_group_is_that_of_its_members() {
    let rule = MaintenanceWindow { window: Some(window(0, 100)), groups: vec!["shop".into()], ..Default::default() };
    let member = Message { groups: vec!["shop".into()], ..alert(kind::RPO_BREACHED, 1, Severity::Critical) };
    assert!(matches!(under(&member, &policy(rule.clone()), 5), Fate::Hold(_)));
    assert_eq!(under(&alert(kind::RPO_BREACHED, 1, Severity::Critical), &policy(rule), 5), Fate::Send);
}

fn run(state: ExecutionState) -> ExecutionView {
    let member = Member { resource: "orders-db".into(), ..Default::default() };
    ExecutionView {
        request_id: "r-1".into(),
        state: state.into(),
        started: Some(ExecutionStarted {
            started_at: Some(to_pb(at(-10))),
            members: vec![member],
            ..Default::default()
        }),
        succeeded: Some(ExecutionSucceeded { finished_at: Some(to_pb(at(50))), ..Default::default() }),
        failed: Some(ExecutionFailed { finished_at: Some(to_pb(at(50))), ..Default::default() }),
        ..Default::default()
    }
}

fn during(message: &Message, run: &ExecutionView, now: i64) -> Fate {
    fate(message, &Default::default(), Circumstances { run: Some(run), ..Default::default() }, at(now))
}

#[test]
fn alerts_that_musters_own_run_causes_wait_for_its_end() {
    let broken = alert(kind::REPLICATION_BROKEN, 1, Severity::Critical);
    let running = run(ExecutionState::Running);
    let Fate::Hold(hold) = during(&broken, &running, 5) else { panic!("held") };
    assert_eq!((hold.because, hold.until), (Because::OwnRun, None));
    assert_eq!(during(&broken, &running, 3_600), Fate::Send, "a run that hangs hides nothing for ever");
    assert_eq!(during(&alert(kind::INTEGRITY_VIOLATED, 1, Severity::Critical), &running, 5), Fate::Send);
    let done = run(ExecutionState::Succeeded);
    assert!(matches!(during(&broken, &done, 60), Fate::Hold(Hold { until: Some(_), .. })), "the replica settles");
    assert_eq!(during(&broken, &done, 50 + 120), Fate::Send);
    assert_eq!(
        during(&broken, &run(ExecutionState::Failed), 60),
        Fate::Send,
        "what is broken after a failure is broken"
    );
}

#[test]
fn a_drill_another_system_and_an_older_alert_are_not_the_runs_doing() {
    let broken = alert(kind::REPLICATION_BROKEN, 1, Severity::Critical);
    let mut drill = run(ExecutionState::Running);
    drill.started.as_mut().unwrap().drill = true;
    assert_eq!(during(&broken, &drill, 5), Fate::Send);
    let other = Message { resource: "billing".into(), ..broken.clone() };
    assert_eq!(during(&other, &run(ExecutionState::Running), 5), Fate::Send);
    let older = Message { occurred_at: at(-11), ..broken };
    assert_eq!(during(&older, &run(ExecutionState::Running), 5), Fate::Send);
}

#[test]
fn a_recorded_rule_gives_its_reason_back() {
    for because in Because::ALL {
        assert_eq!(Because::of(&Hold::new(because, "x", None).rule), Some(because));
    }
    assert_eq!(Because::of("anything else"), None);
}

proptest! {
    /// Whatever windows a route has, a breach of tier 1 is neither held nor suppressed by them.
    #[test]
    fn no_window_of_a_route_silences_a_breach_of_tier_1(
        spans in prop::collection::vec((-200i64..200, 1i64..400), 0..5),
        now in -300i64..300,
        tier in prop_oneof![Just(0), Just(1), Just(7)],
        which in 0usize..4,
        severity in 0usize..3,
    ) {
        let kinds = [kind::RPO_BREACHED, kind::REPLICATION_BROKEN, kind::INTEGRITY_VIOLATED, kind::ALERT_OPENED];
        let severity = [Severity::Info, Severity::Warning, Severity::Critical][severity];
        let windows: Vec<TimeWindow> = spans.iter().map(|(from, length)| window(*from, from + length)).collect();
        let route = NotificationRouteSpec { quiet_hours: windows.clone(), blackouts: windows, ..Default::default() };
        prop_assert_eq!(fate_at(&alert(kinds[which], tier, severity), &route, now), Fate::Send);
    }

    /// What is held by a window is held until a later moment, at which that window holds it no more.
    #[test]
    fn what_is_held_has_an_end(spans in prop::collection::vec((-200i64..200, 1i64..400), 1..5), now in -300i64..300) {
        let route = NotificationRouteSpec {
            quiet_hours: spans.iter().map(|(from, length)| window(*from, from + length)).collect(),
            ..Default::default()
        };
        let message = alert(kind::RPO_BREACHED, 3, Severity::Warning);
        let mut now = at(now);
        for _ in 0..=spans.len() {
            match fate(&message, &route, Circumstances::default(), now) {
                Fate::Hold(hold) => { prop_assert!(hold.until.unwrap() > now); now = hold.until.unwrap(); }
                other => { prop_assert_eq!(other, Fate::Send); return Ok(()); }
            }
        }
        prop_assert!(false, "held for ever");
    }
}
