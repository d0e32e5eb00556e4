//! One look at one resource.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_domain::{
    TenantId,
    inventory::platform::credentials,
    pb::{
        inventory::v1::{Credential, resource_spec::Platform as PlatformSpec},
        observation::v1::{ErrorClass, NodeObservation, node_observation::Result as NodeResult},
    },
};
use muster_platform::{Login, Now, ObserveTarget, Observer, observer::not_observable, registry};
use muster_runtime::{Owner, SecretResolver};

use crate::inventory::{ResourceKey, Target};

/// Whatever a platform's own limits are: a look that takes longer is given up.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Finds the observer of a platform. Replaced in tests.
type ObserverOf = Box<dyn Fn(&PlatformSpec) -> Option<Arc<dyn Observer>> + Send + Sync>;

pub(crate) struct Looker {
    observer_of: ObserverOf,
    secrets: SecretResolver,
    now: Now,
}

impl Looker {
    /// With one observer for each platform of the registry; they keep connections between looks.
    pub(crate) fn new(secrets: SecretResolver, now: Now) -> Self {
        let observers: BTreeMap<&str, Arc<dyn Observer>> =
            registry::PLATFORMS.iter().map(|platform| (platform.name, (platform.observer)(now.clone()))).collect();
        let observer_of = move |spec: &PlatformSpec| observers.get(registry::platform_of(spec)?.name).cloned();
        Self { observer_of: Box::new(observer_of), secrets, now }
    }

    #[cfg(test)]
    pub(crate) fn with(observer: Arc<dyn Observer>, secrets: SecretResolver, now: Now) -> Self {
        Self { observer_of: Box::new(move |_| Some(observer.clone())), secrets, now }
    }

    /// Looks at all nodes. Always an answer: what could not be looked at says why. `None`: the
    /// resource has no platform that this program knows, so there is nothing to look at.
    pub(crate) async fn look(&self, key: &ResourceKey, target: &Target) -> Option<Vec<NodeObservation>> {
        let spec = target.spec.platform.as_ref()?;
        let observer = (self.observer_of)(spec)?;
        let monitor = match self.login(&key.tenant, spec) {
            Ok(login) => login,
            Err(reason) => return Some(not_observable(spec, &reason, (self.now)())),
        };
        let ask = ObserveTarget {
            tenant: key.tenant.to_string(),
            resource: key.resource.clone(),
            spec: spec.clone(),
            monitor,
        };
        let looked = tokio::time::timeout(LOOK_LIMIT, observer.observe(&ask)).await;
        Some(looked.unwrap_or_else(|_| not_observable(spec, "the look was given up after 10 s", (self.now)())))
    }

    /// The monitor account, with its secret as it is at this moment. The reason of a failure names the
    /// reference, never what is behind it.
    fn login(&self, tenant: &TenantId, spec: &PlatformSpec) -> Result<Login, String> {
        let Credential { user, password_ref } = monitor_account(spec).ok_or("no monitor account is declared")?;
        let password = self.secrets.resolve(Owner::Tenant(tenant), password_ref).map_err(|error| error.to_string())?;
        Ok(Login { user: user.clone(), password })
    }
}

fn monitor_account(spec: &PlatformSpec) -> Option<&Credential> {
    credentials(spec).monitor
}

/// "credential", for metrics.
pub(crate) fn error_classes(nodes: &[NodeObservation]) -> impl Iterator<Item = &'static str> {
    nodes.iter().filter_map(|node| match &node.result {
        Some(NodeResult::Error(error)) => Some(match error.class() {
            ErrorClass::Unspecified => "unspecified",
            ErrorClass::Unreachable => "unreachable",
            ErrorClass::Credential => "credential",
            ErrorClass::Permission => "permission",
            ErrorClass::NotReady => "not_ready",
            ErrorClass::Protocol => "protocol",
            ErrorClass::Configuration => "configuration",
        }),
        _ => None,
    })
}
