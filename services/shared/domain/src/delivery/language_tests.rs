use jiff::Timestamp;

use super::*;
use crate::delivery::Escalation;
use crate::delivery::escalation::words;
use crate::delivery::sample::sample;
use crate::pb::common::v1::Actor;
use crate::pb::notification::v1::EscalationStepped;

fn german_of(kind: &str) -> Message {
    translated(&sample("acme", kind, Timestamp::UNIX_EPOCH), "de")
}

#[test]
fn every_kind_that_this_language_knows_begins_in_it() {
    for kind in kind::ALL {
        let english = sample("acme", kind, Timestamp::UNIX_EPOCH);
        let german = german_of(kind);
        assert_ne!(german.subject, english.subject, "{kind}");
        assert_ne!(german.summary, english.summary, "{kind}");
    }
}

#[test]
fn an_alert_is_german_through_and_through() {
    let message = german_of(kind::RPO_BREACHED);
    assert_eq!(message.subject, "KRITISCH: orders-db (Stufe 1, Produktion): RPO überschritten");
    assert!(message.summary.starts_with("System orders-db (Stufe 1, Produktion): Fiele die Primärseite"));
    assert!(message.facts.iter().any(|fact| fact.name == "Zustand"), "{:?}", message.facts);
    assert_eq!(german_of(kind::ALERT_RESOLVED).subject, "BEHOBEN: orders-db (Stufe 1, Produktion): RPO überschritten");
}

#[test]
fn what_was_measured_stays_as_it_is() {
    let (english, german) = (sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH), german_of(kind::RPO_BREACHED));
    assert_eq!((&german.reasons, &german.loss), (&english.reasons, &english.loss));
    let values = |m: &Message| m.facts.iter().map(|f| f.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&german), values(&english));
}

#[test]
fn repetitions_steps_and_news_are_marked() {
    let alert = || Message { opens_thread: false, ..sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH) };
    assert!(translated(&alert(), "de").subject.starts_with("NEUER STAND KRITISCH"));
    let mut again = alert();
    words::renotified(&mut again, 1, None);
    assert!(translated(&again, "de").subject.starts_with("WEITERHIN OFFEN (2. Nachricht): KRITISCH"));
    let mut step = alert();
    let third = EscalationStepped { step: 3, ..EscalationStepped::default() };
    words::stepped(&mut step, &third, &Escalation::default());
    assert!(translated(&step, "de").subject.starts_with("ESKALIERT (Schritt 3): KRITISCH"));
    assert!(translated(&step, "de").summary.starts_with("Niemand hat diesen Alarm bestätigt."));
    let mut called = alert();
    let by = Some(Actor { name: "Olga".into(), ..Actor::default() });
    words::stepped(&mut called, &EscalationStepped { by, reason: "disk".into(), ..third }, &Escalation::default());
    let german = translated(&called, "de");
    assert!(german.subject.starts_with("ESKALIERT von Olga (Schritt 3): KRITISCH"), "{}", german.subject);
    assert!(german.summary.starts_with("System "), "{}", german.summary);
    assert!(german.facts.iter().any(|fact| fact.name == "Grund" && fact.value == "disk"));
}

#[test]
fn a_message_about_many_keeps_its_number() {
    let mut many = sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH);
    many.alert_id = String::new();
    many.set_subject("CRITICAL: 100 more messages 'rpo.breached' (tier 1, production)");
    let subject = translated(&many, "de").subject;
    assert_eq!(subject, "Alarm: CRITICAL: 100 more messages 'rpo.breached' (tier 1, production)");
    let mut flapping = sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH);
    flapping.set_subject(&format!("FLAPPING: {}", flapping.subject));
    assert!(translated(&flapping, "de").subject.contains("FLAPPING"));
}

#[test]
fn a_language_that_is_not_known_is_english() {
    let english = sample("acme", kind::RPO_BREACHED, Timestamp::UNIX_EPOCH);
    let other = translated(&english, "tlh");
    assert_eq!((other.subject, other.language.as_str()), (english.subject, "en"));
    assert_eq!(labels("").page, "Page");
}
