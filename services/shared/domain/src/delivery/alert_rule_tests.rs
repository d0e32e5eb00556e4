#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::delivery::message::Source;

fn message(kind: &str, severity: Severity, tier: Tier, environment: Environment) -> Message {
    let source =
        Source { tenant: "acme".into(), event_id: Uuid::from_u128(1), sequence: 1, occurred_at: Timestamp::UNIX_EPOCH };
    let mut message = Message::about(&source, kind, "orders-db", tier.into(), environment.into());
    message.severity = severity;
    message.set_subject(&format!("{}: orders-db", severity.name().to_uppercase()));
    message
}

fn policy(rules: &[AlertRule]) -> PolicySpec {
    PolicySpec { alerts: rules.to_vec(), ..PolicySpec::default() }
}

fn rule(kinds: &[&str], tiers: &[Tier]) -> AlertRule {
    AlertRule {
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        tiers: tiers.iter().map(|t| i32::from(*t)).collect(),
        ..AlertRule::default()
    }
}

fn breach(tier: Tier) -> Subject<'static> {
    Subject {
        message_kind: kind::RPO_BREACHED,
        severity: Severity::Critical,
        tier,
        environment: Environment::Production,
    }
}

#[test]
fn the_first_rule_that_matches_holds_and_policies_go_by_name() {
    let (early, late) =
        (policy(&[rule(&["visibility.*"], &[]), rule(&["rpo.*"], &[Tier::Tier2])]), policy(&[rule(&[], &[])]));
    let chosen = |tier| choose([("late", &late), ("early", &early)], &breach(tier)).source;
    assert_eq!(chosen(Tier::Tier2), "policy early, alerts[1]");
    assert_eq!(chosen(Tier::Tier1), "policy late, alerts[0]");
}

#[test]
fn without_a_rule_only_a_critical_alert_of_tier_one_insists() {
    let built_in = |subject: &Subject<'_>| choose([], subject).rule.renotify_every.as_ref().map(|d| d.seconds);
    assert_eq!(built_in(&breach(Tier::Tier1)), Some(900));
    assert_eq!(built_in(&breach(Tier::Tier2)), None);
    assert_eq!(built_in(&Subject { severity: Severity::Warning, ..breach(Tier::Tier1) }), None);
}

#[test]
fn a_rule_changes_severity_words_and_runbook() {
    let chosen = Chosen {
        rule: AlertRule { severity: "warning".into(), runbook_url: "https://wiki/rpo".into(), ..AlertRule::default() },
        source: String::new(),
    };
    let mut told = message(kind::RPO_BREACHED, Severity::Critical, Tier::Tier2, Environment::Production);
    chosen.apply(&mut told);
    assert_eq!(
        (told.severity, told.subject.as_str(), told.runbook_url.as_str()),
        (Severity::Warning, "WARNING: orders-db", "https://wiki/rpo")
    );
}

#[test]
fn losing_sight_of_tier_one_is_no_breach() {
    let blind = Subject { message_kind: kind::VISIBILITY_LOST, ..breach(Tier::Tier1) };
    assert!(!blind.is_tier_one_breach());
    let held = Chosen {
        rule: AlertRule { hold: Some(duration_to_pb(SignedDuration::from_mins(2))), ..AlertRule::default() },
        source: String::new(),
    };
    assert_eq!(held.hold(&blind), SignedDuration::from_mins(2));
    assert_eq!(held.hold(&breach(Tier::Tier1)), SignedDuration::ZERO);
}

proptest! {
    /// Whatever the rules say: a tier 1 breach in production is critical, and told at once.
    #[test]
    fn no_rule_quietens_a_breach_of_tier_one(
        severity in prop::sample::select(vec!["", "info", "warning", "critical", "loud"]),
        hold in -10i64..10_000,
        kind in prop::sample::select(vec![kind::RPO_BREACHED, kind::REPLICATION_BROKEN, kind::INTEGRITY_VIOLATED, kind::ALERT_OPENED]),
        unknown_tier: bool,
    ) {
        let rule = AlertRule {
            severity: severity.into(),
            hold: Some(duration_to_pb(SignedDuration::from_secs(hold))),
            ..AlertRule::default()
        };
        let tier = if unknown_tier { Tier::Unspecified } else { Tier::Tier1 };
        let mut told = message(kind, Severity::Critical, tier, Environment::Production);
        let policy = policy(&[rule]);
        let chosen = choose([("p", &policy)], &Subject::of(&told));
        chosen.apply(&mut told);
        prop_assert_eq!(told.severity, Severity::Critical);
        prop_assert_eq!(chosen.hold(&Subject::of(&told)), SignedDuration::ZERO);
    }

    #[test]
    fn nothing_is_held_longer_than_the_limit(hold in any::<i64>(), nanos in any::<i32>()) {
        let rule = AlertRule {
            hold: Some(crate::time::PbDuration { seconds: hold, nanos }),
            ..AlertRule::default()
        };
        let told = message(kind::VISIBILITY_LOST, Severity::Warning, Tier::Tier3, Environment::Test);
        let held = Chosen { rule, source: String::new() }.hold(&Subject::of(&told));
        prop_assert!(held >= SignedDuration::ZERO && held <= MAX_HOLD);
    }
}

#[test]
fn severities_have_the_names_that_manifests_use() {
    assert_eq!(severity_named("critical").unwrap(), Severity::Critical);
    assert_eq!(severity_named("CRITICAL"), None);
}
