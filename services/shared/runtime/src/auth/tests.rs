#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use muster_domain::pb::common::v1::{ActorKind, Role};
use serde_json::{Value, json};

use super::AuthError;
use crate::{
    config,
    testing::{TestIssuer, TestKey},
};

async fn es256() -> (TestKey, TestIssuer) {
    let key = TestKey::new("k1", Algorithm::ES256);
    let issuer = TestIssuer::start(&[&key]).await;
    (key, issuer)
}

/// The error for a token whose claims were changed.
async fn refusal_for(change: impl FnOnce(&mut Value)) -> AuthError {
    let (key, issuer) = es256().await;
    let mut claims = issuer.claims("olga", &["ops"]);
    change(&mut claims);
    issuer.authenticator().verify(&key.sign(&claims)).await.unwrap_err()
}

#[tokio::test]
async fn a_good_token_says_who_and_what() {
    let (key, issuer) = es256().await;
    let token = key.sign(&issuer.claims("olga", &["ops", "cab", "unknown group"]));
    let caller = issuer.authenticator().verify(&token).await.unwrap();
    assert_eq!(caller.id, format!("{}|olga", issuer.url));
    assert_eq!(caller.name, "olga of the tests");
    assert_eq!(caller.kind, ActorKind::Person);
    assert_eq!(caller.roles_in(&"acme".parse().unwrap()), [Role::Operator, Role::ApproverIt]);
    assert!(caller.roles_in(&"globex".parse().unwrap()).is_empty());
}

#[tokio::test]
async fn every_accepted_algorithm_verifies() {
    for algorithm in [Algorithm::ES256, Algorithm::RS256, Algorithm::PS256, Algorithm::EdDSA] {
        let key = TestKey::new("k", algorithm);
        let issuer = TestIssuer::start(&[&key]).await;
        let verified = issuer.authenticator().verify(&key.sign(&issuer.claims("olga", &[]))).await;
        assert!(verified.is_ok(), "{algorithm:?}: {verified:?}");
    }
}

#[tokio::test]
async fn wrong_claims_are_refused() {
    assert!(matches!(refusal_for(|c| c["aud"] = json!("muster")).await, AuthError::Audience { .. }));
    assert!(matches!(refusal_for(|c| c["aud"] = json!(["a", "b"])).await, AuthError::Audience { .. }));
    assert!(matches!(refusal_for(|c| c["aud"] = Value::Null).await, AuthError::ClaimMissing("aud")));
    assert!(matches!(refusal_for(|c| c["exp"] = Value::Null).await, AuthError::ClaimMissing("exp")));
    assert!(matches!(refusal_for(|c| c["exp"] = json!("soon")).await, AuthError::ClaimMissing("exp")));
    assert!(matches!(refusal_for(|c| c["sub"] = json!("")).await, AuthError::ClaimMissing("sub")));
    assert!(matches!(refusal_for(|c| c["iss"] = Value::Null).await, AuthError::ClaimMissing("iss")));
    assert!(matches!(refusal_for(|c| c["iss"] = json!("https://evil.example")).await, AuthError::IssuerUnknown { .. }));
    // Byte for byte: one slash more is another issuer.
    let slash = |c: &mut Value| c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap()));
    assert!(matches!(refusal_for(slash).await, AuthError::IssuerUnknown { .. }));
}

#[tokio::test]
async fn times_count_with_at_most_a_minute_of_skew() {
    let (key, issuer) = es256().await;
    let auth = issuer.authenticator();
    let now = issuer.clock.now().as_second();
    let with = |claim: &str, at: i64| {
        let mut claims = issuer.claims("olga", &[]);
        claims[claim] = json!(at);
        key.sign(&claims)
    };
    assert!(auth.verify(&with("exp", now - 59)).await.is_ok());
    assert!(matches!(auth.verify(&with("exp", now - 60)).await, Err(AuthError::Expired { .. })));
    assert!(auth.verify(&with("nbf", now + 60)).await.is_ok());
    assert!(matches!(auth.verify(&with("nbf", now + 61)).await, Err(AuthError::NotYetValid { .. })));
}

#[tokio::test]
async fn groups_that_are_missing_are_not_groups_that_are_empty() {
    let (key, issuer) = es256().await;
    let auth = issuer.authenticator();
    let none = auth.verify(&key.sign(&issuer.claims("olga", &[]))).await.unwrap();
    assert!(none.tenants.is_empty());

    let remove = |c: &mut Value| drop(c.as_object_mut().unwrap().remove("groups"));
    assert!(matches!(refusal_for(remove).await, AuthError::GroupsMissing { .. }));
    assert!(matches!(refusal_for(|c| c["groups"] = Value::Null).await, AuthError::GroupsMissing { .. }));
    assert!(matches!(refusal_for(|c| c["groups"] = json!({"a": 1})).await, AuthError::GroupsMalformed { .. }));
    assert!(matches!(refusal_for(|c| c["groups"] = json!(["ops", 7])).await, AuthError::GroupsMalformed { .. }));
}

#[tokio::test]
async fn too_many_groups_for_a_token_are_said_so() {
    let pointer = |c: &mut Value| {
        c.as_object_mut().unwrap().remove("groups");
        c["_claim_names"] = json!({"groups": "src1"});
        c["_claim_sources"] = json!({"src1": {"endpoint": "https://graph.windows.net/x"}});
    };
    assert_eq!(refusal_for(pointer).await, AuthError::GroupsOverage);
    assert_eq!(refusal_for(|c| c["hasgroups"] = json!(true)).await, AuthError::GroupsOverage);
}

#[tokio::test]
async fn groups_are_found_by_path_and_by_url() {
    let (key, issuer) = es256().await;
    let mut claims = issuer.claims("olga", &[]);
    claims["realm_access"] = json!({"roles": ["ops"]});
    claims["https://muster.example/groups"] = json!(["cab"]);
    let token = key.sign(&claims);
    for (claim, role) in [("realm_access.roles", Role::Operator), ("https://muster.example/groups", Role::ApproverIt)] {
        let auth = issuer.authenticator_with(|i| i.groups_claim = claim.to_owned());
        assert_eq!(auth.verify(&token).await.unwrap().roles_in(&"acme".parse().unwrap()), [role]);
    }
}

#[tokio::test]
async fn alg_none_is_refused() {
    let (_, issuer) = es256().await;
    let claims = URL_SAFE_NO_PAD.encode(issuer.claims("olga", &["ops"]).to_string());
    for alg in ["none", "None", "HS999"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": "k1"}).to_string());
        for signature in ["", "AAAA"] {
            let error = issuer.authenticator().verify(&format!("{header}.{claims}.{signature}")).await.unwrap_err();
            assert_eq!(error, AuthError::Algorithm { found: alg.to_owned() });
        }
    }
}

/// The classic confusion: the public key, which everybody has, used as an HMAC secret.
#[tokio::test]
async fn hs256_with_the_public_key_is_refused() {
    let rsa = TestKey::new("k1", Algorithm::RS256);
    let issuer = TestIssuer::start(&[&rsa]).await;
    let jwk = rsa.jwk();
    for secret in [jwk["n"].as_str().unwrap().to_owned(), jwk.to_string()] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("k1".to_owned());
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&header, &issuer.claims("olga", &["ops"]), &key).unwrap();
        let error = issuer.authenticator().verify(&token).await.unwrap_err();
        assert_eq!(error, AuthError::Algorithm { found: "HS256".to_owned() });
    }
}

#[tokio::test]
async fn a_published_symmetric_key_is_never_used() {
    let (key, issuer) = es256().await;
    issuer.publish_raw(vec![
        json!({"kty": "oct", "kid": "k1", "k": "AAAA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "k2", "x": "A", "y": "B"}),
    ]);
    let error = issuer.authenticator().verify(&key.sign(&issuer.claims("olga", &[]))).await.unwrap_err();
    assert!(matches!(error, AuthError::KeysUnavailable { .. }), "{error}");
}

#[tokio::test]
async fn an_algorithm_must_fit_the_key_and_the_list() {
    let ec = TestKey::new("same-id", Algorithm::ES256);
    let rsa = TestKey::new("same-id", Algorithm::RS256);
    let issuer = TestIssuer::start(&[&ec]).await;
    let with_wrong_key_type = rsa.sign(&issuer.claims("olga", &[]));
    assert!(matches!(issuer.authenticator().verify(&with_wrong_key_type).await, Err(AuthError::KeyUnknown { .. })));
    let not_listed = issuer.authenticator_with(|i| i.accepted_algorithms = vec![config::Algorithm::PS256]);
    assert!(matches!(not_listed.verify(&ec.sign(&issuer.claims("olga", &[]))).await, Err(AuthError::Algorithm { .. })));
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let (key, issuer) = es256().await;
    let token = key.sign(&issuer.claims("olga", &["view"]));
    let mut parts: Vec<&str> = token.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(issuer.claims("olga", &["ops"]).to_string());
    parts[1] = &forged;
    let auth = issuer.authenticator();
    assert_eq!(auth.verify(&parts.join(".")).await.unwrap_err(), AuthError::Signature);
    let stranger = TestKey::new("k1", Algorithm::ES256);
    assert_eq!(auth.verify(&stranger.sign(&issuer.claims("olga", &["ops"]))).await.unwrap_err(), AuthError::Signature);
}

#[tokio::test]
async fn other_kinds_of_tokens_are_refused() {
    let (key, issuer) = es256().await;
    let (auth, claims) = (issuer.authenticator(), issuer.claims("olga", &[]));
    for (typ, accepted) in [
        (None, true),
        (Some("JWT"), true),
        (Some("at+JWT"), true),
        (Some("logout+jwt"), false),
        (Some("dpop+jwt"), false),
    ] {
        let token = key.sign_with(&claims, |h| h.typ = typ.map(str::to_owned));
        assert_eq!(auth.verify(&token).await.is_ok(), accepted, "{typ:?}");
    }
    let critical = key.sign_with(&claims, |h| h.crit = Some(vec!["exp".to_owned()]));
    assert!(matches!(auth.verify(&critical).await, Err(AuthError::Malformed(_))));
    for garbage in ["", "a", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(20_000)] {
        assert!(auth.verify(garbage).await.is_err());
    }
}

#[tokio::test]
async fn machines_are_recognised() {
    let (key, issuer) = es256().await;
    let auth = issuer.authenticator();
    let signs: [(&str, &str, Value); 7] = [
        ("client-7", "client_id", json!("client-7")),
        ("client-7", "azp", json!("client-7")),
        ("x", "idtyp", json!("app")),
        ("oid-1", "oid", json!("oid-1")),
        ("abc@clients", "gty", json!("client-credentials")),
        ("0b1c", "preferred_username", json!("service-account-ci")),
        ("system:serviceaccount:ci:deployer", "kubernetes.io", json!({})),
    ];
    for (subject, claim, value) in signs {
        let mut claims = issuer.claims(subject, &["ops"]);
        claims[claim] = value;
        assert_eq!(auth.verify(&key.sign(&claims)).await.unwrap().kind, ActorKind::Machine, "{claim}");
    }
    let mut person = issuer.claims("olga", &["ops"]);
    person["azp"] = json!("console");
    person["oid"] = json!("another-id");
    assert_eq!(auth.verify(&key.sign(&person)).await.unwrap().kind, ActorKind::Person);
}

#[tokio::test]
async fn a_rotated_key_is_found_with_one_fetch_a_minute() {
    let (old, issuer) = es256().await;
    let auth = issuer.authenticator();
    let old_token = old.sign(&issuer.claims("olga", &[]));
    auth.verify(&old_token).await.unwrap();
    assert_eq!(issuer.fetches(), 1);

    let new = TestKey::new("k2", Algorithm::ES256);
    issuer.publish(&[&new]);
    issuer.time.advance(SignedDuration::from_secs(61));
    auth.verify(&new.sign(&issuer.claims("olga", &[]))).await.unwrap();
    assert_eq!(issuer.fetches(), 2);
    // Withdrawn.
    assert!(matches!(auth.verify(&old_token).await, Err(AuthError::KeyUnknown { .. })));

    // Strangers with invented key ids do not drive fetches.
    for n in 0..20 {
        let stranger = TestKey::new(&format!("invented-{n}"), Algorithm::ES256);
        assert!(matches!(
            auth.verify(&stranger.sign(&issuer.claims("m", &[]))).await,
            Err(AuthError::KeyUnknown { .. })
        ));
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn known_keys_survive_an_outage_for_a_day() {
    let (key, issuer) = es256().await;
    let auth = issuer.authenticator();
    auth.verify(&key.sign(&issuer.claims("olga", &[]))).await.unwrap();
    issuer.set_down(true);
    issuer.time.advance(SignedDuration::from_hours(23));
    auth.verify(&key.sign(&issuer.claims("olga", &[]))).await.unwrap();
    issuer.time.advance(SignedDuration::from_hours(2));
    let token = key.sign(&issuer.claims("olga", &[]));
    assert!(matches!(auth.verify(&token).await, Err(AuthError::KeysUnavailable { .. })));
    issuer.set_down(false);
    issuer.time.advance(SignedDuration::from_secs(61));
    auth.verify(&token).await.unwrap();
}

#[tokio::test]
async fn many_first_callers_share_one_fetch() {
    let (key, issuer) = es256().await;
    let auth = issuer.authenticator();
    let token = key.sign(&issuer.claims("olga", &[]));
    let all = futures::future::join_all((0..50).map(|_| auth.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let (key, issuer) = es256().await;
    // The same server under another name: its document does not say that name.
    let other = issuer.url.replace("127.0.0.1", "localhost");
    let auth = issuer.authenticator_with(|i| i.issuer = other.clone());
    let mut claims = issuer.claims("olga", &[]);
    claims["iss"] = json!(other);
    let error = auth.verify(&key.sign(&claims)).await.unwrap_err();
    assert!(
        matches!(&error, AuthError::KeysUnavailable { problem, .. } if problem.contains("another issuer")),
        "{error}"
    );
}
