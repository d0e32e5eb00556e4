#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use jsonwebtoken::Algorithm;
use muster_domain::{
    TenantId,
    pb::{
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
        readiness::v1::ListReadinessRequest,
        request::v1::{ApproveRequestRequest, OpenRequestRequest},
    },
    refusal::refusal,
};
use muster_eventlog::Meta;
use tonic::{Code, Request};

use super::{Access, DenialSink, SinkError};
use crate::{
    status::refusal_of,
    testing::{TestIssuer, TestKey},
};

/// A log with one tenant.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<(String, Meta, AttemptDenied)>>>);

#[async_trait]
impl DenialSink for Written {
    async fn tenant_exists(&self, tenant: &TenantId) -> Result<bool, SinkError> {
        Ok(["acme", "globex"].contains(&tenant.as_str()))
    }

    async fn append(&self, tenant: &TenantId, meta: Meta, event: DenialEvent) -> Result<(), SinkError> {
        let Some(denial_event::Event::Denied(denied)) = event.event else { return Err(SinkError("empty".to_owned())) };
        self.0.lock().unwrap().push((tenant.to_string(), meta, denied));
        Ok(())
    }
}

struct Fixture {
    key: TestKey,
    issuer: TestIssuer,
    access: Access,
    written: Written,
}

impl Fixture {
    async fn new() -> Self {
        let key = TestKey::new("k1", Algorithm::ES256);
        let issuer = TestIssuer::start(&[&key]).await;
        let written = Written::default();
        let access = Access::new(issuer.authenticator(), issuer.clock.clone(), written.clone());
        Self { key, issuer, access, written }
    }

    fn request<T>(&self, message: T, subject: &str, groups: &[&str]) -> Request<T> {
        let token = self.key.sign(&self.issuer.claims(subject, groups));
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    async fn written(&self) -> Vec<(String, Meta, AttemptDenied)> {
        self.access.flush().await;
        self.written.0.lock().unwrap().clone()
    }
}

fn open(tenant: &str) -> OpenRequestRequest {
    OpenRequestRequest { tenant: tenant.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn an_operator_of_the_tenant_may() {
    let f = Fixture::new().await;
    let call = f.access.authorize(f.request(open("acme"), "olga", &["ops"])).await.unwrap();
    assert_eq!((call.tenant.as_str(), call.method), ("acme", "muster.request.v1.ApprovalService/OpenRequest"));
    assert_eq!(call.actor.id, format!("{}|olga", f.issuer.url));
    assert_eq!(call.expires_at.duration_since(f.issuer.clock.now()).as_secs(), 600);
    let (first, again, other) = (call.meta("k").unwrap(), call.meta("k").unwrap(), call.meta("l").unwrap());
    assert_eq!(first, again);
    assert_ne!(first.event_id, other.event_id);
    assert!(f.written().await.is_empty());
}

#[tokio::test]
async fn without_a_token_the_answer_says_how_to_log_in() {
    let f = Fixture::new().await;
    let status = f.access.authorize(Request::new(open("acme"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let refusal = refusal_of(&status).unwrap();
    assert_eq!(refusal.code, "TOKEN_MISSING");
    assert!(refusal.next_action.contains("muster login") && refusal.limit.contains(&f.issuer.url), "{refusal:?}");
    assert_eq!(status.metadata().get("www-authenticate").unwrap(), "Bearer");
    assert!(f.written().await.is_empty());
}

#[tokio::test]
async fn a_missing_role_is_refused_and_recorded() {
    let f = Fixture::new().await;
    let status = f.access.authorize(f.request(open("acme"), "igor", &["cab"])).await.unwrap_err();
    assert_eq!((status.code(), refusal_of(&status).unwrap().code.as_str()), (Code::PermissionDenied, "ROLE_MISSING"));
    let written = f.written().await;
    let (tenant, meta, denied) = &written[0];
    assert_eq!((written.len(), tenant.as_str()), (1, "acme"));
    assert_eq!(denied.method, "muster.request.v1.ApprovalService/OpenRequest");
    assert_eq!(meta.actor.id, format!("{}|igor", f.issuer.url));
    assert_eq!(denied.refusal.as_ref().unwrap().code, "ROLE_MISSING");
}

#[tokio::test]
async fn a_missing_role_is_recorded_with_the_request_it_was_about() {
    let f = Fixture::new().await;
    let id = "0193a1b2-0000-7000-8000-000000000001";
    for (named, expected) in [(id, id), ("no id at all: <b>", ""), ("", "")] {
        let ask = ApproveRequestRequest { tenant: "acme".to_owned(), request_id: named.into(), ..Default::default() };
        let status = f.access.authorize(f.request(ask, "olga", &["ops"])).await.unwrap_err();
        assert_eq!(refusal_of(&status).unwrap().code, "ROLE_MISSING");
        let (_, _, denied) = f.written().await.pop().unwrap();
        assert_eq!(denied.request_id, expected, "{named}");
    }
}

#[tokio::test]
async fn a_machine_never_approves() {
    let f = Fixture::new().await;
    let mut claims = f.issuer.claims("ci", &["cab"]);
    claims["client_id"] = serde_json::json!("ci");
    let mut request = Request::new(ApproveRequestRequest { tenant: "acme".to_owned(), ..Default::default() });
    request.metadata_mut().insert("authorization", format!("bearer {}", f.key.sign(&claims)).parse().unwrap());
    let status = f.access.authorize(request).await.unwrap_err();
    assert_eq!(refusal_of(&status).unwrap().code, "PERSON_REQUIRED");
    assert_eq!(f.written().await.len(), 1);
}

/// Whoever is not a member cannot tell a customer from an invented name.
#[tokio::test]
async fn an_existing_tenant_looks_like_one_that_does_not_exist() {
    let f = Fixture::new().await;
    let mut answers = BTreeSet::new();
    for tenant in ["globex", "initech"] {
        let status = f.access.authorize(f.request(open(tenant), "olga", &["ops"])).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        answers.insert(format!(
            "{:?} {:?}",
            status.message().replace(tenant, "T"),
            refusal_of(&status).map(|r| r.next_action)
        ));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The one that exists gets to know of the attempt.
    let tenants: Vec<String> = f.written().await.into_iter().map(|(tenant, ..)| tenant).collect();
    assert_eq!(tenants, ["globex"]);
}

#[tokio::test]
async fn an_attacker_cannot_fill_the_log() {
    let f = Fixture::new().await;
    for _ in 0..200 {
        let viewer = f.request(open("globex"), "mallory", &["view"]);
        assert_eq!(f.access.authorize(viewer).await.unwrap_err().code(), Code::PermissionDenied);
    }
    assert_eq!(f.written().await.len(), 30);
    // Others are still recorded.
    f.access.authorize(f.request(open("acme"), "igor", &["cab"])).await.unwrap_err();
    assert_eq!(f.written().await.len(), 31);
}

#[tokio::test]
async fn a_tenant_that_is_no_name_is_a_field_error() {
    let f = Fixture::new().await;
    for tenant in ["", "Acme", "a/b", "acme.>", "acme\n"] {
        let message = ListReadinessRequest { tenant: tenant.to_owned(), ..Default::default() };
        let status = f.access.authorize(f.request(message, "olga", &["ops"])).await.unwrap_err();
        assert_eq!(
            (status.code(), refusal_of(&status).unwrap().field.as_str()),
            (Code::InvalidArgument, "tenant"),
            "{tenant:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_the_rules_is_recorded_with_what_it_concerned() {
    let f = Fixture::new().await;
    let call = f.access.authorize(f.request(open("acme"), "olga", &["ops"])).await.unwrap();
    let said =
        refusal("APPROVER_IS_REQUESTER", "nobody approves an own request", "olga", "another person", "ask a colleague");
    let status = f.access.deny(&call, &said, "orders-db", "r-1").await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    let (_, _, denied) = f.written().await.remove(0);
    assert_eq!((denied.resource.as_str(), denied.request_id.as_str()), ("orders-db", "r-1"));
    assert_eq!(denied.refusal, Some(said));
}

#[tokio::test]
async fn two_authorization_headers_are_none() {
    let f = Fixture::new().await;
    let mut request = f.request(open("acme"), "olga", &["ops"]);
    request.metadata_mut().append("authorization", "Bearer x".parse().unwrap());
    assert_eq!(f.access.authorize(request).await.unwrap_err().code(), Code::Unauthenticated);
}
