//! Which event a message is, and its body.
//!
//! Everything with one key is one incident as long as that is open, so a copy of a trigger changes nothing, and an end
//! ends what its beginning opened. An alert's id is part of its key: the end of an older alert, tried again for a while,
//! cannot close what a newer one of the same system has opened.
//!
//! A hundred systems that fail at once are one incident here, too: a service groups incidents only where somebody has
//! bought and set that up, and a person who is woken needs to hear "the site is lost" once. That incident lives until
//! the last of what it told is over (see `crate::ends`), and who acknowledges it acknowledges all of it.

use muster_domain::delivery::Severity;
use muster_domain::delivery::message::{Message, clip, environment_name, kind, tier_name};
use muster_domain::ids::derived_id;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::channels::Attempt;

/// In the place of a system: no key of a system ends with an id alone.
const GROUP: &str = "group";
const MAX_KEY: usize = 255;
/// In characters over there; in bytes here, which is never more.
const MAX_SUMMARY: usize = 1_024;
/// A body may have 512 KB. Ours stays far below it: the page has the rest.
const MAX_DETAIL: usize = 4_096;

/// What is asked of PagerDuty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Opens an incident, or adds to the open one with this key.
    Trigger(String),
    /// Somebody looks after it.
    Acknowledge(String),
    Resolve(String),
    /// Shown beside incidents; wakes nobody.
    Change,
}

impl Action {
    pub(super) fn of(message: &Message) -> Self {
        if group_of(message).is_some() && message.kind != kind::ALERT_RESOLVED {
            return Self::of_group(message);
        }
        match message.kind.as_str() {
            kind::ALERT_ACKNOWLEDGED => Self::Acknowledge(dedup_key(message)),
            kind::ALERT_RESOLVED => Self::Resolve(dedup_key(message)),
            // A request that nobody decided on is a thing to do until it is decided.
            kind::REQUEST_REJECTED | kind::REQUEST_WITHDRAWN | kind::REQUEST_EXPIRED | kind::REQUEST_CONFIRMED => {
                Self::Resolve(dedup_key(message))
            }
            // Moves are shown beside the incidents they may cause.
            kind::REQUEST_APPROVED | kind::REQUEST_STARTED | kind::REQUEST_SUCCEEDED | kind::PLAN_NOTICE => {
                Self::Change
            }
            // A test has to be seen, and not to be woken up by: it is an incident of its own, with lowest severity.
            kind::ROUTE_TEST => Self::Trigger(dedup_key(message)),
            _ if message.severity == Severity::Info => Self::Change,
            _ => Self::Trigger(dedup_key(message)),
        }
    }

    /// Its kind is that of one of its members; what counts is how severe the worst of them is.
    fn of_group(message: &Message) -> Self {
        if message.severity == Severity::Info { Self::Change } else { Self::Trigger(dedup_key(message)) }
    }

    /// Below the region's address.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Action::Trigger(_) | Action::Acknowledge(_) | Action::Resolve(_) => "/v2/enqueue",
            Action::Change => "/v2/change/enqueue",
        }
    }

    /// For the record.
    pub(super) fn shown(&self) -> String {
        match self {
            Action::Trigger(key) => format!("trigger {key}"),
            Action::Acknowledge(key) => format!("acknowledge {key}"),
            Action::Resolve(key) => format!("resolve {key}"),
            Action::Change => "change event".to_owned(),
        }
    }
}

/// `muster/{tenant}/{resource}/{kind}/{alert}`: what belongs to one incident. The end of an alert has its beginning's
/// key; each request has keys of its own; what was told together is `muster/{tenant}/group/{group}`.
pub fn dedup_key(message: &Message) -> String {
    if let Some(group) = group_of(message) {
        return format!("muster/{}/{GROUP}/{group}", message.tenant);
    }
    let resource = if message.resource.is_empty() { "-" } else { &message.resource };
    let about = match message.kind.as_str() {
        kind::ALERT_RESOLVED | kind::ALERT_ACKNOWLEDGED if !message.alert_kind.is_empty() => of_alert(message),
        other if !message.alert_id.is_empty() && message.alert_kind == other => of_alert(message),
        kind::REQUEST_CREATED
        | kind::REQUEST_ESCALATED
        | kind::REQUEST_REJECTED
        | kind::REQUEST_WITHDRAWN
        | kind::REQUEST_EXPIRED
        | kind::REQUEST_CONFIRMED => format!("request.waiting/{}", message.request_id),
        other if !message.request_id.is_empty() => format!("{other}/{}", message.request_id),
        other => other.to_owned(),
    };
    let key = format!("muster/{}/{resource}/{about}", message.tenant);
    if key.len() <= MAX_KEY {
        return key;
    }
    // Cut keys of two things must not be one: the whole of it is in the id.
    format!("muster/{}", derived_id(&["pagerduty-key", &key]))
}

/// That a group was not delivered somewhere else is an incident of its own.
fn group_of(message: &Message) -> Option<&str> {
    (!message.group_id.is_empty() && message.kind != kind::DELIVERY_FAILED).then_some(message.group_id.as_str())
}

fn of_alert(message: &Message) -> String {
    if message.alert_id.is_empty() {
        return message.alert_kind.clone();
    }
    format!("{}/{}", message.alert_kind, message.alert_id)
}

/// What a key says that PagerDuty sends back to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed<'a> {
    Alert {
        resource: &'a str,
        kind: &'a str,
        /// Absent: the one that is open now.
        id: Option<&'a str>,
    },
    /// By the id of the delivery that told it.
    Group(Uuid),
}

impl<'a> Keyed<'a> {
    /// `None`: it is not this tenant's, or about no alert.
    pub fn of(key: &'a str, tenant: &str) -> Option<Self> {
        let rest = key.strip_prefix("muster/")?.strip_prefix(tenant)?.strip_prefix('/')?;
        let (resource, about) = rest.split_once('/')?;
        if let (GROUP, Ok(group)) = (resource, about.parse()) {
            return Some(Self::Group(group));
        }
        let (kind, id) = match about.split_once('/') {
            Some((kind, id)) => (kind, Some(id)),
            None => (about, None),
        };
        let whole = !resource.is_empty() && !kind.is_empty() && id.is_none_or(|id| !id.is_empty());
        whole.then_some(Self::Alert { resource, kind, id })
    }
}

/// The request's body. `key` is the secret.
pub(super) fn body(attempt: &Attempt, action: &Action, key: &str) -> Value {
    match action {
        Action::Trigger(dedup) => trigger(attempt, dedup, key),
        Action::Acknowledge(dedup) => {
            json!({"routing_key": key, "event_action": "acknowledge", "dedup_key": dedup})
        }
        Action::Resolve(dedup) => json!({"routing_key": key, "event_action": "resolve", "dedup_key": dedup}),
        Action::Change => json!({
            "routing_key": key,
            "payload": {
                "summary": summary(&attempt.message),
                "timestamp": attempt.message.occurred_at.to_string(),
                "source": source(&attempt.message),
                "custom_details": details(attempt),
            },
            "links": links(attempt),
        }),
    }
}

fn trigger(attempt: &Attempt, dedup: &str, key: &str) -> Value {
    let message = &attempt.message;
    json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup,
        "payload": {
            "summary": summary(message),
            "source": source(message),
            "severity": severity(message),
            "timestamp": message.occurred_at.to_string(),
            "component": environment_name(message.environment),
            "group": tier_name(message.tier),
            "class": if message.kind == kind::VISIBILITY_LOST { "visibility" } else { &message.kind },
            "custom_details": details(attempt),
        },
        "links": links(attempt),
        "client": "Muster",
        "client_url": attempt.link,
    })
}

/// Sight that is lost is no breach: the state of the system is not known, and that is an error and not yet a disaster.
fn severity(message: &Message) -> &'static str {
    match message.severity {
        _ if message.test => "info",
        Severity::Critical if message.kind == kind::VISIBILITY_LOST => "error",
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// One line: a text message on a phone ends at the first line feed.
fn summary(message: &Message) -> String {
    let summary = clip(&format!("{}: {}", message.subject, message.summary), MAX_SUMMARY);
    if summary.is_empty() { message.kind.clone() } else { summary }
}

fn source(message: &Message) -> String {
    if message.resource.is_empty() { format!("tenant {}", message.tenant) } else { message.resource.clone() }
}

fn details(attempt: &Attempt) -> Value {
    let message = &attempt.message;
    let mut details = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            details.insert(name.to_owned(), json!(clip(value, MAX_DETAIL)));
        }
    };
    put("tenant", &message.tenant);
    put("kind", &message.kind);
    put("alert", &message.alert_id);
    put("request", &message.request_id);
    put("what", &message.summary);
    put("next", &message.next_step);
    put("reasons", &message.reasons.join(" | "));
    put("missing data", &message.loss.join(" | "));
    for fact in &message.facts {
        put(&fact.name, &fact.value);
    }
    Value::Object(details)
}

fn links(attempt: &Attempt) -> Vec<Value> {
    let runbook = &attempt.message.runbook_url;
    let page = json!({"href": attempt.link, "text": "Open in Muster"});
    let runbook = (!runbook.is_empty()).then(|| json!({"href": runbook, "text": "Runbook"}));
    std::iter::once(page).chain(runbook).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use jiff::Timestamp;
    use muster_domain::delivery::Source;

    fn message(kind: &str) -> Message {
        let source = Source {
            tenant: "acme".into(),
            event_id: Uuid::nil(),
            sequence: 1,
            occurred_at: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        let mut message = Message::about(&source, kind, "orders-db", 1, 1);
        message.severity = Severity::Critical;
        message
    }

    #[test]
    fn an_end_has_the_key_of_its_beginning() {
        for announced in [kind::RPO_BREACHED, kind::VISIBILITY_LOST, kind::REPLICATION_BROKEN, kind::INTEGRITY_VIOLATED]
        {
            let mut opened = message(announced);
            opened.alert_kind = announced.into();
            let Action::Trigger(key) = Action::of(&opened) else { unreachable!("{announced}") };
            assert_eq!(key, format!("muster/acme/orders-db/{announced}"));
            let mut acknowledged = message(kind::ALERT_ACKNOWLEDGED);
            let mut ended = message(kind::ALERT_RESOLVED);
            for later in [&mut acknowledged, &mut ended] {
                later.alert_kind = announced.into();
                later.severity = Severity::Info;
            }
            assert_eq!(Action::of(&acknowledged), Action::Acknowledge(key.clone()));
            assert_eq!(Action::of(&ended), Action::Resolve(key));
        }
    }

    #[test]
    fn an_alert_and_a_group_are_found_again_by_their_keys_and_only_in_their_tenant() {
        let mut opened = message(kind::RPO_BREACHED);
        (opened.alert_kind, opened.alert_id) = (kind::RPO_BREACHED.into(), "a1".into());
        let key = dedup_key(&opened);
        assert_eq!(key, "muster/acme/orders-db/rpo.breached/a1");
        let alert = Keyed::Alert { resource: "orders-db", kind: "rpo.breached", id: Some("a1") };
        assert_eq!(Keyed::of(&key, "acme"), Some(alert));
        let mut newer = opened.clone();
        newer.alert_id = "a2".into();
        assert_ne!(dedup_key(&newer), key, "the end of the older one closes nothing of the newer one");

        let group = Uuid::from_u128(7);
        let mut together = message(kind::RPO_BREACHED);
        (together.resource, together.group_id) = (String::new(), group.to_string());
        assert_eq!(Action::of(&together), Action::Trigger(format!("muster/acme/group/{group}")));
        assert_eq!(Keyed::of(&dedup_key(&together), "acme"), Some(Keyed::Group(group)));
        let mut over = together.clone();
        (over.kind, over.severity) = (kind::ALERT_RESOLVED.into(), Severity::Info);
        assert_eq!(Action::of(&over), Action::Resolve(dedup_key(&together)));
        // A digest of quiet hours has the kind of its first member, whatever else is in it.
        together.kind = kind::REQUEST_APPROVED.into();
        assert!(matches!(Action::of(&together), Action::Trigger(_)));
        together.severity = Severity::Info;
        assert_eq!(Action::of(&together), Action::Change);
        (together.kind, together.severity) = (kind::DELIVERY_FAILED.into(), Severity::Critical);
        assert_eq!(Action::of(&together), Action::Trigger("muster/acme/-/delivery.failed".into()));

        let without = Keyed::Alert { resource: "orders-db", kind: "rpo.breached", id: None };
        assert_eq!(Keyed::of("muster/acme/orders-db/rpo.breached", "acme"), Some(without));
        for other in [
            "muster/acme2/orders-db/rpo.breached",
            "muster/acme//x",
            "muster/acme/x/",
            "muster/acme/x/y/",
            "acme/x/y",
            "",
            "muster/acme/x",
        ] {
            assert_eq!(Keyed::of(other, "acme"), None, "{other}");
        }
    }

    #[test]
    fn a_request_waits_until_it_is_decided_and_no_two_are_one() {
        let about = |kind: &str, id: &str| {
            let mut message = message(kind);
            message.request_id = id.into();
            Action::of(&message)
        };
        let waiting = Action::Trigger("muster/acme/orders-db/request.waiting/r-1".into());
        assert_eq!(about(kind::REQUEST_CREATED, "r-1"), waiting);
        assert_eq!(about(kind::REQUEST_ESCALATED, "r-1"), waiting);
        let done = Action::Resolve("muster/acme/orders-db/request.waiting/r-1".into());
        for end in [kind::REQUEST_CONFIRMED, kind::REQUEST_REJECTED, kind::REQUEST_WITHDRAWN, kind::REQUEST_EXPIRED] {
            assert_eq!(about(end, "r-1"), done, "{end}");
        }
        assert_eq!(about(kind::REQUEST_STARTED, "r-1"), Action::Change);
        assert_eq!(about(kind::REQUEST_SUCCEEDED, "r-1"), Action::Change);
        assert_ne!(about(kind::REQUEST_FAILED, "r-1"), about(kind::REQUEST_FAILED, "r-2"));
        assert!(matches!(about(kind::REQUEST_FAILED, "r-1"), Action::Trigger(_)));
    }

    #[test]
    fn what_is_only_told_wakes_nobody_and_every_key_fits() {
        for told in kind::ALL {
            let mut message = message(told);
            message.severity = Severity::Info;
            message.resource = "r".repeat(400);
            let action = Action::of(&message);
            let is_request_made = [kind::REQUEST_CREATED, kind::REQUEST_ESCALATED].contains(told);
            assert!(is_request_made || !matches!(action, Action::Trigger(_)) || *told == kind::ROUTE_TEST, "{told}");
            assert!(dedup_key(&message).len() <= MAX_KEY);
        }
        let (mut a, mut b) = (message(kind::RPO_BREACHED), message(kind::RPO_BREACHED));
        a.resource = format!("{}a", "r".repeat(400));
        b.resource = format!("{}b", "r".repeat(400));
        assert_ne!(dedup_key(&a), dedup_key(&b), "two systems are never one incident");
    }

    #[test]
    fn lost_sight_is_no_breach() {
        assert_eq!(severity(&message(kind::VISIBILITY_LOST)), "error");
        assert_eq!(severity(&message(kind::RPO_BREACHED)), "critical");
    }
}
