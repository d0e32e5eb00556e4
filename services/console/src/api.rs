//! The gRPC API as the person who is looking at the page.

use http::{HeaderValue, header::InvalidHeaderValue};
use muster_domain::pb::audit::v1::audit_service_client::AuditServiceClient;
use muster_domain::pb::inventory::v1::planner_service_client::PlannerServiceClient;
use muster_runtime::Context;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::ConsoleError;

/// Adds the person's token to each call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Bearer>;

pub(crate) struct Api {
    channel: Channel,
    /// With a slash at the end.
    address: String,
}

/// The API as one person sees it, for what is made here and not in the browser.
pub(crate) struct PersonApi {
    channel: Channel,
    bearer: Bearer,
}

impl Api {
    pub(crate) fn new(context: &Context) -> Result<Self, ConsoleError> {
        let address = context.config.server.public_url.clone();
        let endpoint = Endpoint::from_shared(address.clone()).map_err(|_| ConsoleError::ApiAddress(address.clone()))?;
        Ok(Self { channel: endpoint.connect_lazy(), address: format!("{}/", address.trim_end_matches('/')) })
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn bearer(&self, token: &str) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    pub(crate) fn for_person(&self, token: &str) -> Result<PersonApi, Status> {
        let value = format!("Bearer {token}")
            .parse()
            .map_err(|_| Status::unauthenticated("the session holds no usable token"))?;
        Ok(PersonApi { channel: self.channel.clone(), bearer: Bearer(value) })
    }
}

impl PersonApi {
    pub(crate) fn audit(&self) -> AuditServiceClient<Authorized> {
        AuditServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }
    pub(crate) fn planner(&self) -> PlannerServiceClient<Authorized> {
        PlannerServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
    }
}
