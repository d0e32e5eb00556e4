//! The secret of one attempt: read when it is needed, never shown, and read once more when the far side refuses it.

use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::{Failure, FailureCode, routing};
use muster_runtime::secrets::{Owner, SecretResolver};
use secrecy::{ExposeSecret, SecretString};

use super::Attempt;

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
pub(super) fn read_again(
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
