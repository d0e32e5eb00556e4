//! One person at the gRPC API, logged in through the local issuer with the same flow as everybody.

use std::sync::LazyLock;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use muster_domain::pb::{
    audit::v1::{
        AuditFilter, AuditRecord, ExportEventsRequest, ExportFormat, ListEventsRequest,
        audit_service_client::AuditServiceClient,
    },
    common::v1::PageRequest,
    execution::v1::{StopExecutionRequest, executor_service_client::ExecutorServiceClient},
    inventory::v1::{ApplyRequest, ApplyResponse, planner_service_client::PlannerServiceClient},
    notification::v1::{DeliveryView, ListDeliveriesRequest, notifier_service_client::NotifierServiceClient},
    readiness::v1::{
        GetReadinessRequest, ListReadinessRequest, ReadinessView, monitor_service_client::MonitorServiceClient,
    },
    request::v1::{
        ApproveRequestRequest, GetRequestRequest, OpenRequestRequest, RequestType, RequestView, StartRequestRequest,
        approval_service_client::ApprovalServiceClient,
    },
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Status, transport::Channel};

#[derive(Clone)]
pub struct Person {
    pub name: String,
    pub token: String,
    pub channel: Channel,
}

const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// One for all: a client reads every certificate authority of the machine first, and cases log in many times a second. It
/// keeps no connection, because the next login may be in another runtime.
pub(crate) fn http() -> Result<&'static reqwest::Client> {
    static CLIENT: LazyLock<reqwest::Result<reqwest::Client>> = LazyLock::new(|| {
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).build()
    });
    CLIENT.as_ref().map_err(|error| anyhow!("no client for HTTP: {error}"))
}

impl Person {
    /// Authorization code with PKCE; `login_hint` spares the page.
    pub async fn login(url: &str, name: &str) -> Result<Self> {
        let http = http()?;
        let issuer = format!("{url}/local-issuer");
        let found: serde_json::Value = http
            .get(format!("{issuer}/.well-known/openid-configuration"))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let verifier = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let mut authorize =
            url::Url::parse(found["authorization_endpoint"].as_str().context("no authorization endpoint")?)?;
        authorize.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", "muster"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid profile groups"),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", name),
        ]);
        let answer = http.get(authorize).send().await?;
        let location = answer.headers().get("location").context("the issuer did not redirect")?.to_str()?.to_owned();
        let code =
            url::Url::parse(&location)?.query_pairs().find(|(key, _)| key == "code").context("no code")?.1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("client_id", "muster"),
            ("code_verifier", &verifier),
        ];
        let tokens: serde_json::Value = http
            .post(found["token_endpoint"].as_str().context("no token endpoint")?)
            .form(&form)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = tokens["access_token"].as_str().context("no access token")?.to_owned();
        Ok(Self { name: name.into(), token, channel: Channel::from_shared(url.to_owned())?.connect_lazy() })
    }

    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(value) = format!("Bearer {}", self.token).parse() {
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    pub fn planner(&self) -> PlannerServiceClient<Channel> {
        PlannerServiceClient::new(self.channel.clone())
    }

    pub fn monitor(&self) -> MonitorServiceClient<Channel> {
        MonitorServiceClient::new(self.channel.clone())
    }

    pub fn approval(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.channel.clone())
    }

    pub fn executor(&self) -> ExecutorServiceClient<Channel> {
        ExecutorServiceClient::new(self.channel.clone())
    }

    pub fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub async fn fleet(&self, tenant: &str) -> Result<Vec<ReadinessView>, Status> {
        let ask = ListReadinessRequest { tenant: tenant.into(), ..Default::default() };
        Ok(self.monitor().list_readiness(self.request(ask)).await?.into_inner().resources)
    }

    pub async fn readiness(&self, resource: &str) -> Result<ReadinessView, Status> {
        let ask = GetReadinessRequest { tenant: "acme".into(), resource: resource.into(), ..Default::default() };
        Ok(self.monitor().get_readiness(self.request(ask)).await?.into_inner().resource.unwrap_or_default())
    }

    pub async fn apply(&self, tenant: &str, manifest: &str, dry_run: bool) -> Result<ApplyResponse, Status> {
        let ask = ApplyRequest { tenant: tenant.into(), manifest: manifest.into(), dry_run, ..Default::default() };
        Ok(self.planner().apply(self.request(ask)).await?.into_inner())
    }

    pub async fn open(&self, kind: RequestType, resource: &str, target_site: &str) -> Result<RequestView, Status> {
        let ask = OpenRequestRequest {
            tenant: "acme".into(),
            r#type: kind.into(),
            resource: resource.into(),
            target_site: target_site.into(),
            reason: "end-to-end test".into(),
            ticket: "CHG-1".into(),
            idempotency_key: uuid::Uuid::new_v4().to_string(),
            ..OpenRequestRequest::default()
        };
        self.open_with(ask).await
    }

    pub async fn open_with(&self, ask: OpenRequestRequest) -> Result<RequestView, Status> {
        Ok(self.approval().open_request(self.request(ask)).await?.into_inner().request.unwrap_or_default())
    }

    pub async fn approve(&self, request_id: &str) -> Result<RequestView, Status> {
        let ask = ApproveRequestRequest { tenant: "acme".into(), request_id: request_id.into(), ..Default::default() };
        Ok(self.approval().approve_request(self.request(ask)).await?.into_inner().request.unwrap_or_default())
    }

    pub async fn start(&self, request_id: &str, confirmation: &str) -> Result<RequestView, Status> {
        let ask = StartRequestRequest {
            tenant: "acme".into(),
            request_id: request_id.into(),
            confirmation: confirmation.into(),
            ..Default::default()
        };
        Ok(self.approval().start_request(self.request(ask)).await?.into_inner().request.unwrap_or_default())
    }

    pub async fn stop(&self, request_id: &str, reason: &str) -> Result<(), Status> {
        let ask = StopExecutionRequest {
            tenant: "acme".into(),
            request_id: request_id.into(),
            reason: reason.into(),
            ..Default::default()
        };
        self.executor().stop_execution(self.request(ask)).await.map(drop)
    }

    pub async fn show(&self, request_id: &str) -> Result<RequestView, Status> {
        let ask = GetRequestRequest { tenant: "acme".into(), request_id: request_id.into(), ..Default::default() };
        Ok(self.approval().get_request(self.request(ask)).await?.into_inner().request.unwrap_or_default())
    }

    pub async fn deliveries(&self, resource: &str) -> Result<Vec<DeliveryView>, Status> {
        let page = Some(PageRequest { page_size: 500, ..Default::default() });
        let ask =
            ListDeliveriesRequest { tenant: "acme".into(), resource: resource.into(), page, ..Default::default() };
        Ok(NotifierServiceClient::new(self.channel.clone())
            .list_deliveries(self.request(ask))
            .await?
            .into_inner()
            .deliveries)
    }

    /// Every event that fits, oldest first, through all pages.
    pub async fn events(&self, filter: AuditFilter) -> Result<Vec<AuditRecord>, Status> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = Some(PageRequest { page_size: 500, page_token });
            let ask =
                ListEventsRequest { tenant: "acme".into(), filter: Some(filter.clone()), page, ..Default::default() };
            let answer = self.audit().list_events(self.request(ask)).await?.into_inner();
            all.extend(answer.records);
            page_token = answer.page.unwrap_or_default().next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    pub async fn export(&self, format: ExportFormat, filter: AuditFilter) -> Result<Vec<u8>, Status> {
        let ask = ExportEventsRequest {
            tenant: "acme".into(),
            filter: Some(filter),
            format: format.into(),
            ..Default::default()
        };
        let mut stream = self.audit().export_events(self.request(ask)).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.message().await? {
            bytes.extend_from_slice(&piece.chunk);
        }
        Ok(bytes)
    }
}
