//! Why a token is not accepted. Every kind has a stable code and says what to do.

use muster_domain::{Refusal, refusal::refusal};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("no bearer token was sent")]
    Missing,
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    #[error("the token's issuer '{issuer}' is not configured")]
    IssuerUnknown { issuer: String },
    #[error("the token's algorithm {found} is not accepted from this issuer")]
    Algorithm { found: String },
    #[error("the token's type '{found}' is not a type of access token")]
    Type { found: String },
    #[error("the issuer has no key {key_id} for {algorithm}")]
    KeyUnknown { key_id: String, algorithm: String },
    #[error("the token's signature is not valid")]
    Signature,
    #[error("the token is meant for '{found}' and not for Muster's API")]
    Audience { found: String },
    #[error("the token expired at {at}")]
    Expired { at: String },
    #[error("the token is not valid before {at}")]
    NotYetValid { at: String },
    #[error("the token lacks the claim '{0}'")]
    ClaimMissing(&'static str),
    #[error("the token has no claim '{claim}' with groups")]
    GroupsMissing { claim: String },
    #[error("the provider left the groups out because there are too many for a token")]
    GroupsOverage,
    #[error("the claim '{claim}' is not a list of texts")]
    GroupsMalformed { claim: String },
    #[error("the keys of issuer '{issuer}' cannot be fetched: {problem}")]
    KeysUnavailable { issuer: String, problem: String },
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

impl AuthError {
    /// The same on every surface.
    pub fn to_refusal(&self) -> Refusal {
        let (code, limit, next_action) = match self {
            Self::Missing => ("TOKEN_MISSING", "header `authorization: Bearer <token>`", LOG_IN),
            Self::Malformed(_) => ("TOKEN_MALFORMED", "a signed JWT", LOG_IN),
            Self::IssuerUnknown { .. } => {
                ("TOKEN_ISSUER_UNKNOWN", "the issuers of auth.issuers, byte for byte", LOG_IN)
            }
            Self::Algorithm { .. } => ("TOKEN_ALGORITHM", "auth.issuers[].accepted_algorithms", ASK_PROVIDER),
            Self::Type { .. } => ("TOKEN_TYPE", "at+jwt, JWT, or none", "send the access token, not another kind"),
            Self::KeyUnknown { .. } => (
                "TOKEN_KEY_UNKNOWN",
                "a key that the issuer publishes",
                "log in again; keys are looked up again within a minute",
            ),
            Self::Signature => ("TOKEN_SIGNATURE", "a signature by a key of the issuer", LOG_IN),
            Self::Audience { .. } => (
                "TOKEN_AUDIENCE",
                "auth.issuers[].audience",
                "ask for a token for Muster's API; an ID token does not open it",
            ),
            Self::Expired { .. } => ("TOKEN_EXPIRED", "a token that is still valid", LOG_IN),
            Self::NotYetValid { .. } => (
                "TOKEN_NOT_YET_VALID",
                "at most 60 s of difference between clocks",
                "check the clocks of the provider and of this host",
            ),
            Self::ClaimMissing(_) => ("TOKEN_CLAIM_MISSING", "iss, sub, aud and exp", ASK_PROVIDER),
            Self::GroupsMissing { .. } => (
                "TOKEN_GROUPS_MISSING",
                "a groups claim, even an empty one",
                "have the provider add the groups claim for Muster's API, or correct auth.issuers[].groups_claim",
            ),
            Self::GroupsOverage => (
                "TOKEN_GROUPS_OVERAGE",
                "groups within the token",
                "use app roles (`roles`) for Muster, or limit the claim to groups assigned to the application",
            ),
            Self::GroupsMalformed { .. } => ("TOKEN_GROUPS_MALFORMED", "a list of texts", ASK_PROVIDER),
            Self::KeysUnavailable { .. } => (
                "ISSUER_UNAVAILABLE",
                "an issuer that answers",
                "try again; if it stays, check the provider and the way to it",
            ),
            Self::Client(_) => ("INTERNAL", "", "report it to the people who run Muster"),
        };
        refusal(code, self.to_string(), "", limit, next_action)
    }
}

const LOG_IN: &str = "log in with `muster login`, or at the console, and send the new token";
const ASK_PROVIDER: &str = "have the provider's settings for Muster's API corrected";
