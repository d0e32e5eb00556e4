//! OpenID Connect: authorization code with PKCE. The token is checked by the API at every call; what
//! is checked here is that the answer belongs to the question this browser asked.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use muster_runtime::{Context, config};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{
    Console, ConsoleError,
    error::{PageError, shown},
    session::{http_only_cookie, named_cookie, random_key},
};

/// State, verifier and way back of one login that is under way; it lives in the browser for minutes.
const LOGIN_COOKIE: &str = "muster_login";
const LOGIN_SECONDS: i64 = 600;
/// The provider answers within seconds or not at all.
const PROVIDER_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) struct Login {
    issuer: config::Issuer,
    client_id: String,
    public_url: String,
    http: reqwest::Client,
    context: Context,
}

#[derive(Deserialize)]
struct Discovery {
    authorization_endpoint: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct Begin {
    #[serde(default)]
    back_to: String,
    #[serde(default)]
    login_hint: String,
    /// A decision asks for a login of its own, with a second factor.
    #[serde(default)]
    step_up: bool,
}

#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Login {
    pub(crate) fn new(context: &Context) -> Result<Self, ConsoleError> {
        let with_client = context.config.auth.issuers.iter().find(|issuer| issuer.client_id.is_some());
        let issuer = with_client.ok_or(ConsoleError::NoIssuer)?.clone();
        let http =
            reqwest::Client::builder().timeout(PROVIDER_LIMIT).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self {
            client_id: issuer.client_id.clone().unwrap_or_default(),
            public_url: context.config.server.public_url.trim_end_matches('/').to_owned(),
            issuer,
            http,
            context: context.clone(),
        })
    }

    pub(crate) fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    fn redirect_uri(&self) -> String {
        format!("{}/callback", self.public_url)
    }

    async fn discover(&self) -> Result<Discovery, reqwest::Error> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.issuer.trim_end_matches('/'));
        self.http.get(address).send().await?.error_for_status()?.json().await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Result<Tokens, reqwest::Error> {
        let provider = self.discover().await?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri()),
            ("client_id", self.client_id.clone()),
            ("code_verifier", verifier.to_owned()),
        ];
        if let Ok(Some(secret)) = self.context.secrets.resolve_system(self.issuer.client_secret_ref.as_deref()) {
            use secrecy::ExposeSecret as _;
            form.push(("client_secret", secret.expose_secret().to_owned()));
        }
        self.http.post(provider.token_endpoint).form(&form).send().await?.error_for_status()?.json().await
    }
}

/// GET /login: to the identity provider.
pub(crate) async fn begin(State(console): State<Arc<Console>>, Query(asked): Query<Begin>) -> Response {
    let login = &console.login;
    let provider = match login.discover().await {
        Ok(provider) => provider,
        Err(e) => return provider_trouble(&console, &e),
    };
    let (state, verifier) = (random_key(), random_key());
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let Ok(mut address) = url::Url::parse(&provider.authorization_endpoint) else {
        return shown(
            &console,
            Err(tonic::Status::unavailable("the identity provider names no usable login address").into()),
        );
    };
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &login.client_id)
        .append_pair("redirect_uri", &login.redirect_uri())
        .append_pair("scope", &login.issuer.scopes.join(" "))
        .append_pair("state", &state)
        .append_pair("nonce", &random_key())
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if !asked.login_hint.is_empty() {
        address.query_pairs_mut().append_pair("login_hint", &asked.login_hint);
    }
    if asked.step_up {
        // OpenID Connect Core, 3.1.2.1: whoever is logged in at the provider logs in again.
        address.query_pairs_mut().append_pair("prompt", "login").append_pair("max_age", "0");
        if !login.issuer.step_up_acr.is_empty() {
            address.query_pairs_mut().append_pair("acr_values", &login.issuer.step_up_acr.join(" "));
        }
    }
    let back_to = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(local_path(&asked.back_to));
    let cookie =
        http_only_cookie(LOGIN_COOKIE, &format!("{state}.{verifier}.{back_to}"), LOGIN_SECONDS, login.secure());
    ([(header::SET_COOKIE, cookie)], Redirect::to(address.as_str())).into_response()
}

/// GET /callback: back from the identity provider.
pub(crate) async fn finish(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let refuse = |why: String| shown(&console, Err(PageError::Api(tonic::Status::unauthenticated(why))));
    if !answer.error.is_empty() {
        return refuse(format!(
            "The identity provider did not log you in: {} {}",
            answer.error, answer.error_description
        ));
    }
    let asked = named_cookie(&headers, LOGIN_COOKIE).unwrap_or_default();
    let mut parts = asked.splitn(3, '.');
    let (state, verifier, back_to) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if state.is_empty() || state != answer.state {
        return refuse("This login was not begun in this browser, or it took too long. Log in again.".into());
    }
    let tokens = match console.login.exchange(&answer.code, verifier).await {
        Ok(tokens) => tokens,
        Err(e) => return provider_trouble(&console, &e),
    };
    let now = console.context.clock.now();
    let ends = now + SignedDuration::from_secs(tokens.expires_in.unwrap_or(3_600).clamp(0, 86_400));
    let secure = console.login.secure();
    // A login takes the place of the one before: its session must not live on under another cookie.
    console.sessions.close(&headers, secure);
    let session = console.sessions.open(tokens.access_token, ends, now, secure);
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(back_to).unwrap_or_default();
    let target = local_path(&String::from_utf8_lossy(&decoded));
    let mut response = Redirect::to(&target).into_response();
    response.headers_mut().append(header::SET_COOKIE, session);
    response.headers_mut().append(header::SET_COOKIE, http_only_cookie(LOGIN_COOKIE, "", 0, secure));
    response
}

/// POST /logout
pub(crate) async fn logout(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    if from_elsewhere(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let cookie = console.sessions.close(&headers, console.login.secure());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/logged-out")).into_response()
}

/// No other site sends our cookie, but another port or a sibling of this host is the same site to a browser: its page could
/// log somebody out in the middle of a run. Our own form names no origin, since our pages tell nobody where they are.
fn from_elsewhere(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => site != "same-origin" && site != "none",
        (None, None | Some("null")) => false,
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) != said("host"),
    }
}

fn provider_trouble(console: &Console, error: &reqwest::Error) -> Response {
    tracing::warn!(error = %error, "the identity provider did not answer as expected");
    let what = "The identity provider did not answer. Nobody can log in until it does; sessions that are open go on.";
    shown(console, Err(PageError::Api(tonic::Status::unavailable(what))))
}

/// Only ever back to a page of ours. Browsers drop tabs and line ends from an address before they read it, so that
/// "/<tab>/evil.example" is "//evil.example" to them: no control character passes.
fn local_path(wanted: &str) -> String {
    let ours =
        wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains(|c: char| c == '\\' || c.is_control());
    if ours { wanted.to_owned() } else { "/".to_owned() }
}

/// The person behind this request, or the way to the login.
pub(crate) fn person(
    console: &Console,
    headers: &HeaderMap,
    back_to: &str,
) -> Result<crate::session::Session, PageError> {
    let now: Timestamp = console.context.clock.now();
    console.sessions.find(headers, now).ok_or_else(|| PageError::LoggedOut { back_to: back_to.to_owned() })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{from_elsewhere, local_path};

    #[test]
    fn only_our_own_page_logs_somebody_out() {
        let asked = |headers: &[(&'static str, &'static str)]| {
            let named = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            from_elsewhere(&headers.iter().map(named).collect::<HeaderMap>())
        };
        let host = ("host", "muster.example:7400");
        assert!(!asked(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(!asked(&[host, ("origin", "http://muster.example:7400")]) && !asked(&[host]));
        assert!(asked(&[host, ("sec-fetch-site", "same-site"), ("origin", "null")]), "another port of the same host");
        assert!(asked(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(asked(&[host, ("origin", "https://evil.example")]) && asked(&[host, ("origin", "evil")]));
    }

    #[test]
    fn a_login_never_leads_elsewhere() {
        assert_eq!(local_path("/t/acme"), "/t/acme");
        for elsewhere in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/x\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(local_path(elsewhere), "/");
        }
    }
}
