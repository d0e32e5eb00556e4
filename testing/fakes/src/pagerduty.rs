//! PagerDuty's Events API v2: events, incidents by key, change events.
//!
//! Taken for granted: an unknown integration key is answered 400 and named; a body over 512 KB is answered 413.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::{Checked, http_url, object, one_of, only, optional_text, text, utc};
use crate::{Reply, Request, Service, Windows};

const MAX_BODY: usize = 512 * 1024;
/// For each integration key.
const LIMIT: &[(usize, u64)] = &[(120, 60)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Acknowledged,
    Resolved,
}

/// An alert: what has one key, as long as it is open.
#[derive(Debug, Clone)]
pub struct Incident {
    pub state: State,
    /// How often somebody was paged: once for each time it was opened.
    pub pages: usize,
    /// Triggers that came, also while it was open.
    pub triggers: usize,
    pub last: Value,
}

pub struct Pagerduty {
    pub keys: Vec<String>,
    /// By integration key and dedup key.
    pub incidents: BTreeMap<(String, String), Incident>,
    pub changes: Vec<Value>,
    windows: Windows,
}

impl Pagerduty {
    pub fn new(key: &str) -> Self {
        Self {
            keys: vec![key.to_owned()],
            incidents: BTreeMap::new(),
            changes: Vec::new(),
            windows: Windows::default(),
        }
    }

    /// The incidents of the first key, by their dedup key.
    pub fn incident(&self, dedup: &str) -> Option<&Incident> {
        self.incidents.iter().find(|((_, key), _)| key == dedup).map(|(_, incident)| incident)
    }

    fn event(&mut self, body: &Value) -> Checked<String> {
        let fields = object(body, "the event")?;
        let known = ["routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"];
        only(fields, &known, "the event")?;
        let key = self.key(body)?;
        let action = text(fields, "event_action", 20)?;
        one_of(action, &["trigger", "acknowledge", "resolve"], "event_action")?;
        let dedup = optional_text(fields, "dedup_key", 255)?.map(str::to_owned);
        optional_text(fields, "client", 1_024)?;
        if let Some(url) = optional_text(fields, "client_url", 2_048)? {
            http_url(url, "client_url")?;
        }
        check_links(body)?;
        if action == "trigger" {
            check_payload(&body["payload"], true)?;
        }
        let dedup = match (dedup, action) {
            (Some(dedup), _) => dedup,
            (None, "trigger") => format!("made-{}", self.incidents.len()),
            (None, _) => return Err("dedup_key is missing".into()),
        };
        self.apply(&key, &dedup, action, body);
        Ok(dedup)
    }

    fn apply(&mut self, key: &str, dedup: &str, action: &str, body: &Value) {
        let at = (key.to_owned(), dedup.to_owned());
        match (action, self.incidents.get_mut(&at)) {
            ("trigger", Some(incident)) if incident.state != State::Resolved => {
                incident.triggers += 1;
                incident.last = body.clone();
            }
            ("trigger", Some(incident)) => {
                incident.state = State::Open;
                incident.pages += 1;
                incident.triggers += 1;
                incident.last = body.clone();
            }
            ("trigger", None) => {
                self.incidents.insert(at, Incident { state: State::Open, pages: 1, triggers: 1, last: body.clone() });
            }
            ("acknowledge", Some(incident)) if incident.state == State::Open => incident.state = State::Acknowledged,
            ("resolve", Some(incident)) => incident.state = State::Resolved,
            // Of what is unknown or closed: accepted, and nothing happens.
            _ => {}
        }
    }

    fn change(&mut self, body: &Value) -> Checked<()> {
        let fields = object(body, "the event")?;
        only(fields, &["routing_key", "payload", "links"], "the event")?;
        if self.key(body)?.starts_with('R') {
            return Err("this integration key takes no change events".into());
        }
        check_links(body)?;
        check_payload(&body["payload"], false)?;
        self.changes.push(body.clone());
        Ok(())
    }

    fn key(&self, body: &Value) -> Checked<String> {
        let key = body["routing_key"].as_str().unwrap_or_default();
        let known = self.keys.iter().any(|known| known == key);
        if known { Ok(key.to_owned()) } else { Err("'routing_key' is invalid".into()) }
    }
}

fn check_payload(payload: &Value, is_alert: bool) -> Checked<()> {
    let fields = object(payload, "payload")?;
    let known = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    only(fields, &known, "payload")?;
    let summary = text(fields, "summary", 1_024)?;
    if summary.contains(['\n', '\r']) {
        return Err("'summary' has more than one line".into());
    }
    if is_alert {
        text(fields, "source", 1_024)?;
        one_of(text(fields, "severity", 20)?, &["critical", "error", "warning", "info"], "severity")?;
    }
    for name in ["component", "group", "class"] {
        optional_text(fields, name, 1_024)?;
    }
    if let Some(at) = optional_text(fields, "timestamp", 40)? {
        utc(at, "timestamp")?;
    }
    match fields.get("custom_details") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(format!("custom_details is no object: {other}")),
    }
}

fn check_links(body: &Value) -> Checked<()> {
    for link in body["links"].as_array().into_iter().flatten() {
        let fields = object(link, "a link")?;
        only(fields, &["href", "text"], "a link")?;
        http_url(text(fields, "href", 2_048)?, "href")?;
    }
    Ok(())
}

fn invalid(error: String) -> Reply {
    Reply::json(400, &json!({"status": "invalid event", "message": "Event object is invalid", "errors": [error]}))
}

impl Service for Pagerduty {
    fn handle(&mut self, request: &Request) -> Reply {
        let change = match (request.method.as_str(), request.path()) {
            ("POST", "/v2/enqueue") => false,
            ("POST", "/v2/change/enqueue") => true,
            _ => return Reply::empty(404),
        };
        if request.body.len() > MAX_BODY {
            return Reply::empty(413);
        }
        if request.header("content-type") != "application/json" {
            return invalid("the content type is not application/json".into());
        }
        let body = request.json();
        let key = body["routing_key"].as_str().unwrap_or_default();
        if self.windows.count(key, LIMIT).is_err() {
            return Reply::json(
                429,
                &json!({"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly."}),
            );
        }
        let success = |dedup: &str| json!({"status": "success", "message": "Event processed", "dedup_key": dedup});
        if change {
            return match self.change(&body) {
                Ok(()) => Reply::json(202, &json!({"status": "success", "message": "Change event processed"})),
                Err(error) => invalid(error),
            };
        }
        match self.event(&body) {
            Ok(dedup) => Reply::json(202, &success(&dedup)),
            Err(error) => invalid(error),
        }
    }
}
