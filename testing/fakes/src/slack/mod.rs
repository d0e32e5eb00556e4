//! Slack's Web API, as far as a bot posts: errors are HTTP 200 with `ok: false`, and nothing is recognised as a copy.
//!
//! Whoever posts to a person ("U…") gets back the conversation ("D…"), and only that takes later calls.
//!
//! Taken for granted: the limits of Block Kit, and about a message a second for each channel with short bursts.

mod blocks;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::{object, only, optional_text, text};
use crate::{Reply, Request, Service, Windows};

const LIMIT: &[(usize, u64)] = &[(10, 5)];
const MAX_TEXT: usize = 40_000;

/// One message of a channel.
#[derive(Debug, Clone)]
pub struct Message {
    pub channel: String,
    pub ts: String,
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    pub edits: usize,
}

pub struct Slack {
    pub token: String,
    pub team: &'static str,
    /// By id: whether the bot was invited.
    pub channels: BTreeMap<&'static str, bool>,
    /// Whether the token may read a channel's messages.
    pub may_read: bool,
    pub messages: Vec<Message>,
    /// The name of the error that the next call gets.
    pub next_error: Option<&'static str>,
    windows: Windows,
}

impl Slack {
    pub fn new(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            team: "T0123ABCD",
            channels: BTreeMap::from([
                ("C0123ABCD", true),
                ("C0123EFGH", true),
                ("C0UNINVIT", false),
                ("U0123ABCD", true),
            ]),
            may_read: true,
            messages: Vec::new(),
            next_error: None,
            windows: Windows::default(),
        }
    }

    fn call(&mut self, method: &str, request: &Request) -> Result<Value, String> {
        let bearer = request.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        if bearer.is_empty() {
            return Err("not_authed".into());
        }
        if bearer != self.token {
            return Err("invalid_auth".into());
        }
        if let Some(error) = self.next_error.take() {
            return Err(error.into());
        }
        match method {
            "chat.postMessage" => self.post(&json_body(request)?),
            "chat.update" => self.update(&json_body(request)?),
            "conversations.history" => self.history(request),
            "auth.test" => Ok(json!({"ok": true, "team_id": self.team, "user_id": "U0BOT0001", "bot_id": "B0BOT0001"})),
            _ => Err("unknown_method".into()),
        }
    }

    fn post(&mut self, body: &Value) -> Result<Value, String> {
        let channel = self.check(body, &[])?;
        let channel = channel.strip_prefix('U').map(|user| format!("D{user}")).unwrap_or(channel);
        let ts = format!("17000000{:02}.{:06}", self.messages.len() / 1_000, self.messages.len() + 100);
        self.messages.push(Message {
            channel: channel.clone(),
            ts: ts.clone(),
            text: body["text"].as_str().unwrap_or_default().to_owned(),
            blocks: body["blocks"].clone(),
            metadata: body["metadata"].clone(),
            edits: 0,
        });
        Ok(json!({"ok": true, "channel": channel, "ts": ts, "message": {"text": body["text"]}}))
    }

    fn update(&mut self, body: &Value) -> Result<Value, String> {
        let channel = self.check(body, &["ts"])?;
        if channel.starts_with('U') {
            return Err("channel_not_found".into());
        }
        let ts = body["ts"].as_str().ok_or("invalid_arguments")?;
        let found = self.messages.iter_mut().find(|message| message.channel == channel && message.ts == ts);
        let message = found.ok_or("message_not_found")?;
        message.text = body["text"].as_str().unwrap_or_default().to_owned();
        message.blocks = body["blocks"].clone();
        message.edits += 1;
        Ok(json!({"ok": true, "channel": channel, "ts": ts, "text": body["text"]}))
    }

    fn check(&self, body: &Value, more: &[&str]) -> Result<String, String> {
        let fields = object(body, "the call")?;
        let known = ["channel", "text", "blocks", "unfurl_links", "unfurl_media", "metadata", "thread_ts"];
        only(fields, &[&known, more].concat(), "the call").map_err(|e| format!("invalid_arguments: {e}"))?;
        let channel = text(fields, "channel", 32).map_err(|_| "channel_not_found")?;
        let user = channel.strip_prefix('D').map(|user| format!("U{user}"));
        match self.channels.get(user.as_deref().unwrap_or(channel)) {
            None => return Err("channel_not_found".into()),
            Some(false) => return Err("not_in_channel".into()),
            Some(true) => {}
        }
        match optional_text(fields, "text", MAX_TEXT) {
            Ok(None) => return Err("no_text".into()),
            Err(_) => return Err("msg_too_long".into()),
            Ok(Some(_)) => {}
        }
        if let Some(list) = fields.get("blocks") {
            blocks::check(list).map_err(|e| format!("invalid_blocks: {e}"))?;
        }
        if let Some(metadata) = fields.get("metadata") {
            let fields = object(metadata, "metadata").map_err(|_| "invalid_metadata_format")?;
            only(fields, &["event_type", "event_payload"], "metadata").map_err(|_| "invalid_metadata_format")?;
            if !metadata["event_payload"].is_object() {
                return Err("invalid_metadata_format".into());
            }
        }
        Ok(channel.to_owned())
    }

    fn history(&self, request: &Request) -> Result<Value, String> {
        if !request.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return Err("invalid_form_data".into());
        }
        if !self.may_read {
            return Err("missing_scope".into());
        }
        let fields: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let channel = fields.get("channel").ok_or("channel_not_found")?;
        let with_metadata = fields.get("include_all_metadata").is_some_and(|value| value == "true");
        let shown = |message: &Message| {
            let metadata = if with_metadata { message.metadata.clone() } else { Value::Null };
            json!({"type": "message", "ts": message.ts, "text": message.text, "metadata": metadata})
        };
        let found: Vec<Value> = self.messages.iter().rev().filter(|m| m.channel == *channel).map(shown).collect();
        Ok(json!({"ok": true, "messages": found, "has_more": false}))
    }
}

fn json_body(request: &Request) -> Result<Value, String> {
    if request.header("content-type") != "application/json; charset=utf-8" {
        return Err("missing_charset".into());
    }
    serde_json::from_slice(&request.body).map_err(|_| "invalid_json".into())
}

impl Service for Slack {
    fn handle(&mut self, request: &Request) -> Reply {
        let Some(method) = request.path().strip_prefix("/api/") else { return Reply::empty(404) };
        let method = method.to_owned();
        if method.starts_with("chat.") {
            let key = request.json()["channel"].as_str().unwrap_or_default().to_owned();
            if let Err(after_s) = self.windows.count(&key, LIMIT) {
                return Reply::too_many(after_s);
            }
        }
        match self.call(&method, request) {
            Ok(answer) => Reply::json(200, &answer),
            Err(error) => {
                let (name, detail) = error.split_once(": ").unwrap_or((error.as_str(), ""));
                let detail = json!({"messages": [detail]});
                Reply::json(200, &json!({"ok": false, "error": name, "response_metadata": detail, "needed": null}))
            }
        }
    }
}
