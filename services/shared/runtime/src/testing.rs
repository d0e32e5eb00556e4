//! An identity provider for this crate's tests: real HTTP, keys that can be rotated, tokens that can be wrong.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Clock, auth::Authenticator, clock::ManualTime, config};

pub(crate) const AUDIENCE: &str = "muster-api";

/// A private key and what is published of it.
#[derive(Clone)]
pub(crate) struct TestKey {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) private: EncodingKey,
}

impl TestKey {
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let private = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap().as_ref(),
            ),
            // PKCS#8 version 1: the 48-byte form without the public key.
            Algorithm::EdDSA => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
            _ => EncodingKey::from_rsa_der(&rsa_pkcs1()),
        };
        Self { id: id.to_owned(), algorithm, private }
    }

    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        // An RSA key of a provider usually serves both paddings.
        jwk.common.key_algorithm = None;
        serde_json::to_value(jwk).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(claims, |_| {})
    }

    pub(crate) fn sign_with(&self, claims: &Value, change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        header.typ = Some("at+jwt".to_owned());
        change(&mut header);
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// jsonwebtoken wants PKCS#1, which stands inside the PKCS#8 form after a header of 26 bytes for 2048-bit keys.
fn rsa_pkcs1() -> Vec<u8> {
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'static> = key.as_der().unwrap();
    pkcs8.as_ref()[26..].to_vec()
}

pub(crate) struct TestIssuer {
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) time: Arc<ManualTime>,
    published: Arc<Published>,
}

#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    fetches: AtomicUsize,
    down: AtomicBool,
}

impl TestIssuer {
    pub(crate) async fn start(keys: &[&TestKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let published = Arc::new(Published::default());
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let app = Router::new()
            .route("/realm/.well-known/openid-configuration", get(move || async move { Json(discovery) }))
            .route("/realm/keys", get(serve_keys))
            .with_state(published.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (clock, time) = Clock::manual("2026-06-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let issuer = Self { url, clock, time, published };
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&TestKey]) {
        self.publish_raw(keys.iter().map(|key| key.jwk()).collect());
    }

    pub(crate) fn publish_raw(&self, keys: Vec<Value>) {
        *self.published.keys.lock().unwrap() = keys;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.published.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.published.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn config(&self) -> config::Issuer {
        let mapping = |group: &str, tenant: &str, role| config::Mapping {
            group: group.to_owned(),
            tenant: tenant.to_owned(),
            role,
        };
        config::Issuer {
            issuer: self.url.clone(),
            audience: AUDIENCE.to_owned(),
            mappings: vec![
                mapping("ops", "acme", config::RoleName::Operator),
                mapping("cab", "acme", config::RoleName::ApproverIt),
                mapping("view", "globex", config::RoleName::Viewer),
            ],
            ..config::Issuer::default()
        }
    }

    pub(crate) fn authenticator(&self) -> Authenticator {
        self.authenticator_with(|_| {})
    }

    pub(crate) fn authenticator_with(&self, change: impl FnOnce(&mut config::Issuer)) -> Authenticator {
        let mut issuer = self.config();
        change(&mut issuer);
        let auth = config::Auth { issuers: vec![issuer], ..config::Auth::default() };
        Authenticator::new(&auth, self.clock.clone()).unwrap()
    }

    /// Claims of a good token, for a person in the given groups.
    pub(crate) fn claims(&self, subject: &str, groups: &[&str]) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600,
            "name": format!("{subject} of the tests"), "groups": groups,
        })
    }
}

async fn serve_keys(State(published): State<Arc<Published>>) -> impl IntoResponse {
    published.fetches.fetch_add(1, Ordering::SeqCst);
    if published.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys = published.keys.lock().unwrap().clone();
    ([("cache-control", "max-age=3600")], Json(json!({ "keys": keys }))).into_response()
}
