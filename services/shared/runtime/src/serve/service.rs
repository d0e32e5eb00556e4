//! What a service brings along to be served.

use std::convert::Infallible;

use axum::{Router, response::IntoResponse};
use http::Request;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};

use super::{StartTask, start_task};
use crate::{health::Health, tasks::TaskOutcome};

type AddCheck = Box<dyn FnOnce(&Health) + Send>;

/// One of Muster's services: its gRPC and HTTP routes, its background tasks, its readiness checks.
pub struct Service {
    name: &'static str,
    grpc: RoutesBuilder,
    grpc_names: Vec<&'static str>,
    http: Option<Router>,
    tasks: Vec<StartTask>,
    checks: Vec<AddCheck>,
}

impl Service {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            grpc: RoutesBuilder::default(),
            grpc_names: Vec::new(),
            http: None,
            tasks: Vec::new(),
            checks: Vec::new(),
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A generated tonic server, such as `ApprovalServiceServer::new(…)`.
    #[must_use]
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: tower::Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.grpc.add_service(service);
        self.grpc_names.push(S::NAME);
        self
    }

    /// HTTP routes. Paths of different services may not overlap; "/" belongs to the console.
    #[must_use]
    pub fn http(mut self, router: Router) -> Self {
        self.http = Some(match self.http.take() {
            Some(present) => present.merge(router),
            None => router,
        });
        self
    }

    /// A background task, made anew by `make` whenever it ended before shutdown. It returns `()` or
    /// `Result<(), impl Display>`, and is expected to end soon after the context's `shutdown` is cancelled.
    #[must_use]
    pub fn task<F, Fut>(mut self, name: impl Into<String>, make: F) -> Self
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output: TaskOutcome> + Send + 'static,
    {
        self.tasks.push(start_task(self.name, name.into(), make));
        self
    }

    /// A readiness check. `Err` is shown to everybody who asks for /readyz: words, no secrets.
    #[must_use]
    pub fn check<F, Fut>(mut self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (service, name) = (self.name, name.into());
        self.checks.push(Box::new(move |health| health.register(service, name, check)));
        self
    }

    /// Something that people have to look at although the service works: shown by /readyz, which stays ready.
    #[must_use]
    pub fn notice<F, Fut>(mut self, name: impl Into<String>, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (service, name) = (self.name, name.into());
        self.checks.push(Box::new(move |health| health.register_notice(service, name, check)));
        self
    }

    pub(super) fn take_tasks(&mut self) -> Vec<StartTask> {
        std::mem::take(&mut self.tasks)
    }

    pub(super) fn take_checks(&mut self) -> Vec<AddCheck> {
        std::mem::take(&mut self.checks)
    }

    pub(super) fn grpc_names(&self) -> &[&'static str] {
        &self.grpc_names
    }

    pub(super) fn into_routers(self) -> (Router, Option<Router>) {
        // The default fallback of gRPC routes is added once, to the merged router.
        (self.grpc.routes().into_axum_router().reset_fallback(), self.http)
    }
}
