//! The few JetStream requests the log lives on that async-nats 0.51 does not offer as we need them: a publish whose
//! refusal keeps its code, a read by the leader, and `multi_last`. To be replaced when the orbit crates follow.

use async_nats::{HeaderMap, Request, StatusCode, client::RequestErrorKind};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::{EventLog, retry::REQUEST_TIMEOUT};

/// A second message on a subject that may hold one only.
pub(crate) const STORE_FAILED: u64 = 10077;
/// The last message under the filter is not the expected one.
pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
/// The same, while another append under the filter is still in flight.
pub(crate) const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10164;
pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
/// The filter that an expected last sequence is about, where it is not the message's own subject.
pub(crate) const EXPECTED_ON_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const NO_MESSAGE_FOUND: u64 = 10037;
const STREAM_OFFLINE: u64 = 10118;
const TOO_MANY_BATCHES_IN_FLIGHT: u64 = 10210;
const INCOMPLETE_BATCH: u64 = 10176;

/// A message as a stream holds it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) stored_at: Timestamp,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server's no, with its code.
    Refused { code: u64, description: String },
    /// No answer, or one that says "not now": what became of the request is unknown.
    Unknown(String),
    /// More messages than one answer holds.
    TooMany,
}

#[derive(Debug, Deserialize)]
struct ApiError {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl ApiError {
    fn into_failure(self) -> Failure {
        let passes =
            matches!(self.err_code, STREAM_NOT_FOUND | STREAM_OFFLINE | TOO_MANY_BATCHES_IN_FLIGHT | INCOMPLETE_BATCH);
        if passes || (self.code == 503 && self.err_code != STORE_FAILED) {
            // A cluster answers so while it elects a leader, even "stream not found".
            return Failure::Unknown(format!("{} ({})", self.description, self.err_code));
        }
        Failure::Refused { code: self.err_code, description: self.description }
    }
}

async fn request(log: &EventLog, subject: String, request: Request) -> Result<async_nats::Message, Failure> {
    let mut connection = log.connection();
    let answer = tokio::select! {
        answer = log.client().send_request(subject, request.timeout(Some(REQUEST_TIMEOUT))) => answer,
        _ = connection.changed() => return Err(connection_lost()),
    };
    answer.map_err(|error| match error.kind() {
        RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
            Failure::Refused { code: 0, description: error.to_string() }
        }
        RequestErrorKind::TimedOut | RequestErrorKind::NoResponders | RequestErrorKind::Other => {
            Failure::Unknown(error.to_string())
        }
    })
}

/// An answer that was on its way over the connection before will not come.
fn connection_lost() -> Failure {
    Failure::Unknown("the connection was lost before the answer came".to_owned())
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(payload).map_err(|error| Failure::Unknown(format!("answer not understood: {error}")))
}

/// Publishes and waits until the stream has stored it: the sequence.
pub(crate) async fn publish(
    log: &EventLog,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Ack {
        error: Option<ApiError>,
        #[serde(default)]
        seq: u64,
    }
    let answer = request(log, subject, Request::new().headers(headers).payload(payload)).await?;
    let ack: Ack = parse(&answer.payload)?;
    match ack.error {
        Some(error) => Err(error.into_failure()),
        None if ack.seq == 0 => Err(Failure::Unknown("acknowledged without a sequence".to_owned())),
        None => Ok(ack.seq),
    }
}

/// The newest message on a subject as the stream's leader knows it: never behind an acknowledged append.
pub(crate) async fn leader_last(log: &EventLog, stream: &str, subject: &str) -> Result<Option<Stored>, Failure> {
    leader_get(log, stream, &json!({ "last_by_subj": subject })).await
}

/// The message at a position, as the stream's leader knows it.
pub(crate) async fn leader_at(log: &EventLog, stream: &str, sequence: u64) -> Result<Option<Stored>, Failure> {
    leader_get(log, stream, &json!({ "seq": sequence })).await
}

async fn leader_get(log: &EventLog, stream: &str, which: &serde_json::Value) -> Result<Option<Stored>, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        error: Option<ApiError>,
        message: Option<Raw>,
    }
    #[derive(Deserialize)]
    struct Raw {
        subject: String,
        seq: u64,
        #[serde(default)]
        hdrs: String,
        #[serde(default)]
        data: String,
        time: Timestamp,
    }
    let body = which.to_string();
    let answer = request(log, format!("$JS.API.STREAM.MSG.GET.{stream}"), Request::new().payload(body.into())).await?;
    let answer: Answer = parse(&answer.payload)?;
    match (answer.error, answer.message) {
        (Some(error), _) if error.err_code == NO_MESSAGE_FOUND => Ok(None),
        (Some(error), _) => Err(error.into_failure()),
        (None, None) => Err(Failure::Unknown("an answer without a message".to_owned())),
        (None, Some(raw)) => {
            let bytes = |text: &str| BASE64.decode(text).map_err(|error| Failure::Unknown(error.to_string()));
            Ok(Some(Stored {
                subject: raw.subject,
                sequence: raw.seq,
                stored_at: raw.time,
                headers: parse_headers(&bytes(&raw.hdrs)?),
                payload: bytes(&raw.data)?.into(),
            }))
        }
    }
}

/// `NATS/1.0\r\nname: value\r\n…`: the raw form that `STREAM.MSG.GET` hands out.
fn parse_headers(raw: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(raw).split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let (Ok(name), Ok(value)) =
            (name.trim().parse::<async_nats::HeaderName>(), value.trim().parse::<async_nats::HeaderValue>())
        {
            headers.append(name, value);
        }
    }
    headers
}

/// The newest message of every subject that matches, in the stream's order, from any replica: 0.4 ms for one
/// aggregate of a million events, and possibly behind an append acknowledged just now.
pub(crate) async fn multi_last(log: &EventLog, stream: &str, subjects: &[String]) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        // The server cuts an answer that grows too large: go on after its last message.
        let page = direct_page(log, stream, multi_last_from(subjects, from)).await?;
        let Some(last) = page.messages.last().map(|m| m.sequence) else { return Ok(found) };
        found.extend(page.messages);
        if page.pending == 0 {
            return Ok(found);
        }
        from = last + 1;
    }
}

fn multi_last_from(subjects: &[String], from: u64) -> serde_json::Value {
    match from {
        0 => json!({ "multi_last": subjects }),
        seq => json!({ "multi_last": subjects, "seq": seq }),
    }
}

/// The next messages that match, at and after a sequence, from any replica.
pub(crate) async fn onwards(
    log: &EventLog,
    stream: &str,
    filter: &str,
    from: u64,
    count: usize,
) -> Result<Vec<Stored>, Failure> {
    let body = json!({ "seq": from, "next_by_subj": filter, "batch": count });
    Ok(direct_page(log, stream, body).await?.messages)
}

struct Page {
    messages: Vec<Stored>,
    pending: u64,
}

async fn direct_page(log: &EventLog, stream: &str, body: serde_json::Value) -> Result<Page, Failure> {
    let unknown = |error: String| Failure::Unknown(error);
    let mut connection = log.connection();
    let inbox = log.client().new_inbox();
    let mut answers = log.client().subscribe(inbox.clone()).await.map_err(|e| unknown(e.to_string()))?;
    log.client()
        .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, body.to_string().into())
        .await
        .map_err(|e| unknown(e.to_string()))?;
    let mut messages = Vec::new();
    loop {
        let answer = tokio::select! {
            answer = tokio::time::timeout(REQUEST_TIMEOUT, answers.next()) => answer,
            _ = connection.changed() => return Err(connection_lost()),
        };
        let answer = answer.map_err(|_| unknown("timed out".to_owned()))?.ok_or_else(connection_lost)?;
        match answer.status.unwrap_or(StatusCode::OK).as_u16() {
            200 => messages.push(direct(answer)?),
            204 => {
                let pending = header(&answer, "Nats-Num-Pending").and_then(|v| v.parse().ok()).unwrap_or(0);
                return Ok(Page { messages, pending });
            }
            404 => return Ok(Page { messages, pending: 0 }),
            413 => return Err(Failure::TooMany),
            status => return Err(unknown(format!("status {status} {}", answer.description.unwrap_or_default()))),
        }
    }
}

fn header<'m>(message: &'m async_nats::Message, name: &str) -> Option<&'m str> {
    message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
}

/// A direct get carries subject, sequence and time in headers.
fn direct(message: async_nats::Message) -> Result<Stored, Failure> {
    let parts = (|| {
        let subject = header(&message, "Nats-Subject")?.to_owned();
        let sequence = header(&message, "Nats-Sequence")?.parse().ok()?;
        let stored_at = header(&message, "Nats-Time-Stamp")?.parse().ok()?;
        Some((subject, sequence, stored_at))
    })();
    let Some((subject, sequence, stored_at)) = parts else {
        return Err(Failure::Unknown("an answer without subject, sequence and time".to_owned()));
    };
    Ok(Stored { subject, sequence, stored_at, headers: message.headers.unwrap_or_default(), payload: message.payload })
}
