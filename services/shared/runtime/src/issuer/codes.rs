//! Authorization codes: each is good for one exchange within a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use crate::Clock;

const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// One person logs in at a time; a loop that asks for codes must not fill memory.
const MAX_CODES: usize = 1_000;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) person: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// base64url(SHA-256(verifier)), RFC 7636.
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) scope: String,
    pub(super) auth_time: Timestamp,
    /// The client asked for a login made for a decision.
    pub(super) step_up: bool,
}

pub(super) struct Codes {
    clock: Clock,
    grants: Mutex<HashMap<String, Grant>>,
}

impl Codes {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, grants: Mutex::new(HashMap::new()) }
    }

    /// `None` when there are too many, or no randomness.
    pub(super) fn issue(&self, grant: Grant) -> Option<String> {
        let code = random()?;
        let now = self.clock.now();
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, grant| is_fresh(grant, now));
        if grants.len() >= MAX_CODES {
            return None;
        }
        grants.insert(code.clone(), grant);
        Some(code)
    }

    /// Takes the grant out: a code works once, even when the exchange then fails.
    pub(super) fn redeem(&self, code: &str) -> Option<Grant> {
        let grant = self.grants.lock().unwrap_or_else(PoisonError::into_inner).remove(code)?;
        is_fresh(&grant, self.clock.now()).then_some(grant)
    }
}

fn is_fresh(grant: &Grant, now: Timestamp) -> bool {
    now.duration_since(grant.auth_time) < LIFETIME
}

/// 256 bits, for codes and token ids.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
