//! gds_notification: one endpoint that takes an alert for a stored list of people.
//!
//! Taken for granted: the signature's header and form are ours to choose; a duplicate is answered 200 with the first
//! job's id; a body over 1 MiB is refused with 413.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::{Checked, hmac_hex, object, only, optional_text, text, utc};
use crate::{Reply, Request, Service};

const MAX_BODY: usize = 1024 * 1024;
const MAX_TEXT: usize = 64 * 1024;
const FIELDS: [&str; 8] =
    ["message_id", "alert_name", "db_instance_id", "subject", "body_text", "body_html", "received_at", "raw_headers"];

/// One alert that was taken.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: String,
    pub body: Value,
    /// Its people are in a blackout, or nobody is listed for the alert: taken, and told to nobody.
    pub told: bool,
}

pub struct Gds {
    pub secret: String,
    pub signature_header: &'static str,
    /// With it, "timestamp.body" is signed.
    pub timestamp_header: Option<&'static str>,
    /// The alerts that have people.
    pub definitions: Vec<&'static str>,
    pub blackout: bool,
    /// By message id.
    pub jobs: BTreeMap<String, Job>,
}

impl Gds {
    pub fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            signature_header: "x-gds-signature",
            timestamp_header: None,
            definitions: vec!["Muster"],
            blackout: false,
            jobs: BTreeMap::new(),
        }
    }

    fn is_signed(&self, request: &Request) -> bool {
        let mut signed = Vec::new();
        if let Some(name) = self.timestamp_header {
            signed.extend_from_slice(request.header(name).as_bytes());
            signed.push(b'.');
        }
        signed.extend_from_slice(&request.body);
        request.header(self.signature_header) == format!("sha256={}", hmac_hex(&self.secret, &signed))
    }

    fn check(&self, body: &Value) -> Checked<String> {
        let fields = object(body, "the body")?;
        only(fields, &FIELDS, "the body")?;
        text(fields, "alert_name", 200)?;
        text(fields, "subject", 1_000)?;
        text(fields, "body_text", MAX_TEXT)?;
        optional_text(fields, "body_html", MAX_TEXT)?;
        utc(text(fields, "received_at", 40)?, "received_at")?;
        match fields.get("db_instance_id") {
            None | Some(Value::Null) => {}
            Some(id) if id.is_i64() => {}
            Some(other) => return Err(format!("db_instance_id is no integer: {other}")),
        }
        text(fields, "message_id", 200).map(str::to_owned)
    }
}

impl Service for Gds {
    fn handle(&mut self, request: &Request) -> Reply {
        if request.method != "POST" || request.path() != "/ingest" {
            return Reply::json(404, &json!({"detail": "Not Found"}));
        }
        if request.body.len() > MAX_BODY {
            return Reply::empty(413);
        }
        if !self.is_signed(request) {
            return Reply::json(401, &json!({"detail": "bad signature"}));
        }
        if !request.header("content-type").starts_with("application/json") {
            return Reply::json(415, &json!({"detail": "JSON is taken"}));
        }
        let body = request.json();
        let id = match self.check(&body) {
            Ok(id) => id,
            Err(msg) => {
                return Reply::json(422, &json!({"detail": [{"loc": ["body"], "msg": msg, "type": "value_error"}]}));
            }
        };
        let known = self.jobs.contains_key(&id);
        let count = self.jobs.len();
        let told = !self.blackout && self.definitions.iter().any(|name| body["alert_name"] == *name);
        let job = self.jobs.entry(id.clone()).or_insert_with(|| Job {
            id: format!("00000000-0000-0000-0000-{count:012}"),
            body,
            told,
        });
        let answer = json!({"status": "accepted", "job_id": job.id, "idempotency_id": id});
        Reply::json(if known { 200 } else { 202 }, &answer)
    }
}
