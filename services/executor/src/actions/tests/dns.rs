//! A record set is switched on real name servers: works, works twice, is taken back, is refused.

use muster_domain::pb::plan::v1::{DnsAction, PlanStep, action::Kind};
use muster_platform::{Probe, StepErrorKind};
use muster_runtime::Clock;

use super::{
    name_server::{Lie, NameServer, SECRET, liar, primary_and_secondary, value},
    stage::{Stage, eventually, step, undone, within},
};
use crate::actions::{Look, Surroundings, probe, run};

fn stage() -> Stage {
    let stage = Stage::new();
    stage.secret("tsig", SECRET);
    stage.secret("tsig-wrong", "d3Jvbmd3cm9uZ3dyb25nd3JvbmcxMjM0NTY3ODkwMTI=");
    stage.secret("tsig-short", "c2hvcnQ=");
    stage
}

fn action(server: &str) -> DnsAction {
    DnsAction {
        server: server.into(),
        zone: "dr.example".into(),
        name: "app.dr.example".into(),
        r#type: "A".into(),
        from_values: vec!["10.0.0.1".into()],
        to_values: vec!["10.0.0.2".into()],
        key_name: "switch".into(),
        key_ref: "file:tsig".into(),
        ..DnsAction::default()
    }
}

fn with_secondary(primary: &NameServer, secondary: &NameServer) -> DnsAction {
    DnsAction { secondaries: vec![secondary.address()], ..action(&primary.address()) }
}

async fn look(step: &PlanStep, s: &Surroundings) -> Probe {
    probe(step, Look::AfterClaim, s).await
}

#[tokio::test]
async fn switched_everywhere_twice_is_once_and_taken_back() {
    let Some((primary, secondary)) = primary_and_secondary().await else { return };
    let (stage, wanted) = (stage(), step(Kind::Dns(with_secondary(&primary, &secondary))));
    let s = stage.surroundings();
    assert_eq!(look(&wanted, &s).await, Probe::NotDone);
    let done = run(&wanted, &s).await.unwrap();
    assert!(done.note.contains("10.0.0.2") && done.note.contains("serial 2"), "{}", done.note);
    for server in [&primary, &secondary] {
        assert_eq!(value(&server.address(), "app").await.as_deref(), Some("10.0.0.2"));
    }
    assert!(matches!(look(&wanted, &s).await, Probe::Done { .. }));
    // As by a successor that does not know whether it ran: nothing is changed again.
    let again = run(&wanted, &s).await.unwrap();
    assert!(again.note.contains("serial 2"), "{}", again.note);
    let back = undone(&wanted).unwrap();
    assert_eq!(look(&back, &s).await, Probe::NotDone);
    run(&back, &s).await.unwrap();
    for server in [&primary, &secondary] {
        assert_eq!(value(&server.address(), "app").await.as_deref(), Some("10.0.0.1"));
    }
    assert_eq!(value(&primary.address(), "other").await.as_deref(), Some("10.9.9.9"));
}

#[tokio::test]
async fn aliases_and_sets_of_several_values_are_compared_as_they_mean() {
    let Some((primary, _secondary)) = primary_and_secondary().await else { return };
    let (stage, server) = (stage(), primary.address());
    let s = stage.surroundings();
    for action in [
        DnsAction {
            name: "WWW.dr.example.".into(),
            r#type: "cname".into(),
            from_values: vec!["OLD.dr.example".into()],
            to_values: vec!["new.DR.example.".into()],
            ..action(&server)
        },
        DnsAction {
            name: "six.dr.example".into(),
            r#type: "AAAA".into(),
            from_values: vec!["2001:0db8:0::1".into()],
            to_values: vec!["2001:db8::3".into(), "2001:db8::2".into()],
            ..action(&server)
        },
    ] {
        let wanted = step(Kind::Dns(action));
        run(&wanted, &s).await.unwrap();
        assert!(matches!(look(&wanted, &s).await, Probe::Done { .. }));
        run(&undone(&wanted).unwrap(), &s).await.unwrap();
        assert_eq!(look(&wanted, &s).await, Probe::NotDone);
    }
}

#[tokio::test]
async fn what_somebody_changed_is_left_alone() {
    let Some((primary, _secondary)) = primary_and_secondary().await else { return };
    let (stage, server) = (stage(), primary.address());
    let s = stage.surroundings();
    let theirs = DnsAction { to_values: vec!["10.0.0.77".into()], ..action(&server) };
    run(&step(Kind::Dns(theirs)), &s).await.unwrap();
    let error = run(&step(Kind::Dns(action(&server))), &s).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused);
    assert!(error.text.contains("10.0.0.77") && error.text.contains("somebody changed it"), "{error}");
    assert_eq!(value(&server, "app").await.as_deref(), Some("10.0.0.77"));
}

#[tokio::test]
async fn wrong_keys_names_times_and_forms_are_refused_with_their_reason() {
    let Some((primary, secondary)) = primary_and_secondary().await else { return };
    let (stage, server) = (stage(), primary.address());
    let s = stage.surroundings();
    let good = action(&server);
    let other = DnsAction {
        name: "other.dr.example".into(),
        from_values: vec!["10.9.9.9".into()],
        to_values: vec!["10.0.0.2".into()],
        ..good.clone()
    };
    for (action, words) in [
        (DnsAction { key_ref: "file:tsig-wrong".into(), ..good.clone() }, "BADSIG"),
        (DnsAction { key_name: "nobody".into(), ..good.clone() }, "BADKEY"),
        (DnsAction { key_ref: "file:tsig-short".into(), ..good.clone() }, "at least 16"),
        (DnsAction { key_ref: "file:missing".into(), ..good.clone() }, "cannot be used"),
        (other, "REFUSED"),
        (DnsAction { name: "app.example.org".into(), ..good.clone() }, "not in the zone"),
        (DnsAction { zone: "example".into(), ..good.clone() }, "answers"),
        (DnsAction { r#type: "MX".into(), ..good.clone() }, "A, AAAA or CNAME"),
        (DnsAction { to_values: vec!["10.0.0".into()], ..good.clone() }, "not a value"),
        (DnsAction { to_values: vec![], ..good.clone() }, "at least one value"),
        (DnsAction { server: "127.0.0.1".into(), ..good.clone() }, "host:port"),
        (DnsAction { server: "169.254.169.254:53".into(), ..good.clone() }, "never used"),
        (DnsAction { server: secondary.address(), ..good.clone() }, ""),
    ] {
        let error = run(&step(Kind::Dns(action)), &s).await.unwrap_err();
        assert!(error.text.contains(words), "{words}: {error:?}");
        assert_eq!(error.kind, StepErrorKind::Refused, "{error:?}");
        assert!(!error.text.contains(SECRET), "{error}");
    }
    let (clock, _) = Clock::manual(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1));
    let late = Surroundings { clock, ..stage.surroundings() };
    let error = run(&step(Kind::Dns(good)), &late).await.unwrap_err();
    assert!(error.text.contains("BADTIME"), "{error}");
    assert_eq!(value(&server, "app").await.as_deref(), Some("10.0.0.1"));
    assert_eq!(value(&server, "other").await.as_deref(), Some("10.9.9.9"));
}

#[tokio::test]
async fn a_secondary_that_does_not_follow_is_named() {
    let Some((primary, secondary)) = primary_and_secondary().await else { return };
    let (stage, at) = (stage(), secondary.address());
    let s = stage.surroundings();
    let wanted = within(step(Kind::Dns(with_secondary(&primary, &secondary))), 2);
    drop(secondary);
    let error = run(&wanted, &s).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.text.contains(&at), "{error}");
    // It is changed on the primary, and that is not all of the step.
    assert_eq!(value(&primary.address(), "app").await.as_deref(), Some("10.0.0.2"));
    assert_eq!(look(&wanted, &s).await, Probe::NotDone);
}

#[tokio::test]
async fn a_server_that_says_yes_and_changes_nothing_is_not_believed() {
    let stage = stage();
    let s = stage.surroundings();
    for (lie, kind, words) in [
        (Lie::NoError, StepErrorKind::Failed, "said NOERROR and changed nothing"),
        (Lie::Unsigned, StepErrorKind::OutcomeUnknown, "not signed"),
        (Lie::Silence, StepErrorKind::OutcomeUnknown, "does not answer"),
    ] {
        let error = run(&step(Kind::Dns(action(&liar(lie).await))), &s).await.unwrap_err();
        assert_eq!(error.kind, kind, "{lie:?}: {error:?}");
        assert!(error.text.contains(words), "{lie:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_leaves_it_unknown() {
    let Some((primary, _secondary)) = primary_and_secondary().await else { return };
    let (stage, wanted) = (stage(), step(Kind::Dns(action(&primary.address()))));
    let s = stage.surroundings();
    drop(primary);
    eventually("it cannot be told", async || matches!(look(&wanted, &s).await, Probe::Unknown(_))).await;
    let error = run(&wanted, &s).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "nothing was sent: {error:?}");
}
