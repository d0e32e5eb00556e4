//! The secret of one attempt: read when it is needed, never shown, and read once more when the far side refuses it.

use std::future::Future;

use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::secrets::{Owner, SecretResolver};
use secrecy::{ExposeSecret, SecretString};

use super::Attempt;

/// Why one call did not do it.
pub(super) enum Problem {
    /// The secret is refused; in the far side's words.
    Credential(String),
    Failure(Failure),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Problem {
    /// `what` names the secret.
    pub(super) fn into_failure(self, what: &str) -> Failure {
        match self {
            Problem::Credential(said) => {
                Failure::new(FailureCode::Misconfigured, format!("{what} was refused ({said})"))
            }
            Problem::Failure(failure) => failure,
        }
    }
}

/// Makes the call with the attempt's secret, and once more with a newer one where that is refused.
pub(super) async fn call<T, F, Called>(
    secrets: &SecretResolver,
    attempt: &Attempt,
    what: &str,
    call: F,
) -> Result<T, Failure>
where
    F: Fn(SecretString) -> Called + Send,
    Called: Future<Output = Result<T, Problem>> + Send,
{
    let secret = read(secrets, attempt, what)?;
    match call(secret.clone()).await {
        Err(Problem::Credential(said)) => {
            let newer = read_again(secrets, attempt, what, &secret, &said)?;
            call(newer).await.map_err(|problem| problem.into_failure(what))
        }
        other => other.map_err(|problem| problem.into_failure(what)),
    }
}

/// Reads the attempt's secret. `what` names it for people: "the bot token".
///
/// Where the secret tells who is reached, it must be the one that the rule for the production on-call has judged: a
/// secret that was changed in between is judged first.
pub(super) fn read(secrets: &SecretResolver, attempt: &Attempt, what: &str) -> Result<SecretString, Failure> {
    let secret = secrets
        .resolve(Owner::Tenant(&attempt.tenant), &attempt.secret_ref)
        .map_err(|e| Failure::new(FailureCode::Misconfigured, format!("{what}: {e}")))?;
    let mark = &attempt.recipient.mark;
    if *mark != SecretMark::NotNeeded && *mark != routing::secret_mark(&attempt.declared, secret.expose_secret()) {
        let text = format!("{what} was changed just now; it is used from the next attempt on");
        return Err(Failure::new(FailureCode::Misconfigured, text));
    }
    Ok(secret)
}

/// The far side refused the secret. Another one if there is a newer; else what to do about it.
fn read_again(
    secrets: &SecretResolver,
    attempt: &Attempt,
    what: &str,
    refused: &SecretString,
    said: &str,
) -> Result<SecretString, Failure> {
    let again = read(secrets, attempt, what)?;
    if again.expose_secret() == refused.expose_secret() {
        let text = format!("{what} was refused ({said}), and is the same when read again. Next: store a valid one");
        return Err(Failure::new(FailureCode::Misconfigured, text));
    }
    Ok(again)
}
