//! The token endpoint: a code and its proof for an ID token and an access token.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    Form, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Issuer, Shared,
    codes::{Grant, random},
};
use crate::config::{LOCAL_STEP_UP, Person};

/// A working day. There are no refresh tokens here.
const LIFETIME_S: i64 = 8 * 3600;
/// RFC 7636, 4.1.
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenRequest {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: String,
    code_verifier: String,
}

#[derive(Debug, Serialize)]
struct TokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    auth_time: i64,
    /// RFC 8176 "user": somebody was there. Nothing was proven.
    amr: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    name: &'a str,
    preferred_username: &'a str,
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    jti: String,
}

pub(super) async fn token(State(issuer): Shared, Form(request): Form<TokenRequest>) -> Response {
    let outcome = exchange(&issuer, &request);
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    match outcome {
        Ok(tokens) => (no_store, Json(tokens)).into_response(),
        Err((error, description)) => {
            let body = json!({ "error": error, "error_description": description });
            (StatusCode::BAD_REQUEST, no_store, Json(body)).into_response()
        }
    }
}

type OAuthError = (&'static str, &'static str);

fn exchange(issuer: &Issuer, request: &TokenRequest) -> Result<serde_json::Value, OAuthError> {
    if request.grant_type != "authorization_code" {
        return Err(("unsupported_grant_type", "only authorization_code is supported"));
    }
    if !issuer.knows_client(&request.client_id) {
        return Err(("invalid_client", "this client is not known"));
    }
    let grant =
        issuer.codes.redeem(&request.code).ok_or(("invalid_grant", "the code is unknown, used or older than 60 s"))?;
    if grant.client_id != request.client_id || grant.redirect_uri != request.redirect_uri {
        return Err(("invalid_grant", "client_id and redirect_uri must be those of the authorization request"));
    }
    if !is_proven(&request.code_verifier, &grant.code_challenge) {
        return Err(("invalid_grant", "code_verifier does not fit code_challenge"));
    }
    let person = issuer.person(&grant.person).ok_or(("invalid_grant", "this person no longer exists"))?;
    issue(issuer, &grant, person).ok_or(("server_error", "the tokens cannot be signed"))
}

fn issue(issuer: &Issuer, grant: &Grant, person: &Person) -> Option<serde_json::Value> {
    let now = issuer.clock.now().as_second();
    let claims = |audience, nonce, client_id, scope| -> Option<TokenClaims<'_>> {
        Some(TokenClaims {
            iss: &issuer.url,
            sub: &person.name,
            aud: audience,
            iat: now,
            exp: now + LIFETIME_S,
            auth_time: grant.auth_time.as_second(),
            amr: ["user"],
            acr: grant.step_up.then_some(LOCAL_STEP_UP),
            name: if person.display_name.is_empty() { &person.name } else { &person.display_name },
            preferred_username: &person.name,
            groups: &person.groups,
            nonce,
            client_id,
            scope,
            jti: random()?,
        })
    };
    let access = claims(issuer.audience(), None, Some(grant.client_id.as_str()), Some(grant.scope.as_str()))?;
    let id = claims(&grant.client_id, grant.nonce.as_deref(), None, None)?;
    Some(json!({
        "access_token": issuer.key.sign("at+jwt", &access).ok()?,
        "id_token": issuer.key.sign("JWT", &id).ok()?,
        "token_type": "Bearer",
        "expires_in": LIFETIME_S,
        "scope": grant.scope,
    }))
}

/// RFC 7636, 4.6.
fn is_proven(verifier: &str, challenge: &str) -> bool {
    let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    VERIFIER_LENGTH.contains(&verifier.len()) && verify_slices_are_equal(hash.as_bytes(), challenge.as_bytes()).is_ok()
}
