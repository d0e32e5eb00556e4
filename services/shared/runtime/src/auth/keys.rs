//! The keys of one issuer: cached, refreshed behind the caller's back, and never fetched more often than a minute
//! because of tokens that strangers send.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use tokio::sync::Mutex;

use super::{AuthError, fetch};
use crate::{
    Clock,
    config::{self, Algorithm},
};

/// Below this, providers that send no-cache would be asked at every call.
const MIN_AGE: Duration = Duration::from_secs(300);
/// One fetch in this time, whoever asks for whichever key.
const FETCH_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Without any keys, logins wait for the provider: ask it more often, though not at every call.
const EMPTY_PAUSE: SignedDuration = SignedDuration::from_secs(2);
/// Keys this old are no longer believed, even when the provider is down.
const MAX_STALE: SignedDuration = SignedDuration::from_hours(24);
/// Providers publish a handful.
const MAX_KEYS: usize = 100;

#[derive(Clone)]
pub(super) struct IssuerKeys(Arc<Inner>);

struct Inner {
    issuer: String,
    ceiling: Duration,
    client: reqwest::Client,
    clock: Clock,
    cached: RwLock<Option<Arc<Cached>>>,
    /// The last attempt, good or not. Held while fetching, so that many callers wait for one fetch.
    fetching: Mutex<Attempt>,
}

#[derive(Default)]
struct Attempt {
    at: Option<Timestamp>,
    problem: Option<String>,
}

struct Cached {
    keys: Vec<Key>,
    fetched_at: Timestamp,
    expires_at: Timestamp,
}

struct Key {
    id: Option<String>,
    fits: Vec<Algorithm>,
    key: DecodingKey,
}

impl IssuerKeys {
    pub(super) fn new(issuer: &config::Issuer, client: reqwest::Client, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.issuer.clone(),
            ceiling: *issuer.jwks_max_age,
            client,
            clock,
            cached: RwLock::new(None),
            fetching: Mutex::new(Attempt::default()),
        }))
    }

    /// The key a token names, or the only one that fits when it names none.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, AuthError> {
        let cached = self.current().await?;
        if let Some(key) = cached.find(id, algorithm) {
            return Ok(key);
        }
        // The provider may have a new key. Whether it was asked or the pause forbids it: look once more.
        let newer = self.refresh(cached.fetched_at, FETCH_PAUSE).await?;
        newer.find(id, algorithm).ok_or_else(|| AuthError::KeyUnknown {
            key_id: id.map_or_else(|| "(none named)".to_owned(), |id| id.chars().take(80).collect()),
            algorithm: format!("{algorithm:?}"),
        })
    }

    async fn current(&self) -> Result<Arc<Cached>, AuthError> {
        let now = self.0.clock.now();
        match self.0.read() {
            Some(cached) if now < cached.expires_at => Ok(cached),
            Some(cached) if now.duration_since(cached.fetched_at) < MAX_STALE => {
                // Due, and still good enough: nobody waits for the provider.
                let (keys, since) = (self.clone(), cached.fetched_at);
                tokio::spawn(async move { keys.refresh(since, FETCH_PAUSE).await.map(drop) });
                Ok(cached)
            }
            Some(cached) => {
                let newer = self.refresh(cached.fetched_at, EMPTY_PAUSE).await?;
                if now.duration_since(newer.fetched_at) < MAX_STALE { Ok(newer) } else { Err(self.0.too_old()) }
            }
            None => self.refresh(Timestamp::MIN, EMPTY_PAUSE).await,
        }
    }

    /// Fetches keys newer than `since`, unless somebody just did or tried. Answers with the best there is.
    async fn refresh(&self, since: Timestamp, pause: SignedDuration) -> Result<Arc<Cached>, AuthError> {
        let inner = &self.0;
        let mut attempt = inner.fetching.lock().await;
        if let Some(cached) = inner.read().filter(|c| c.fetched_at > since) {
            return Ok(cached);
        }
        let now = inner.clock.now();
        if attempt.at.is_none_or(|at| now.duration_since(at) >= pause) {
            attempt.at = Some(now);
            attempt.problem = inner.fetch(now).await.err();
        }
        inner.read().ok_or_else(|| AuthError::KeysUnavailable {
            issuer: inner.issuer.clone(),
            problem: attempt.problem.clone().unwrap_or_else(|| "not fetched yet".to_owned()),
        })
    }
}

impl Inner {
    fn read(&self) -> Option<Arc<Cached>> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), String> {
        let outcome = fetch::keys(&self.client, &self.issuer).await.and_then(|fetched| self.take_in(fetched, now));
        let label = if outcome.is_ok() { "ok" } else { "failed" };
        metrics::counter!("muster_jwks_fetches_total", "outcome" => label).increment(1);
        if let Err(problem) = &outcome {
            tracing::warn!(
                issuer = self.issuer,
                problem,
                "the issuer's keys cannot be fetched; known keys are used for at most a day"
            );
        }
        outcome
    }

    fn take_in(&self, fetched: fetch::FetchedKeys, now: Timestamp) -> Result<(), String> {
        let keys: Vec<Key> = fetched.keys.into_iter().take(MAX_KEYS).filter_map(usable).collect();
        if keys.is_empty() {
            return Err("its key set has no usable key".to_owned());
        }
        let age = fetched.max_age.unwrap_or(self.ceiling).clamp(MIN_AGE, self.ceiling.max(MIN_AGE));
        let expires_at = now.checked_add(age).unwrap_or(now);
        let cached = Cached { keys, fetched_at: now, expires_at };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(cached));
        Ok(())
    }

    fn too_old(&self) -> AuthError {
        AuthError::KeysUnavailable {
            issuer: self.issuer.clone(),
            problem: "the known keys are more than 24 h old".to_owned(),
        }
    }
}

impl Cached {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting =
            self.keys.iter().filter(|k| k.fits.contains(&algorithm) && (id.is_none() || k.id.as_deref() == id));
        match (id, fitting.next(), fitting.next()) {
            (Some(_), Some(key), _) | (None, Some(key), None) => Some(key.key.clone()),
            _ => None,
        }
    }
}

/// A key for checking signatures, with the algorithms its type allows. Others in the set are none of our business.
fn usable(json: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|u| *u != PublicKeyUse::Signature) {
        return None;
    }
    let by_type: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[Algorithm::RS256, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        // Symmetric keys above all: a published one would let anybody sign.
        _ => return None,
    };
    let named = |algorithm: &Algorithm| match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => *algorithm == Algorithm::RS256,
        Some(KeyAlgorithm::PS256) => *algorithm == Algorithm::PS256,
        Some(KeyAlgorithm::ES256) => *algorithm == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => *algorithm == Algorithm::EdDSA,
        Some(_) => false,
    };
    let fits: Vec<Algorithm> = by_type.iter().copied().filter(named).collect();
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!fits.is_empty()).then_some(Key { id: jwk.common.key_id, fits, key })
}
