//! Microsoft Teams: a card, posted by a Workflow behind a secret URL.
//!
//! One way: 202 means that the flow was queued, nothing comes back, and no card can be changed. A workflow recognises
//! no copy, so what may have arrived is sent again only when somebody has to act on it.
//! Source: contracts/teams.md; learn.microsoft.com, "Create incoming webhooks with Workflows".

mod card;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::recipient::Recipient;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::secrets::SecretResolver;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::credential::{self, Problem};
use super::outgoing::{Answer, Outgoing, Post, SHORT_ANSWER_BYTES};
use super::quota::{Quota, Window, key_of_secret};
use super::{Attempt, Channel, Receipt, http_attempt_limit};

/// What connectors were granted for a channel, within what a workflow's connection takes.
const LIMIT: &[Window] = &[Window::new(1, 1), Window::new(60, 3_600)];
const CONCURRENCY: usize = 8;
/// One, and once more with a newer URL.
const CALLS: i64 = 2;
const URL: &str = "the workflow's URL";

/// The channel.
pub struct Teams {
    outgoing: Outgoing,
    secrets: SecretResolver,
    quota: Quota,
}

impl Teams {
    pub fn new(outgoing: Outgoing, secrets: SecretResolver) -> Self {
        Self { outgoing, secrets, quota: Quota::new(LIMIT) }
    }

    async fn post(&self, attempt: &Attempt, url: SecretString, card: &[u8]) -> Result<Receipt, Problem> {
        let url = url.expose_secret().trim();
        self.check(url)?;
        let post = Post {
            url,
            headers: Vec::new(),
            body: card.to_vec(),
            max_answer_bytes: SHORT_ANSWER_BYTES,
            now: attempt.now,
        };
        let answer = self.outgoing.post(post).await.map_err(without_host)?;
        judge(&answer, url)
    }

    /// The whole URL is the credential, its host included: what is wrong with it is said without it.
    fn check(&self, url: &str) -> Result<(), Failure> {
        let checked = self.outgoing.check(url).map_err(|_| forbidden())?;
        // The signature in it covers the URL as it is written. What a parser would write otherwise arrives otherwise.
        let query = checked.query().map(|query| format!("?{query}")).unwrap_or_default();
        let written = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, target)| target);
        let arrives = format!("{}{query}", checked.path());
        if checked.fragment().is_none() && written == arrives.strip_prefix('/') {
            return Ok(());
        }
        let text = format!("{URL} would not arrive as it is written; copy it again from the workflow");
        Err(Failure::new(FailureCode::Misconfigured, text))
    }
}

fn forbidden() -> Failure {
    let text = format!(
        "{URL} is not one that may be used: https on port 443 to a public address, or one that the operator allows in webhooks.allow_private_addresses"
    );
    Failure::new(FailureCode::Forbidden, text)
}

fn without_host(failure: Failure) -> Failure {
    if failure.code == FailureCode::Forbidden { forbidden() } else { failure }
}

fn judge(answer: &Answer, url: &str) -> Result<Receipt, Problem> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = answer.text_with(body["error"]["code"].as_str().unwrap_or_default(), url);
    let failed = |code| Problem::Failure(Failure::new(code, said.clone()));
    Err(match answer.status {
        // A connector of the old kind hides its throttling in a success.
        status if status.is_success() && String::from_utf8_lossy(&answer.body).contains("HTTP error 429") => {
            Problem::Failure(Failure::new(FailureCode::Deferred, "HTTP 200, and in it: HTTP error 429"))
        }
        status if status.is_success() => {
            return Ok(Receipt(format!("accepted by the workflow of Teams ({})", answer.text())));
        }
        status if status.is_redirection() => Problem::Failure(answer.redirected()),
        // The URL's signature is wrong, or no flow is there any more.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
            Problem::Credential(said)
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Problem::Failure(answer.deferred()),
        // The flow may have been queued.
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            failed(FailureCode::OutcomeUnknown)
        }
        status if status.is_client_error() => failed(FailureCode::Rejected),
        _ => failed(FailureCode::Failed),
    })
}

/// The body of a call that is not made.
pub(crate) fn preview(attempt: &Attempt) -> String {
    format!("{:#}", card::envelope(attempt))
}

#[async_trait]
impl Channel for Teams {
    fn name(&self) -> &'static str {
        routing::TEAMS
    }

    fn attempt_limit(&self) -> SignedDuration {
        http_attempt_limit(CALLS)
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn turn(&self, tenant: &TenantId, recipient: &Recipient) -> Result<(), SignedDuration> {
        self.quota.turn(&key_of_secret(tenant, recipient))
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        if attempt.possibly_duplicate && !attempt.message.is_page_class() {
            let text = "the first card may have been posted, and a second one would only confuse";
            return Err(Failure::new(FailureCode::NotRepeated, text));
        }
        let card = card::envelope(attempt).to_string().into_bytes();
        let post = |url| self.post(attempt, url, &card);
        let outcome = credential::call(&self.secrets, attempt, URL, post).await;
        self.quota.heed(&key_of_secret(&attempt.tenant, &attempt.recipient), &outcome);
        outcome
    }
}
