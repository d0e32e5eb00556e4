//! OpenID Connect as a public client: authorization code with PKCE (RFC 7636, RFC 8252).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use muster_runtime::Clock;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::browser::Callback;
use crate::{
    client::{error::CliError, profile::Login, session::checked},
    place::random_password,
};

/// The provider answers within seconds or not at all.
const PROVIDER_LIMIT: Duration = Duration::from_secs(15);
/// When the provider does not say how long its tokens live (RFC 6749, 5.1 only recommends it).
const ASSUMED_LIFETIME_S: i64 = 300;
/// Nothing listens here: the code is taken from the redirect itself.
const NOWHERE: &str = "http://127.0.0.1:1/callback";

/// A provider that was asked where its endpoints are.
pub(super) struct Client {
    http: reqwest::Client,
    provider: Provider,
    client_id: String,
    scope: String,
    /// A login for one decision, and the class of it that is asked for. Empty: none in particular.
    step_up: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Provider {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    acr_values_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct OAuthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct IdClaims {
    iss: String,
    aud: serde_json::Value,
    nonce: Option<String>,
}

/// What came back to the redirect address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) code: Option<String>,
    pub(super) state: Option<String>,
    pub(super) iss: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
}

/// One attempt: secrets that bind the answer to the question.
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
}

impl Attempt {
    fn new(redirect_uri: String) -> Self {
        Self { state: random_password(), nonce: random_password(), verifier: random_password(), redirect_uri }
    }
}

impl Client {
    pub(super) async fn discover(issuer: &str, client_id: &str, scope: &str) -> Result<Self, CliError> {
        checked(issuer)?;
        let builder = reqwest::Client::builder().timeout(PROVIDER_LIMIT).redirect(reqwest::redirect::Policy::none());
        let http = builder.build().map_err(|error| CliError::Failed(error.to_string()))?;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let answer = http.get(address).send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| no_answer(issuer, &error))?;
        let provider: Provider = answer.json().await.map_err(|error| no_answer(issuer, &error))?;
        // OpenID Connect Discovery 4.3: byte for byte, or somebody else answers in its name.
        if provider.issuer != issuer {
            return Err(CliError::Failed(format!(
                "the identity provider at {issuer} calls itself {}",
                provider.issuer
            )));
        }
        for endpoint in [&provider.authorization_endpoint, &provider.token_endpoint] {
            checked(endpoint)?;
        }
        Ok(Self { http, provider, client_id: client_id.to_owned(), scope: scope.to_owned(), step_up: None })
    }

    /// The next login is made for one decision: the person shows a second factor now. Without `acr`: the provider's own
    /// class, where it has only one.
    pub(super) fn for_a_decision(mut self, acr: Option<String>) -> Self {
        let only = match self.provider.acr_values_supported.as_slice() {
            [only] => only.clone(),
            _ => String::new(),
        };
        self.step_up = Some(acr.unwrap_or(only));
        self
    }

    /// Opens the provider's page and waits for the person.
    pub(super) async fn login_with_browser(&self, only_print: bool, clock: &Clock) -> Result<Login, CliError> {
        let callback = Callback::listen().await?;
        let attempt = Attempt::new(callback.redirect_uri());
        let address = self.authorize_address(&attempt, None)?;
        super::browser::open(&address, only_print);
        let answer = callback.answer().await?;
        self.finish(&attempt, answer, clock).await
    }

    /// The local issuer redirects at once when it is told who to be.
    pub(super) async fn login_as(&self, name: &str, clock: &Clock) -> Result<Login, CliError> {
        let attempt = Attempt::new(NOWHERE.to_owned());
        let address = self.authorize_address(&attempt, Some(name))?;
        let answer = self.http.get(address).send().await.map_err(|error| no_answer(&self.provider.issuer, &error))?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let redirect = location.and_then(|text| Url::parse(text).ok()).filter(|url| url.as_str().starts_with(NOWHERE));
        let Some(redirect) = redirect else {
            return Err(CliError::Usage(format!(
                "--as works with the local issuer of `muster up`; {} wants a person at its own page: leave --as out",
                self.provider.issuer
            )));
        };
        let answer: Answer = from_query(&redirect);
        self.finish(&attempt, answer, clock).await
    }

    pub(super) async fn refresh(&self, token: &str, clock: &Clock) -> Result<Login, CliError> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &self.client_id)];
        let tokens = self.tokens(&form).await?;
        Ok(self.login(tokens, clock.now()))
    }

    fn authorize_address(&self, attempt: &Attempt, login_hint: Option<&str>) -> Result<Url, CliError> {
        let mut address = checked(&self.provider.authorization_endpoint)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(attempt.verifier.as_bytes()));
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &attempt.redirect_uri)
            .append_pair("scope", &self.scope)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(name) = login_hint {
            address.query_pairs_mut().append_pair("login_hint", name);
        }
        if let Some(acr) = &self.step_up {
            let mut query = address.query_pairs_mut();
            if login_hint.is_none() {
                // OpenID Connect Core, 3.1.2.1: whoever is logged in at the provider logs in again. The local issuer
                // keeps nobody logged in.
                query.append_pair("prompt", "login").append_pair("max_age", "0");
            }
            if !acr.is_empty() {
                query.append_pair("acr_values", acr);
            }
        }
        Ok(address)
    }

    async fn finish(&self, attempt: &Attempt, answer: Answer, clock: &Clock) -> Result<Login, CliError> {
        if answer.state.as_deref() != Some(&attempt.state) {
            return Err(CliError::Failed("the answer does not belong to this login; log in again".to_owned()));
        }
        if answer.iss.as_deref().is_some_and(|iss| iss != self.provider.issuer) {
            return Err(CliError::Failed("another identity provider answered (RFC 9207); log in again".to_owned()));
        }
        if let Some(error) = answer.error {
            let why = answer.error_description.unwrap_or_default();
            return Err(CliError::Denied(Box::new(muster_domain::refusal::refusal(
                "LOGIN_REFUSED",
                "the identity provider refused the login",
                format!("{error} {why}").trim(),
                "",
                "correct the name, or ask the people who run the identity provider",
            ))));
        }
        let Some(code) = answer.code else {
            return Err(CliError::Failed("the answer has no code; log in again".to_owned()));
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &attempt.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", &attempt.verifier),
        ];
        let tokens = self.tokens(&form).await?;
        self.check_id_token(tokens.id_token.as_deref(), &attempt.nonce)?;
        Ok(self.login(tokens, clock.now()))
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, CliError> {
        let answer = self.http.post(&self.provider.token_endpoint).form(form).send().await;
        let answer = answer.map_err(|error| no_answer(&self.provider.issuer, &error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| no_answer(&self.provider.issuer, &error))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|_| CliError::Failed("the identity provider's tokens cannot be read".to_owned()));
        }
        let why = serde_json::from_slice::<OAuthError>(&body).map(|e| format!("{} {}", e.error, e.error_description));
        Err(CliError::Failed(format!(
            "the identity provider gave no token: {}",
            why.unwrap_or_else(|_| status.to_string()).trim()
        )))
    }

    /// It came straight from the token endpoint, so its signature adds nothing (OpenID Connect Core 3.1.3.7, 6).
    fn check_id_token(&self, token: Option<&str>, nonce: &str) -> Result<(), CliError> {
        let Some(token) = token else {
            return Err(CliError::Failed("the identity provider sent no ID token".to_owned()));
        };
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = payload.and_then(|json| serde_json::from_slice::<IdClaims>(&json).ok());
        let ours = claims.is_some_and(|claims| {
            let audience = match &claims.aud {
                serde_json::Value::String(one) => one == &self.client_id,
                serde_json::Value::Array(many) => many.iter().any(|one| one == &self.client_id),
                _ => false,
            };
            claims.iss == self.provider.issuer && audience && claims.nonce.as_deref() == Some(nonce)
        });
        if ours {
            Ok(())
        } else {
            Err(CliError::Failed("the ID token does not belong to this login; log in again".to_owned()))
        }
    }

    fn login(&self, tokens: Tokens, now: Timestamp) -> Login {
        let lifetime =
            SignedDuration::from_secs(tokens.expires_in.unwrap_or(ASSUMED_LIFETIME_S).clamp(0, 365 * 86_400));
        Login {
            issuer: self.provider.issuer.clone(),
            client_id: self.client_id.clone(),
            scope: self.scope.clone(),
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_at: now + lifetime,
            login_as: None,
        }
    }
}

/// The parameters of a redirect.
pub(super) fn from_query(url: &Url) -> Answer {
    let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Answer {
        code: get("code"),
        state: get("state"),
        iss: get("iss"),
        error: get("error"),
        error_description: get("error_description"),
    }
}

fn no_answer(issuer: &str, error: &reqwest::Error) -> CliError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    CliError::unavailable(
        format!("the identity provider {issuer} does not answer"),
        cause.to_string(),
        "check the address, or try again later",
    )
}
