//! Who is calling: bearer tokens of the configured OpenID Connect providers.
//!
//! Facts and traps of the providers: OpenID Connect Core 1.0, RFC 9068 (access tokens), RFC 8725 (JWT best practice).

mod caller;
mod claims;
mod error;
mod fetch;
mod keys;
mod token;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use caller::Caller;
pub use error::AuthError;

use crate::{Clock, config};
use keys::IssuerKeys;

/// A cheap handle. One per process: it holds the providers' keys.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    issuers: Vec<Provider>,
    clock: Clock,
    skew: Duration,
}

/// One identity provider and its keys.
struct Provider {
    config: config::Issuer,
    keys: IssuerKeys,
}

impl Authenticator {
    /// Asks nobody yet: keys are fetched at the first token, so that Muster starts while a provider is down.
    pub fn new(config: &config::Auth, clock: Clock) -> Result<Self, AuthError> {
        let client = fetch::client()?;
        let provider = |issuer: &config::Issuer| Provider {
            config: issuer.clone(),
            keys: IssuerKeys::new(issuer, client.clone(), clock.clone()),
        };
        Ok(Self(Arc::new(Inner {
            issuers: config.issuers.iter().map(provider).collect(),
            skew: *config.clock_skew,
            clock: clock.clone(),
        })))
    }

    /// Verifies a bearer token and says who it is and which roles they hold where.
    pub async fn verify(&self, bearer: &str) -> Result<Caller, AuthError> {
        let unverified = token::Unverified::read(bearer)?;
        let provider = self
            .0
            .issuers
            .iter()
            .find(|p| p.config.issuer == unverified.issuer)
            .ok_or_else(|| AuthError::IssuerUnknown { issuer: unverified.issuer.clone() })?;
        let algorithm = unverified.check_header(&provider.config)?;
        let key = provider.keys.find(unverified.key_id(), algorithm).await?;
        let claims = unverified.verify(&key, algorithm)?;
        claims::check(&claims, &provider.config, self.0.clock.now(), self.0.skew)?;
        caller::from_claims(&claims, &provider.config)
    }

    /// For the answer to somebody who is not logged in.
    pub(crate) fn issuer_names(&self) -> String {
        let names: Vec<&str> = self.0.issuers.iter().map(|p| p.config.issuer.as_str()).collect();
        if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") }
    }
}
