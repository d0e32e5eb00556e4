//! E-mail: handed to the operator's relay, never delivered by MX.
//!
//! One SMTP transaction for each recipient, so that each is judged by itself. "250" means that the relay
//! took it, not that anybody read it: tier 1 routes use a second channel beside it.
//! Source: RFC 5321, 3207, 8314, 4954, 3463; contracts/smtp.md.

mod compose;
mod pace;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use lettre::message::Mailbox;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::config::{Config, SmtpTls};
use muster_runtime::secrets::{Owner, SecretResolver};
use secrecy::{ExposeSecret, SecretString};

use super::{Attempt, Channel, Receipt, SetupError};
pub(super) use compose::Composer;
use pace::Pace;
use session::Problem;

/// One message a second: what mailbox providers grant a single sender (30 a minute and more).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Waiting for a turn counts against the attempt: longer than this and it comes back by its schedule.
const MAX_WAIT_FOR_TURN: Duration = Duration::from_secs(20);
/// Turn, dialogue and the final answer, with room: see `session` for the parts. After a crash in the
/// middle of an attempt the next one waits for so long.
const ATTEMPT_LIMIT: SignedDuration = SignedDuration::from_secs(20 + 120 + 300 + 10);
const CONCURRENCY: usize = 4;

/// The relay and how to speak to it.
#[derive(Debug, Clone)]
pub struct Relay {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<String>,
    /// Reference to the password, among the operator's own secrets.
    pub password_ref: Option<String>,
    pub from: Mailbox,
    /// A certificate authority to trust besides the system's, as PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Least time between two messages.
    pub interval: Duration,
}

impl Relay {
    /// `None` when no relay is configured: messages then wait and say so.
    pub fn from_config(config: &Config) -> Result<Option<Self>, SetupError> {
        let Some(smtp) = &config.smtp else { return Ok(None) };
        let from = smtp
            .from
            .parse::<Mailbox>()
            .map_err(|e| SetupError::Sender { value: smtp.from.clone(), reason: e.to_string() })?;
        let ca = smtp.ca_file.as_ref().map(|path| {
            std::fs::read(path)
                .map_err(|e| SetupError::CaFile { path: path.display().to_string(), reason: e.to_string() })
        });
        Ok(Some(Self {
            host: smtp.host.clone(),
            port: smtp.port,
            tls: smtp.tls,
            user: smtp.user.clone(),
            password_ref: smtp.password_ref.clone(),
            from,
            extra_ca_pem: ca.transpose()?,
            interval: DEFAULT_INTERVAL,
        }))
    }
}

/// The channel.
pub struct Email {
    relay: Option<Relay>,
    composer: Composer,
    pace: Pace,
    secrets: SecretResolver,
}

impl Email {
    pub fn new(relay: Option<Relay>, secrets: SecretResolver) -> Result<Self, SetupError> {
        let pace = Pace::new(relay.as_ref().map_or(DEFAULT_INTERVAL, |relay| relay.interval));
        Ok(Self { relay, composer: Composer::new()?, pace, secrets })
    }

    /// Read at every attempt, so that a changed password needs no restart.
    fn password(&self, relay: &Relay) -> Result<Option<SecretString>, Failure> {
        let Some(reference) = &relay.password_ref else { return Ok(None) };
        let password = self.secrets.resolve(Owner::System, reference);
        password.map(Some).map_err(|e| Failure::new(FailureCode::Misconfigured, format!("the relay's password: {e}")))
    }

    /// The relay refused the password. Another one if there is a newer; else what to do about it.
    fn newer_password(
        &self,
        relay: &Relay,
        refused: Option<&SecretString>,
        failure: Failure,
    ) -> Result<SecretString, Failure> {
        let again =
            self.password(relay)?.filter(|again| refused.map(|r| r.expose_secret()) != Some(again.expose_secret()));
        again.ok_or_else(|| {
            let text = format!("{}; the password is the same when read again. Next: store a valid one", failure.text);
            Failure::new(FailureCode::Misconfigured, text)
        })
    }
}

/// The text and the HTML of a mail that is not sent.
pub(crate) fn preview(attempt: &Attempt) -> Result<(String, String), Failure> {
    let broken = |e: minijinja::Error| Failure::new(FailureCode::Misconfigured, format!("a built-in template: {e}"));
    let composer = Composer::new().map_err(broken)?;
    Ok((composer.render("message.txt", attempt)?, composer.render("message.html", attempt)?))
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &'static str {
        routing::EMAIL
    }

    fn attempt_limit(&self) -> SignedDuration {
        ATTEMPT_LIMIT
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let Some(relay) = &self.relay else {
            return Err(Failure::new(
                FailureCode::Misconfigured,
                "no mail relay is configured; set the [smtp] section",
            ));
        };
        let password = self.password(relay)?;
        let mail = self.composer.compose(attempt, &relay.from)?;
        if tokio::time::timeout(MAX_WAIT_FOR_TURN, self.pace.turn()).await.is_err() {
            return Err(Failure::new(
                FailureCode::Deferred,
                "too many messages wait for the relay; it takes one at a time",
            ));
        }
        let outcome = match session::send(relay, password.as_ref(), &mail).await {
            Err(Problem::Credential(failure)) => {
                let newer = self.newer_password(relay, password.as_ref(), failure)?;
                session::send(relay, Some(&newer), &mail).await
            }
            other => other,
        };
        match outcome {
            Ok(answer) => Ok(Receipt(format!("accepted by the relay: {answer}"))),
            Err(Problem::Credential(failure) | Problem::Failure(failure)) => Err(failure),
        }
    }
}
