//! An identity provider: keys over HTTP, and tokens for people with groups.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Json, Router, routing::get};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use muster_runtime::config::{self, RoleName};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const AUDIENCE: &str = "muster-api";
const KEY_ID: &str = "k1";

pub(crate) struct Issuer {
    url: String,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(KEY_ID.into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (discovery, keys) = (json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }), json!({ "keys": [jwk] }));
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(move || async move { Json(discovery) }))
            .route("/keys", get(move || async move { Json(keys) }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, key }
    }

    /// Every role is a group of the same name in tenant acme; globex has an operator of its own.
    pub(crate) fn config(&self) -> config::Issuer {
        let mapping =
            |group: &str, tenant: &str, role| config::Mapping { group: group.into(), tenant: tenant.into(), role };
        config::Issuer {
            issuer: self.url.clone(),
            audience: AUDIENCE.into(),
            mappings: vec![
                mapping("viewer", "acme", RoleName::Viewer),
                mapping("operator", "acme", RoleName::Operator),
                mapping("it", "acme", RoleName::ApproverIt),
                mapping("business", "acme", RoleName::ApproverBusiness),
                mapping("admin", "acme", RoleName::Admin),
                mapping("globex-operator", "globex", RoleName::Operator),
                mapping("globex-it", "globex", RoleName::ApproverIt),
            ],
            ..config::Issuer::default()
        }
    }

    pub(crate) fn token(&self, subject: &str, groups: &[&str], is_machine: bool) -> String {
        let client = if is_machine { json!({ "client_id": subject }) } else { json!({}) };
        self.token_with(subject, groups, client)
    }

    /// Of somebody who logged in so many seconds ago, with a second factor.
    pub(crate) fn step_up_token(&self, subject: &str, groups: &[&str], seconds_ago: i64) -> String {
        let at = Timestamp::now().as_second() - seconds_ago;
        self.token_with(subject, groups, json!({ "auth_time": at, "amr": ["pwd", "otp"] }))
    }

    /// The stable id of a person.
    pub(crate) fn person(&self, subject: &str) -> String {
        format!("{}|{subject}", self.url)
    }

    fn token_with(&self, subject: &str, groups: &[&str], more: Value) -> String {
        let now = Timestamp::now().as_second();
        let mut claims = json!({
            "iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600, "name": subject, "groups": groups,
        });
        if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
            claims.extend(more);
        }
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(KEY_ID.into());
        header.typ = Some("at+jwt".into());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}
