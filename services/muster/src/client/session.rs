//! A connection to Muster as somebody, for a tenant.

use std::time::Duration;

use muster_domain::TenantId;
use muster_domain::pb::audit::v1::audit_service_client::AuditServiceClient;
use muster_domain::pb::execution::v1::executor_service_client::ExecutorServiceClient;
use muster_domain::pb::identity::v1::{WhoAmIRequest, WhoAmIResponse, identity_service_client::IdentityServiceClient};
use muster_domain::pb::inventory::v1::planner_service_client::PlannerServiceClient;
use muster_domain::pb::notification::v1::notifier_service_client::NotifierServiceClient;
use muster_domain::pb::plan::v1::plan_service_client::PlanServiceClient;
use muster_domain::pb::readiness::v1::monitor_service_client::MonitorServiceClient;
use muster_domain::pb::request::v1::approval_service_client::ApprovalServiceClient;
use muster_domain::pb::schedule::v1::schedule_service_client::ScheduleServiceClient;
use muster_runtime::Clock;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use url::{Host, Url};

use super::{GlobalArgs, error::CliError, login};

/// Where `muster up` listens when nobody says otherwise.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:7400";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A little longer than the server lets a call take, so that its own answer arrives.
const CALL_TIMEOUT: Duration = Duration::from_secs(35);

pub(crate) struct Session {
    pub server: String,
    pub profile: String,
    pub clock: Clock,
    tenant: String,
    token: MetadataValue<Ascii>,
    channel: Channel,
}

impl Session {
    /// Logged in, without a tenant.
    pub(crate) async fn open(global: &GlobalArgs) -> Result<Self, CliError> {
        let clock = Clock::system();
        let (server, token) = login::token(global, &clock).await?;
        let token = format!("Bearer {token}").parse();
        let token = token.map_err(|_| CliError::not_logged_in(&server, &global.profile))?;
        let channel = channel(&server)?;
        Ok(Self { server, profile: global.profile.clone(), clock, tenant: String::new(), token, channel })
    }

    /// Logged in, for the tenant that was named, or for the only one there is.
    pub(crate) async fn with_tenant(global: &GlobalArgs) -> Result<Self, CliError> {
        let mut session = Self::open(global).await?;
        session.tenant = match &global.tenant {
            Some(tenant) => {
                tenant.parse::<TenantId>().map_err(|e| CliError::Usage(format!("--tenant: {e}")))?.to_string()
            }
            None => only_tenant(&session.who_am_i().await?)?,
        };
        Ok(session)
    }

    pub(crate) fn tenant(&self) -> String {
        self.tenant.clone()
    }

    /// A new command: a repetition by the transport is the same one.
    pub(crate) fn idempotency_key(&self) -> String {
        self.clock.new_id().to_string()
    }

    /// A call with an answer.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = self.follow(message);
        request.set_timeout(CALL_TIMEOUT);
        request
    }

    /// A call that goes on until somebody ends it.
    pub(crate) fn follow<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    pub(crate) async fn who_am_i(&self) -> Result<WhoAmIResponse, CliError> {
        let mut identity = IdentityServiceClient::new(self.channel.clone());
        Ok(identity.who_am_i(self.ask(WhoAmIRequest {})).await?.into_inner())
    }

    pub(crate) fn planner(&self) -> PlannerServiceClient<Channel> {
        PlannerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn plans(&self) -> PlanServiceClient<Channel> {
        PlanServiceClient::new(self.channel.clone())
    }

    pub(crate) fn monitor(&self) -> MonitorServiceClient<Channel> {
        MonitorServiceClient::new(self.channel.clone())
    }

    pub(crate) fn approval(&self) -> ApprovalServiceClient<Channel> {
        ApprovalServiceClient::new(self.channel.clone())
    }

    pub(crate) fn executor(&self) -> ExecutorServiceClient<Channel> {
        ExecutorServiceClient::new(self.channel.clone())
    }

    pub(crate) fn notifier(&self) -> NotifierServiceClient<Channel> {
        NotifierServiceClient::new(self.channel.clone())
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Channel> {
        ScheduleServiceClient::new(self.channel.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }
}

/// A connection that is made at the first call.
pub(crate) fn channel(server: &str) -> Result<Channel, CliError> {
    let url = checked(server)?;
    let unusable = |error: tonic::transport::Error| CliError::Usage(format!("--server {server}: {error}"));
    let endpoint = Endpoint::from_shared(server.to_owned()).map_err(unusable)?;
    let mut endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).http2_keep_alive_interval(Duration::from_secs(15));
    if url.scheme() == "https" {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(unusable)?;
    }
    Ok(endpoint.connect_lazy())
}

/// An address that a token may be sent to.
pub(crate) fn checked(server: &str) -> Result<Url, CliError> {
    let wrong = |why: &str| CliError::Usage(format!("--server {server}: {why}"));
    let url =
        Url::parse(server).map_err(|error| wrong(&format!("{error}; write it like https://muster.example.org")))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong("without https your login would cross the network readable for everybody; use https")),
        _ => Err(wrong("write it like https://muster.example.org")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The operating tenant holds no systems: who has it and one other means the other.
fn only_tenant(who: &WhoAmIResponse) -> Result<String, CliError> {
    let names = || who.tenants.iter().map(|t| t.tenant.as_str());
    let ordinary: Vec<&str> = names().filter(|name| *name != TenantId::OPERATING).collect();
    match (ordinary.as_slice(), names().next()) {
        ([only], _) => Ok((*only).to_owned()),
        ([], Some(operating)) => Ok(operating.to_owned()),
        ([], None) => Err(CliError::Denied(Box::new(muster_domain::refusal::refusal(
            "NO_TENANT",
            "your groups give you no role in any tenant",
            who.name.clone(),
            "a role in a tenant",
            "ask an admin of your tenant",
        )))),
        (several, _) => Err(CliError::Usage(format!(
            "you belong to several tenants: name one with --tenant: {}",
            several.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::identity::v1::TenantRoles;

    use super::*;

    #[test]
    fn a_token_only_goes_where_nobody_can_read_it() {
        for good in ["https://muster.example.org", "http://127.0.0.1:7400", "http://localhost:1", "http://[::1]:1"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://muster.example.org",
            "http://127.0.0.1.example.org",
            "muster.example.org",
            "ftp://x",
            "http://localhost@example.org",
        ] {
            assert_eq!(checked(bad).unwrap_err().exit().code(), 2, "{bad}");
        }
    }

    #[test]
    fn the_tenant_is_chosen_only_when_there_is_no_choice() {
        let who = |names: &[&str]| WhoAmIResponse {
            tenants: names.iter().map(|name| TenantRoles { tenant: (*name).into(), roles: vec![] }).collect(),
            ..WhoAmIResponse::default()
        };
        assert_eq!(only_tenant(&who(&["acme"])).unwrap(), "acme");
        assert_eq!(only_tenant(&who(&["muster", "acme"])).unwrap(), "acme");
        assert_eq!(only_tenant(&who(&["muster"])).unwrap(), "muster");
        assert_eq!(only_tenant(&who(&["acme", "globex"])).unwrap_err().exit().code(), 2);
        assert_eq!(only_tenant(&who(&[])).unwrap_err().exit().code(), 4);
    }
}
