//! The authorization endpoint: choose who you are, get a code.

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use url::Url;

use super::{Issuer, Shared, codes::Grant, page, redirect};

/// A SHA-256 in base64url.
const CHALLENGE_LENGTH: usize = 43;
/// What a client may have us send back or keep.
const MAX_ECHO: usize = 2_048;

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct AuthorizeRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    /// Who to be, without asking: for the command line and tests.
    login_hint: Option<String>,
    /// "login": somebody has to choose, whatever the hint says.
    prompt: Option<String>,
    /// Every login here is made for the request, so any age is fresh enough.
    max_age: Option<u32>,
    /// What the client wants to be told about the login.
    acr_values: Option<String>,
}

/// Answers with the page to choose from, or with a redirect that carries the code.
pub(super) async fn authorize(State(issuer): Shared, Query(request): Query<AuthorizeRequest>) -> Response {
    // Until client and redirect are known to be good, nothing may be sent anywhere (RFC 6749, 4.1.2.1).
    if !issuer.knows_client(&request.client_id) {
        return bad(&format!(
            "client_id '{}' is not known here; use '{}'",
            request.client_id,
            crate::config::LOCAL_CLIENT
        ));
    }
    let Some(target) = redirect::allowed(&request.redirect_uri, &issuer.public_url) else {
        return bad("redirect_uri must be an http address of this machine");
    };
    if let Err((error, description)) = request.check() {
        return answer(
            target,
            &issuer,
            request.state.as_deref(),
            &[("error", error), ("error_description", description)],
        );
    }
    let hint = request.login_hint.as_deref().filter(|_| request.prompt.as_deref() != Some("login"));
    match hint {
        None => page::choose(&issuer, &request_query(&request)),
        Some(name) if issuer.person(name).is_some() => grant(&issuer, &request, name, target),
        Some(_) => answer(
            target,
            &issuer,
            request.state.as_deref(),
            &[("error", "access_denied"), ("error_description", "nobody of that name in local.people")],
        ),
    }
}

impl AuthorizeRequest {
    fn asks_for_step_up(&self) -> bool {
        let asked = self.acr_values.as_deref().unwrap_or_default();
        asked.split(' ').any(|value| value == crate::config::LOCAL_STEP_UP)
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.response_type != "code" {
            return Err(("unsupported_response_type", "only the authorization code flow is supported"));
        }
        if self.code_challenge_method != "S256" || self.code_challenge.len() != CHALLENGE_LENGTH {
            return Err(("invalid_request", "PKCE with code_challenge_method=S256 is required"));
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return Err(("invalid_scope", "the scope must contain openid"));
        }
        let echoed =
            [self.state.as_deref(), self.nonce.as_deref(), self.acr_values.as_deref(), Some(self.scope.as_str())];
        if echoed.into_iter().flatten().any(|text| text.len() > MAX_ECHO) {
            return Err(("invalid_request", "state, nonce, acr_values and scope may have 2048 bytes each"));
        }
        if self.prompt.as_deref() == Some("none") {
            // OpenID Connect Core, 3.1.2.6: nobody stays logged in here.
            return Err(("login_required", "the local issuer keeps no sessions"));
        }
        Ok(())
    }
}

fn grant(issuer: &Issuer, request: &AuthorizeRequest, person: &str, target: Url) -> Response {
    let grant = Grant {
        person: person.to_owned(),
        client_id: request.client_id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        scope: request.scope.clone(),
        step_up: request.asks_for_step_up(),
        auth_time: issuer.clock.now(),
    };
    match issuer.codes.issue(grant) {
        Some(code) => answer(target, issuer, request.state.as_deref(), &[("code", &code)]),
        None => answer(target, issuer, request.state.as_deref(), &[("error", "temporarily_unavailable")]),
    }
}

/// Back to the client, with who we are (RFC 9207).
fn answer(mut target: Url, issuer: &Issuer, state: Option<&str>, parameters: &[(&str, &str)]) -> Response {
    {
        let mut query = target.query_pairs_mut();
        query.extend_pairs(parameters);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &issuer.url);
    }
    redirect_to(&target)
}

/// 303: the browser asks with GET, whatever it did before.
fn redirect_to(target: &Url) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, target.as_str()), (header::CACHE_CONTROL, "no-store")]).into_response()
}

fn request_query(request: &AuthorizeRequest) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("response_type", &request.response_type)
        .append_pair("client_id", &request.client_id)
        .append_pair("redirect_uri", &request.redirect_uri)
        .append_pair("scope", &request.scope)
        .append_pair("code_challenge", &request.code_challenge)
        .append_pair("code_challenge_method", &request.code_challenge_method);
    // Without `prompt`: the choice is the answer to it.
    for (name, value) in [("state", &request.state), ("nonce", &request.nonce), ("acr_values", &request.acr_values)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

fn bad(problem: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("the login cannot begin: {problem}\n")).into_response()
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct EndSession {
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// There is no session here to end; the way back is what clients come for.
pub(super) async fn end_session(State(issuer): Shared, Query(request): Query<EndSession>) -> Response {
    let Some(uri) = request.post_logout_redirect_uri else { return page::logged_out() };
    let Some(mut target) = redirect::allowed(&uri, &issuer.public_url) else {
        return bad("post_logout_redirect_uri must be an http address of this machine");
    };
    if let Some(state) = request.state {
        target.query_pairs_mut().append_pair("state", &state);
    }
    redirect_to(&target)
}
