//! The Web API. Every error of the application is HTTP 200 with `ok: false`.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::{Failure, FailureCode};
use reqwest::header::AUTHORIZATION;
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{METADATA, Posted};
use crate::channels::Attempt;
use crate::channels::credential::Problem;
use crate::channels::outgoing::{Answer, Outgoing, Post, header_value, scrubbed};

const BASE: &str = "https://slack.com/api";
/// A page of a channel's newest messages fits; more than that is not needed to find one of ours.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Of the messages since the event.
const LOOK_AT_MESSAGES: &str = "100";
const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A workspace, as its token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    pub id: String,
    pub bot_user: String,
}

pub(super) struct Api<'a> {
    outgoing: &'a Outgoing,
    base: &'a str,
    now: Timestamp,
}

impl<'a> Api<'a> {
    pub(super) fn new(outgoing: &'a Outgoing, api_url: &'a str, now: Timestamp) -> Self {
        let base = if api_url.is_empty() { BASE } else { api_url.trim_end_matches('/') };
        Self { outgoing, base, now }
    }

    pub(super) async fn post_message(&self, token: &SecretString, body: &Value) -> Result<Posted, Problem> {
        posted(&self.call(token, "chat.postMessage", JSON, body.to_string()).await?)
    }

    pub(super) async fn update(&self, token: &SecretString, body: &Value) -> Result<Posted, Problem> {
        posted(&self.call(token, "chat.update", JSON, body.to_string()).await?)
    }

    pub(super) async fn team(&self, token: &SecretString) -> Result<Team, Problem> {
        let answer = self.call(token, "auth.test", FORM, String::new()).await?;
        Ok(Team { id: text(&answer, "team_id")?, bot_user: text(&answer, "user_id")? })
    }

    /// The message of an earlier attempt, if it is there. Without the right to look there is no telling, and then a
    /// second copy is better than none.
    pub(super) async fn find(&self, token: &SecretString, attempt: &Attempt) -> Result<Option<Posted>, Problem> {
        /// Clocks differ.
        const EARLIER: SignedDuration = SignedDuration::from_mins(5);
        let since = attempt.message.occurred_at.checked_sub(EARLIER).unwrap_or(attempt.message.occurred_at);
        let channel = &attempt.recipient.address;
        // Methods that read take a form, and ignore JSON.
        let ask = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("channel", channel)
            .append_pair("include_all_metadata", "true")
            .append_pair("limit", LOOK_AT_MESSAGES)
            .append_pair("oldest", &since.as_second().to_string())
            .finish();
        let answer = match self.call(token, "conversations.history", FORM, ask).await {
            Ok(answer) => answer,
            Err(Problem::Failure(failure)) if failure.retry_after.is_some() => return Err(failure.into()),
            Err(_) => return Ok(None),
        };
        let ours = attempt.delivery_id.to_string();
        let is_ours = |message: &&Value| {
            let metadata = &message["metadata"];
            metadata["event_type"] == METADATA && metadata["event_payload"]["delivery_id"] == ours.as_str()
        };
        let found = answer["messages"].as_array().into_iter().flatten().find(is_ours);
        let ts = found.and_then(|message| message["ts"].as_str());
        Ok(ts.map(|ts| Posted { channel: channel.clone(), ts: ts.to_owned() }))
    }

    async fn call(
        &self,
        token: &SecretString,
        method: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Value, Problem> {
        let token = token.expose_secret();
        let content_type = header::HeaderValue::from_static(content_type);
        let bearer = header_value(&format!("Bearer {token}"), "the bot token")?;
        let post = Post {
            url: &format!("{}/{method}", self.base),
            headers: vec![(header::CONTENT_TYPE, content_type), (AUTHORIZATION, bearer)],
            body: body.into_bytes(),
            max_answer_bytes: MAX_ANSWER_BYTES,
            now: self.now,
        };
        judge(&self.outgoing.post(post).await?, method, token)
    }
}

fn judge(answer: &Answer, method: &str, token: &str) -> Result<Value, Problem> {
    let said = |text: &str| format!("{method}: {text}");
    let status = answer.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(throttled(answer, method));
    }
    if status.is_redirection() {
        return Err(answer.redirected().into());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return Err(answer.deferred().into());
    }
    if status.is_server_error() {
        // It broke in there: whether before or after the message was posted, nobody says.
        return Err(Failure::new(FailureCode::OutcomeUnknown, said(&answer.text())).into());
    }
    let parsed: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let Some(body) = parsed.filter(|_| status.is_success() && answer.is_whole) else {
        let code = if status.is_success() { FailureCode::OutcomeUnknown } else { FailureCode::Failed };
        return Err(Failure::new(code, said(&format!("{}, and no answer of Slack's", answer.text()))).into());
    };
    if body["ok"] == true {
        return Ok(body);
    }
    Err(refused(&body, answer, method, token))
}

/// What an error's name means.
fn refused(body: &Value, answer: &Answer, method: &str, token: &str) -> Problem {
    let error = body["error"].as_str().unwrap_or("an error without a name");
    let needed = body["needed"].as_str().map(|scope| format!(", needs the scope {scope}")).unwrap_or_default();
    let text = scrubbed(&format!("{method}: {error}{needed}"), token);
    let failure = |code| Problem::Failure(Failure::new(code, text.clone()));
    match error {
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "missing_scope"
        | "not_allowed_token_type" => Problem::Credential(text),
        "ratelimited" | "rate_limited" => throttled(answer, method),
        "service_unavailable" | "team_added_to_org" => failure(FailureCode::Deferred),
        // Something of it may have been done.
        "internal_error" | "fatal_error" | "request_timeout" => failure(FailureCode::OutcomeUnknown),
        "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_too_long"
        | "msg_blocks_too_long"
        | "no_text"
        | "restricted_action"
        | "restricted_action_read_only_channel"
        | "message_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "user_not_found"
        | "user_is_bot" => failure(FailureCode::Rejected),
        _ => failure(FailureCode::Failed),
    }
}

fn throttled(answer: &Answer, method: &str) -> Problem {
    /// Slack always says how long; without it, what it grants a channel in a minute is over by then.
    const UNSAID: SignedDuration = SignedDuration::from_secs(30);
    let text = format!("{method}: {}, too many messages", answer.text());
    Failure::new(FailureCode::Deferred, text).retry_after(answer.retry_after.or(Some(UNSAID))).into()
}

fn posted(answer: &Value) -> Result<Posted, Problem> {
    Ok(Posted { channel: text(answer, "channel")?, ts: text(answer, "ts")? })
}

fn text(answer: &Value, field: &str) -> Result<String, Problem> {
    let missing = || Failure::new(FailureCode::OutcomeUnknown, format!("Slack said ok, without '{field}'"));
    Ok(answer[field].as_str().map(str::to_owned).ok_or_else(missing)?)
}
