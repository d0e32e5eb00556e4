//! gds_notification: an in-house service that finds the people by the alert's name and the database instance.
//!
//! 202 means that it took the alert. Whom it told, and whom its own blackouts left out, it does not say, so it is never
//! the only way of an approval. Our `message_id` makes a repeated attempt harmless.
//! Source: contracts/gds-notification.md.

mod body;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_domain::pb::inventory::v1::GdsNotificationChannel;
use muster_runtime::secrets::SecretResolver;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::credential::{self, Problem};
use super::email::Composer;
use super::outgoing::{Answer, Outgoing, Post, SHORT_ANSWER_BYTES, header_value};
use super::quota::{Quota, Window};
use super::signature::hmac_hex;
use super::{Attempt, Channel, Declared, Receipt, SetupError, http_attempt_limit};

pub use body::message_id;

/// None is documented; the receiver writes each alert into a database.
const LIMIT: &[Window] = &[Window::new(10, 1)];
const CONCURRENCY: usize = 8;
/// One, and once more with a newer secret.
const CALLS: i64 = 2;
const SECRET: &str = "the shared secret";
const SIGNATURE_HEADER: &str = "x-gds-signature";

/// The channel.
pub struct GdsNotification {
    outgoing: Outgoing,
    secrets: SecretResolver,
    composer: Composer,
    quota: Quota,
}

impl GdsNotification {
    pub fn new(outgoing: Outgoing, secrets: SecretResolver) -> Result<Self, SetupError> {
        Ok(Self { outgoing, secrets, composer: Composer::new()?, quota: Quota::new(LIMIT) })
    }

    async fn post(
        &self,
        attempt: &Attempt,
        gds: &GdsNotificationChannel,
        secret: SecretString,
        body: &[u8],
    ) -> Result<Receipt, Problem> {
        let headers = headers(attempt, gds, &secret, body)?;
        let url = ingest_url(&attempt.recipient.address)?;
        let max_answer_bytes = SHORT_ANSWER_BYTES;
        let post = Post { url: &url, headers, body: body.to_vec(), max_answer_bytes, now: attempt.now };
        judge(&self.outgoing.post(post).await?, secret.expose_secret())
    }
}

/// The base's path and `/ingest`; a query of the base stays.
fn ingest_url(base: &str) -> Result<String, Failure> {
    let mistake = |e: url::ParseError| Failure::new(FailureCode::Misconfigured, format!("the service's URL: {e}"));
    let mut url = url::Url::parse(base).map_err(mistake)?;
    let path = format!("{}/ingest", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url.into())
}

/// The signature of exactly these bytes, with the time before them where the receiver wants one.
fn headers(
    attempt: &Attempt,
    gds: &GdsNotificationChannel,
    secret: &SecretString,
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))];
    let mut signed = Vec::with_capacity(body.len() + 16);
    if !gds.timestamp_header.is_empty() {
        let timestamp = attempt.now.as_second().to_string();
        signed.extend_from_slice(format!("{timestamp}.").as_bytes());
        headers.push((header_name(&gds.timestamp_header)?, header_value(&timestamp, "the time")?));
    }
    signed.extend_from_slice(body);
    let name = if gds.signature_header.is_empty() { SIGNATURE_HEADER } else { &gds.signature_header };
    let signature = format!("sha256={}", hmac_hex(secret.expose_secret().as_bytes(), &signed));
    headers.push((header_name(name)?, header_value(&signature, "the signature")?));
    Ok(headers)
}

/// A header of the receiver's own: none that the request itself is made of.
fn header_name(name: &str) -> Result<HeaderName, Failure> {
    let reserved = |name: &HeaderName| {
        let name = name.as_str();
        !(name.starts_with("x-") || name.contains("signature") || name.contains("timestamp"))
    };
    HeaderName::try_from(name).ok().filter(|name| !reserved(name)).ok_or_else(|| {
        Failure::new(FailureCode::Misconfigured, format!("'{name}' is no header for a signature or a time; use X-…"))
    })
}

fn judge(answer: &Answer, secret: &str) -> Result<Receipt, Problem> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        let job = body["job_id"].as_str().unwrap_or("not named");
        return Ok(Receipt(format!("accepted by gds_notification: job {job}")));
    }
    let said = body["detail"].as_array().into_iter().flatten().filter_map(|detail| detail["msg"].as_str());
    let said = answer.text_with(&said.collect::<Vec<_>>().join("; "), secret);
    let failed = |code| Problem::Failure(Failure::new(code, said.clone()));
    Err(match answer.status {
        status if status.is_redirection() => Problem::Failure(answer.redirected()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Problem::Credential(said),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            failed(FailureCode::Rejected)
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => failed(FailureCode::Misconfigured),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Problem::Failure(answer.deferred()),
        status if status.is_server_error() => Problem::Failure(answer.deferred()),
        _ => failed(FailureCode::Failed),
    })
}

fn key(tenant: &TenantId, recipient: &Recipient) -> String {
    format!("{tenant}/{}", recipient.address)
}

/// The body of a call that is not made.
pub(crate) fn preview(attempt: &Attempt) -> Result<String, Failure> {
    let broken = |error: SetupError| Failure::new(FailureCode::Misconfigured, error.to_string());
    let Declared::GdsNotification(gds) = attempt.declared.as_ref() else {
        return Err(Failure::new(FailureCode::RouteChanged, "it is no gds_notification route"));
    };
    let composer = Composer::new().map_err(SetupError::from).map_err(broken)?;
    Ok(format!("{:#}", body::json(attempt, gds, &composer)?))
}

#[async_trait]
impl Channel for GdsNotification {
    fn name(&self) -> &'static str {
        routing::GDS_NOTIFICATION
    }

    fn attempt_limit(&self) -> SignedDuration {
        http_attempt_limit(CALLS)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn turn(&self, tenant: &TenantId, recipient: &Recipient) -> Result<(), SignedDuration> {
        self.quota.turn(&key(tenant, recipient))
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let Declared::GdsNotification(gds) = attempt.declared.as_ref() else {
            return Err(Failure::new(FailureCode::RouteChanged, "the route is no gds_notification route any more"));
        };
        let body = body::json(attempt, gds, &self.composer)?.to_string().into_bytes();
        let post = |secret| self.post(attempt, gds, secret, &body);
        let outcome = credential::call(&self.secrets, attempt, SECRET, post).await;
        self.quota.heed(&key(&attempt.tenant, &attempt.recipient), &outcome);
        outcome
    }
}
