//! Messages in another language than English. The words of people and of databases stay as they are: what is translated
//! is the frame (subject, what it means, what to do, labels), so that nothing that was measured changes on the way.

use crate::pb::common::v1::{Environment, Tier};

use super::alert;
use super::message::{Message, Severity, environment_name, kind, tier_name};

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
        (step, _) => (format!("ESKALIERT (Schritt {step}): "), UNANSWERED),
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

struct AlertWords {
    kind: &'static str,
    headline: &'static str,
    meaning: &'static str,
    next_step: &'static str,
}

const ALERTS: [AlertWords; 5] = [
    AlertWords {
        kind: kind::RPO_BREACHED,
        headline: "RPO überschritten",
        meaning: "Fiele die Primärseite jetzt aus, könnten mehr Daten fehlen, als das RPO erlaubt.",
        next_step: "Seite öffnen und nachsehen, welche Seite zurückliegt. Die Verbindung zwischen den Standorten, die Last der Primärseite und das Einspielen auf der Gegenseite prüfen. Solange das anhält, kann ein Failover mehr Daten verlieren als vereinbart.",
    },
    AlertWords {
        kind: kind::VISIBILITY_LOST,
        headline: "Sicht verloren",
        meaning: "Eine Seite dieses Systems ist nicht zu sehen. Ob es sich jetzt wiederherstellen ließe, ist unbekannt; die Seite zeigt den letzten bekannten Stand und sein Alter.",
        next_step: "Herausfinden, ob der Server, der Standort, das Netz oder nur das Konto der Überwachung betroffen ist. Den letzten bekannten Stand nicht für den jetzigen halten.",
    },
    AlertWords {
        kind: kind::REPLICATION_BROKEN,
        headline: "Replikation unterbrochen",
        meaning: "Die Gegenseite folgt der Primärseite nicht mehr. Jede Änderung von jetzt an gibt es nur auf einer Seite.",
        next_step: "Auf der Seite den Grund lesen, dann die Verbindung reparieren oder die Gegenseite neu aufbauen. Kein Failover beantragen, solange die Primärseite nicht ebenfalls verloren ist.",
    },
    AlertWords {
        kind: kind::INTEGRITY_VIOLATED,
        headline: "Integrität verletzt",
        meaning: "Die beiden Seiten passen nicht zusammen (zwei Primärseiten, ein fremdes System oder eine unpassende Zeitlinie).",
        next_step: "Zuerst das Schreiben auf der falschen Seite beenden. Weder Switchover noch Failover starten, bevor ein Mensch entschieden hat, welche Seite die gültigen Daten hat.",
    },
    AlertWords {
        kind: kind::ALERT_OPENED,
        headline: "Alarm",
        meaning: "Ein Alarm, dessen Art diese Version nicht kennt.",
        next_step: "Seite öffnen und die Gründe lesen.",
    },
];

/// Kind, what the subject begins with, and a sentence.
const FRAMES: &[(&str, &str, &str)] = &[
    (kind::RPO_BREACHED, "Alarm", "Alarme zum RPO:"),
    (kind::VISIBILITY_LOST, "Alarm", "Alarme zur Sicht:"),
    (kind::REPLICATION_BROKEN, "Alarm", "Alarme zur Replikation:"),
    (kind::INTEGRITY_VIOLATED, "Alarm", "Alarme zur Integrität:"),
    (kind::ALERT_OPENED, "Alarm", "Alarme:"),
    (kind::ALERT_RESOLVED, "Behoben", "Alarme sind vorbei:"),
    (
        kind::ALERT_ACKNOWLEDGED,
        "Übernommen",
        "Jemand kümmert sich um den Alarm. Er bleibt offen, bis die Ursache behoben ist; freigegeben ist damit nichts.",
    ),
    (kind::REQUEST_CREATED, "Freigabe nötig", "Jemand hat einen Antrag gestellt; Freigaben fehlen noch."),
    (kind::REQUEST_APPROVED, "Freigegeben", "Eine Freigabe wurde erteilt."),
    (kind::REQUEST_REJECTED, "Abgelehnt", "Der Antrag wurde endgültig abgelehnt."),
    (kind::REQUEST_WITHDRAWN, "Zurückgezogen", "Der Antrag wurde zurückgezogen."),
    (kind::REQUEST_EXPIRED, "Verfallen", "Der Antrag wurde nicht rechtzeitig entschieden und gestartet."),
    (kind::REQUEST_CONFIRMED, "Bestätigt", "Der Bestätigungssatz wurde eingegeben; gleich beginnt der Lauf."),
    (kind::REQUEST_STARTED, "Begonnen", "Der Lauf hat begonnen."),
    (kind::REQUEST_SUCCEEDED, "Gelungen", "Der Lauf ist abgeschlossen."),
    (kind::REQUEST_FAILED, "Fehlgeschlagen", "Eine Prüfung oder ein Schritt ist fehlgeschlagen."),
    (kind::REQUEST_STOPPED, "Angehalten", "Der Lauf wurde angehalten."),
    (kind::REQUEST_BREAK_GLASS, "NOTFALL", "Ein Notfall wurde erklärt; Freigaben können übersprungen werden."),
    (kind::REQUEST_BREAK_GLASS_REVIEWED, "Notfall geprüft", "Die Prüfung des Notfalls wurde festgehalten."),
    (
        kind::REQUEST_BREAK_GLASS_REVIEW_OVERDUE,
        "Notfallprüfung überfällig",
        "Niemand hat die Prüfung des Notfalls rechtzeitig festgehalten.",
    ),
    (kind::REQUEST_ESCALATED, "Freigabe fehlt weiterhin", "Nach der vereinbarten Zeit fehlen noch Freigaben."),
    (kind::REQUEST_CHECK_OVERRIDDEN, "Prüfung übergangen", "Jemand hat die Verantwortung für eine Prüfung übernommen."),
    (kind::PLAN_NOTICE, "Aus dem Plan", "Ein Schritt des Plans teilt mit:"),
    (kind::DELIVERY_FAILED, "NICHT ZUGESTELLT", "Eine andere Nachricht ließ sich nicht zustellen."),
    (kind::ROUTE_TEST, "Probe", "Jemand probiert diese Route aus; es ist nichts geschehen."),
    (
        kind::APPROVAL_ASKED,
        "Ihre Entscheidung",
        "Sie werden um eine Entscheidung gebeten; entschieden wird auf der Seite, nach Anmeldung.",
    ),
    (kind::APPROVAL_OUTCOME, "Ergebnis", "Über den Antrag, zu dem Sie gefragt wurden, ist entschieden."),
    (
        kind::SECURITY_INTENTS_REFUSED,
        "SICHERHEIT",
        "Links aus Nachrichten wurden mehrfach abgewiesen: weitergeleitet, wiederholt oder erfunden.",
    ),
    (kind::AUDIT_ALARM, "Aufzeichnung", "Mit der Aufzeichnung selbst stimmt etwas nicht."),
];

const FACTS: &[(&str, &str)] = &[
    ("Status", "Zustand"),
    ("RPO limit", "RPO-Grenze"),
    ("Condition since", "Zustand seit"),
    ("RPO now (indicator)", "RPO jetzt (Anhaltspunkt)"),
    ("Not received by the standby", "Auf der Gegenseite nicht angekommen"),
    ("Observed at", "Gesehen um"),
    ("Alert lasted", "Dauer des Alarms"),
    ("Acknowledged by", "Übernommen von"),
    ("By way of", "Auf dem Weg"),
    ("Note", "Bemerkung"),
    ("Acknowledged at", "Übernommen um"),
    ("Asked for by", "Veranlasst von"),
];

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
