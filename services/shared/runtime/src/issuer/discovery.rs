//! What clients read first (OpenID Connect Discovery 1.0).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde_json::json;

use super::Shared;

pub(super) async fn configuration(State(issuer): Shared) -> impl IntoResponse {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/logout"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "acr", "name", "preferred_username", "groups"],
        "acr_values_supported": [crate::config::LOCAL_STEP_UP],
        "authorization_response_iss_parameter_supported": true,
    }))
}

pub(super) async fn keys(State(issuer): Shared) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=3600")], Json(json!({ "keys": [issuer.key.public()] })))
}
