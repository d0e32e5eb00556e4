//! What the calendar says, in German. Reasons and times stay as they were recorded.

use super::super::message::{Message, kind};

struct Words {
    kind: &'static str,
    /// What the subject begins with.
    mark: &'static str,
    /// What follows the name of what is due: "isolated-drill von orders-db …".
    happens: &'static str,
    next_step: &'static str,
    /// The recorded sentence says more: why, or since when.
    keeps_summary: bool,
}

const WORDS: [Words; 6] = [
    Words {
        kind: kind::SCHEDULE_UPCOMING,
        mark: "Angekündigt",
        happens: "wird nach dem Kalender demnächst fällig.",
        next_step: "Die Zeit freihalten. Ist es fällig, fragt ein Antrag die Freigebenden; von selbst läuft nichts.",
        keeps_summary: false,
    },
    Words {
        kind: kind::SCHEDULE_DUE,
        mark: "Fällig",
        happens: "ist nach dem Kalender fällig.",
        next_step: "Freigebende: über den Antrag entscheiden. Jemand startet ihn mit dem Bestätigungssatz, bevor er verfällt; von selbst läuft nichts.",
        keeps_summary: false,
    },
    Words {
        kind: kind::SCHEDULE_REVIEW_DUE,
        mark: "Prüfung fällig",
        happens: "ist nach dem Kalender fällig.",
        next_step: "Die Prüfung vornehmen und festhalten: muster schedule review NAME --findings \"…\"",
        keeps_summary: false,
    },
    Words {
        kind: kind::SCHEDULE_OPEN_FAILED,
        mark: "Antrag abgewiesen",
        happens: "ist fällig, doch der Antrag wurde abgewiesen. Er wird bis zum Ende des Zeitfensters erneut gestellt.",
        next_step: "Den Grund lesen und beheben, was im Wege steht.",
        keeps_summary: false,
    },
    Words {
        kind: kind::SCHEDULE_LAPSED,
        mark: "Nicht zustande gekommen",
        happens: "war fällig und kam nicht zustande.",
        next_step: "Der Nachweis altert weiter. Von Hand einen Antrag stellen oder auf den nächsten Termin warten.",
        keeps_summary: true,
    },
    Words {
        kind: kind::SCHEDULE_OVERDUE,
        mark: "ÜBERFÄLLIG",
        happens: "war fällig und ist seither nicht gelungen.",
        next_step: "Niemand weiß, ob es gelingen würde. Freigeben und laufen lassen, oder festhalten, warum nicht.",
        keeps_summary: true,
    },
];

/// Says it in German, when it is a message about one due time; one that tells many keeps its words.
pub(super) fn german(message: &mut Message) -> bool {
    let Some(words) = WORDS.iter().find(|words| words.kind == message.kind) else { return false };
    let Some(what) = due(message) else { return false };
    let late = if message.subject.starts_with("Due (late): ") { " (verspätet)" } else { "" };
    message.set_subject(&format!("{}{late}: {what}", words.mark));
    let recorded = if words.keeps_summary { format!(" {}", message.summary) } else { String::new() };
    message.set_summary(&format!("{what} {}{recorded}", words.happens));
    message.next_step = next_step(message, words);
    true
}

/// "isolated-drill von orders-db"; `None`: it is not about one due time.
fn due(message: &Message) -> Option<String> {
    message.facts.iter().find(|fact| fact.name == "Zeitplan")?;
    let (_, what) = message.subject.split_once(": ")?;
    Some(match what.split_once(" of ") {
        Some((drill, scope)) => match (scope.strip_prefix("group "), scope.strip_prefix("plan ")) {
            (Some(group), _) => format!("{drill} der Gruppe {group}"),
            (None, Some(plan)) => format!("{drill} des Plans {plan}"),
            (None, None) => format!("{drill} von {scope}"),
        },
        None => what.to_owned(),
    })
}

/// A refusal says itself what to do next; of a review the command has the schedule's name.
fn next_step(message: &Message, words: &Words) -> String {
    let schedule = message.facts.iter().find(|fact| fact.name == "Zeitplan").map(|fact| fact.value.as_str());
    match words.kind {
        kind::SCHEDULE_OPEN_FAILED if !message.next_step.is_empty() => {
            format!("{} {}", words.next_step, message.next_step)
        }
        _ => words.next_step.replace("NAME", schedule.unwrap_or("NAME")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use jiff::Timestamp;

    use crate::delivery::due::schedule_message;
    use crate::delivery::language::translated;
    use crate::delivery::{Message, Source};
    use crate::pb::schedule::v1::{
        ScheduleEvent, ScheduleFired, ScheduleLapsed, ScheduleNoticed, ScheduleOpenFailed, ScheduleOverdue,
        schedule_event::Event,
    };
    use crate::refusal::refusal;

    fn fired() -> ScheduleFired {
        ScheduleFired {
            what: "isolated-drill".into(),
            resource: "orders-db".into(),
            request_id: "r-1".into(),
            ..ScheduleFired::default()
        }
    }

    fn german(event: Event) -> Message {
        let source = Source {
            tenant: "acme".into(),
            event_id: uuid::Uuid::nil(),
            sequence: 1,
            occurred_at: Timestamp::UNIX_EPOCH,
        };
        let event = ScheduleEvent { event: Some(event) };
        translated(&schedule_message(&source, "monthly", &event, Some(&fired())).unwrap(), "de")
    }

    #[test]
    fn each_says_what_is_due_and_what_to_do() {
        let (what, resource) = ("isolated-drill".to_owned(), "orders-db".to_owned());
        let noticed = ScheduleNoticed {
            what: what.clone(),
            resource: resource.clone(),
            before: "24h".into(),
            ..Default::default()
        };
        let overdue = ScheduleOverdue { what, resource, ..Default::default() };
        let why = refusal("GATE_L3", "a rule", "a value", "a limit", "lower the gate");
        let failed = ScheduleOpenFailed { refusal: Some(why), ..Default::default() };
        let lapsed = ScheduleLapsed { because: "Bea rejected it: not now".into(), ..Default::default() };
        let late = ScheduleFired { late: true, ..fired() };
        let review =
            ScheduleFired { request_id: String::new(), what: "access-review".into(), ..ScheduleFired::default() };
        let told = [
            (Event::Noticed(noticed), "Angekündigt: isolated-drill von orders-db", "Zeit freihalten"),
            (Event::Fired(fired()), "Fällig: isolated-drill von orders-db", "Freigebende"),
            (Event::Fired(late), "Fällig (verspätet): isolated-drill von orders-db", "Freigebende"),
            (Event::Fired(review), "Prüfung fällig: access-review", "muster schedule review monthly"),
            (Event::OpenFailed(failed), "Antrag abgewiesen: isolated-drill von orders-db", "lower the gate"),
            (Event::Lapsed(lapsed), "Nicht zustande gekommen: isolated-drill von orders-db", "altert weiter"),
            (Event::Overdue(overdue), "ÜBERFÄLLIG: isolated-drill von orders-db", "Niemand weiß"),
        ];
        for (event, subject, next_step) in told {
            let message = german(event);
            assert_eq!(message.subject, subject);
            assert!(message.next_step.contains(next_step), "{}", message.next_step);
            assert!(message.facts.iter().any(|fact| fact.name == "Fällig um"), "{:?}", message.facts);
        }
    }

    #[test]
    fn why_it_came_to_nothing_stays_as_it_was_recorded() {
        let lapsed = ScheduleLapsed { because: "Bea rejected it: not now".into(), ..Default::default() };
        assert!(german(Event::Lapsed(lapsed)).summary.contains("Bea rejected it: not now"));
    }

    #[test]
    fn groups_and_plans_are_named_as_such() {
        let of = |resource: &str, group: &str, plan: &str| ScheduleFired {
            resource: resource.into(),
            group: group.into(),
            plan: plan.into(),
            ..fired()
        };
        assert_eq!(german(Event::Fired(of("", "shop", ""))).subject, "Fällig: isolated-drill der Gruppe shop");
        assert_eq!(german(Event::Fired(of("", "", "to-ams"))).subject, "Fällig: isolated-drill des Plans to-ams");
    }
}
