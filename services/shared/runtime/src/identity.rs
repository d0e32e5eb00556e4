//! `IdentityService.WhoAmI`: what Muster knows about the caller. Served by every process.

use muster_domain::pb::identity::v1::{
    TenantRoles, WhoAmIRequest, WhoAmIResponse,
    identity_service_server::{IdentityService, IdentityServiceServer},
};
use tonic::{Request, Response, Status};

use crate::{Access, Service};

struct Identity(Access);

/// The service, for [`crate::serve::serve_on`].
pub fn service(access: Access) -> Service {
    Service::new("identity").grpc(IdentityServiceServer::new(Identity(access)))
}

#[tonic::async_trait]
impl IdentityService for Identity {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let caller = self.0.authenticate(request.metadata().as_ref()).await?;
        let tenants = caller.tenants.iter().map(|(tenant, roles)| TenantRoles {
            tenant: tenant.to_string(),
            roles: roles.iter().map(|role| (*role).into()).collect(),
        });
        Ok(Response::new(WhoAmIResponse {
            tenants: tenants.collect(),
            kind: caller.kind.into(),
            actor_id: caller.id,
            name: caller.name,
        }))
    }
}
