//! A receiver of Standard Webhooks, verifying with the reference library.

use std::collections::BTreeMap;

use serde_json::Value;
use standardwebhooks::Webhook as Verifier;

use crate::check::{Checked, object, text, utc};
use crate::{Reply, Request, Service};

const MAX_BODY: usize = 20_000;

pub struct Receiver {
    pub secret: String,
    /// By webhook-id: what comes twice is dropped.
    pub taken: BTreeMap<String, Value>,
}

impl Receiver {
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), taken: BTreeMap::new() }
    }

    fn check(&self, request: &Request) -> Checked<(String, Value)> {
        let body = request.json();
        let fields = object(&body, "the body")?;
        text(fields, "type", 64)?;
        utc(text(fields, "timestamp", 40)?, "timestamp")?;
        object(&body["data"], "data")?;
        let id = request.header("webhook-id");
        if !id.starts_with("msg_") || id.contains('.') {
            return Err("webhook-id is none".into());
        }
        Ok((id.to_owned(), body))
    }
}

impl Service for Receiver {
    fn handle(&mut self, request: &Request) -> Reply {
        let verifier = match Verifier::new(&self.secret) {
            Ok(verifier) => verifier,
            Err(_) => return Reply::empty(500),
        };
        if request.method != "POST" || verifier.verify(&request.body, &request.headers).is_err() {
            return Reply::empty(401);
        }
        if request.body.len() > MAX_BODY {
            return Reply::empty(413);
        }
        match self.check(request) {
            Ok((id, body)) => {
                self.taken.entry(id).or_insert(body);
                Reply::empty(204)
            }
            Err(_) => Reply::empty(422),
        }
    }
}
