//! Messages in another language than English. The words of people and of databases stay as they are: what is translated
//! is the frame (subject, what it means, what to do, labels), so that nothing that was measured changes on the way.

mod calendar;
mod tables;

use crate::pb::common::v1::{Environment, Tier};

use super::alert;
use super::message::{Message, Severity, environment_name, kind, tier_name};
use tables::{ALERTS, AlertWords, ESCALATED_BY, FACTS, FRAMES};

/// What messages can be written in; the first is what they are made in.
pub const LANGUAGES: [&str; 2] = ["en", "de"];

/// The words around a message, for channels that write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Labels {
    pub language: &'static str,
    pub what_to_do: &'static str,
    pub page: &'static str,
    pub runbook: &'static str,
    pub reasons: &'static str,
    pub data_loss: &'static str,
    pub resource: &'static str,
    pub tier: &'static str,
    pub environment: &'static str,
    pub time: &'static str,
    pub tenant: &'static str,
    pub event: &'static str,
    pub maybe_twice: &'static str,
    pub decides_nothing: &'static str,
}

const ENGLISH: Labels = Labels {
    language: "en",
    what_to_do: "What to do",
    page: "Page",
    runbook: "Runbook",
    reasons: "Reasons",
    data_loss: "Data loss",
    resource: "Resource",
    tier: "Tier",
    environment: "Environment",
    time: "Time",
    tenant: "tenant",
    event: "event",
    maybe_twice: "You may have got this message before: the first copy's arrival could not be confirmed.",
    decides_nothing: "Nothing can be approved or started from this mail: the page asks for your login.",
};

const GERMAN: Labels = Labels {
    language: "de",
    what_to_do: "Was zu tun ist",
    page: "Seite",
    runbook: "Anleitung",
    reasons: "Gründe",
    data_loss: "Datenverlust",
    resource: "System",
    tier: "Stufe",
    environment: "Umgebung",
    time: "Zeit",
    tenant: "Mandant",
    event: "Ereignis",
    maybe_twice: "Vielleicht kam diese Nachricht schon einmal an: Die Ankunft der ersten ließ sich nicht bestätigen.",
    decides_nothing: "Mit dieser Nachricht lässt sich nichts freigeben oder starten: Die Seite verlangt eine Anmeldung.",
};

/// The labels of a language; of one that is not known, English.
pub fn labels(language: &str) -> &'static Labels {
    if language == "de" { &GERMAN } else { &ENGLISH }
}

/// "Stufe 1"
pub fn tier_in(language: &str, tier: Tier) -> &'static str {
    match (language, tier) {
        ("de", Tier::Tier1) => "Stufe 1",
        ("de", Tier::Tier2) => "Stufe 2",
        ("de", Tier::Tier3) => "Stufe 3",
        ("de", Tier::Unspecified) => "Stufe unbekannt",
        _ => tier_name(tier),
    }
}

/// "Produktion"
pub fn environment_in(language: &str, environment: Environment) -> &'static str {
    match (language, environment) {
        ("de", Environment::Production) => "Produktion",
        ("de", Environment::Staging) => "Abnahme",
        ("de", Environment::Test) => "Test",
        ("de", Environment::Development) => "Entwicklung",
        ("de", Environment::Unspecified) => "Umgebung unbekannt",
        _ => environment_name(environment),
    }
}

/// The message in the language, as far as it has words there. One that tells many, or was changed on its way, keeps its
/// own words in the new frame.
pub fn translated(message: &Message, language: &str) -> Message {
    let mut message = message.clone();
    message.language = labels(language).language.to_owned();
    if message.language == "de" {
        german(&mut message);
    }
    message
}

fn german(message: &mut Message) {
    for fact in &mut message.facts {
        if let Some((_, name)) = FACTS.iter().find(|(english, _)| *english == fact.name) {
            fact.name = (*name).to_owned();
        }
    }
    if calendar::german(message) {
        return;
    }
    let of = if message.kind == kind::ALERT_RESOLVED { &message.alert_kind } else { &message.kind };
    let words = ALERTS.iter().find(|words| words.kind == of);
    match words.filter(|words| is_plain_alert(message, words)) {
        Some(words) if message.kind == kind::ALERT_RESOLVED => {
            let place = place(message);
            message.set_subject(&format!("BEHOBEN: {place}: {}", words.headline));
            message.set_summary(&format!("System {place}: Der Alarm „{}“ ist vorbei.", words.headline));
            message.next_step = "Jetzt ist nichts zu tun. Die Seite zeigt den Verlauf.".into();
        }
        Some(words) => {
            let place = place(message);
            let (mark, unanswered) = mark(message);
            message.set_subject(&format!("{mark}{}: {place}: {}", loudness(message.severity), words.headline));
            message.set_summary(&format!("{unanswered}System {place}: {}", words.meaning));
            message.next_step = words.next_step.into();
        }
        None => framed(message),
    }
}

/// Nothing was added to its subject on the way but what is known here.
fn is_plain_alert(message: &Message, words: &AlertWords) -> bool {
    !message.alert_id.is_empty()
        && message.subject.ends_with(alert::headline(words.kind))
        && !message.subject.starts_with("FLAPPING")
}

fn mark(message: &Message) -> (String, &'static str) {
    const UNANSWERED: &str = "Niemand hat diesen Alarm bestätigt. ";
    match (message.step, message.repetition) {
        (0, 0) if message.opens_thread => (String::new(), ""),
        (0, 0) => ("NEUER STAND ".into(), ""),
        (0, again) => (format!("WEITERHIN OFFEN ({}. Nachricht): ", again.saturating_add(1)), UNANSWERED),
        // Somebody may look after it and need help: that nobody does is not said then.
        (step, _) => match message.facts.iter().find(|fact| fact.name == ESCALATED_BY.1) {
            Some(by) => (format!("ESKALIERT von {} (Schritt {step}): ", by.value), ""),
            None => (format!("ESKALIERT (Schritt {step}): "), UNANSWERED),
        },
    }
}

fn loudness(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "KRITISCH",
        Severity::Warning => "WARNUNG",
        Severity::Info => "HINWEIS",
    }
}

/// "orders-db (Stufe 1, Produktion)"
fn place(message: &Message) -> String {
    format!("{} ({}, {})", message.resource, tier_in("de", message.tier), environment_in("de", message.environment))
}

/// A German sentence before the words that were made from what happened.
fn framed(message: &mut Message) {
    let Some((_, prefix, sentence)) = FRAMES.iter().find(|(kind, ..)| *kind == message.kind) else { return };
    message.set_subject(&format!("{prefix}: {}", message.subject));
    message.set_summary(&format!("{sentence} {}", message.summary));
}

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
