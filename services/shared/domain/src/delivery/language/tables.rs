//! The German words: of alerts, of what frames the other kinds, of the names of facts.

use super::super::message::kind;

pub(super) struct AlertWords {
    pub(super) kind: &'static str,
    pub(super) headline: &'static str,
    pub(super) meaning: &'static str,
    pub(super) next_step: &'static str,
}

pub(super) const ALERTS: [AlertWords; 5] = [
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
pub(super) const FRAMES: &[(&str, &str, &str)] = &[
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
    (kind::SCHEDULE_UPCOMING, "Angekündigt", "Nach dem Kalender wird demnächst etwas fällig; von selbst läuft nichts."),
    (
        kind::SCHEDULE_DUE,
        "Fällig",
        "Nach dem Kalender ist etwas fällig. Ein Antrag ist gestellt; von selbst läuft nichts.",
    ),
    (
        kind::SCHEDULE_REVIEW_DUE,
        "Prüfung fällig",
        "Nach dem Kalender ist eine Prüfung fällig; ein Mensch hält sie fest.",
    ),
    (
        kind::SCHEDULE_OPEN_FAILED,
        "Antrag abgewiesen",
        "Es ist fällig, doch der Antrag wurde abgewiesen. Er wird bis zum Ende seines Zeitfensters erneut gestellt.",
    ),
    (kind::SCHEDULE_LAPSED, "Verfallen", "Es war fällig und kam nicht zustande. Der Nachweis altert weiter."),
    (
        kind::SCHEDULE_OVERDUE,
        "ÜBERFÄLLIG",
        "Es war fällig und ist seither nicht gelungen. Niemand weiß, ob es gelingen würde.",
    ),
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

/// Of a step that a person called; the value is who.
pub(super) const ESCALATED_BY: (&str, &str) = ("Escalated by", "Eskaliert von");

pub(super) const FACTS: &[(&str, &str)] = &[
    ESCALATED_BY,
    ("Reason", "Grund"),
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
    ("Schedule", "Zeitplan"),
    ("Due at", "Fällig um"),
    ("Lapses at", "Verfällt um"),
    ("Tried until", "Versucht bis"),
    ("Late", "Verspätet"),
    ("Missed before", "Zuvor versäumt"),
];
