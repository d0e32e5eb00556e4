//! Every platform Muster can protect. Adding one is a folder and a line here.

use std::sync::Arc;

use muster_domain::{
    inventory::platform::{CAPABILITIES, Capabilities},
    pb::inventory::v1::resource_spec::Platform as PlatformSpec,
};

use crate::{Evidence, Facts, Mover, Now, Observer};

/// One kind of platform.
pub struct Platform {
    /// As the manifest names it.
    pub name: &'static str,
    pub serves: fn(&PlatformSpec) -> bool,
    pub observer: fn(Now) -> Arc<dyn Observer>,
    pub mover: fn() -> Arc<dyn Mover>,
    /// What the facts of a move say about missing data. `None`: they are not this platform's, or say nothing yet.
    pub evidence: fn(&Facts) -> Option<Evidence>,
}

impl Platform {
    /// What it can do. The table is the domain's, so that the rules about plans need no platform code.
    pub fn capabilities(&self) -> Capabilities {
        CAPABILITIES.iter().find(|(name, _)| *name == self.name).map_or(Capabilities::NONE, |(_, offers)| *offers)
    }
}

pub const PLATFORMS: &[Platform] =
    &[crate::postgresql::PLATFORM, crate::mariadb::PLATFORM, crate::patroni::PLATFORM, crate::redis::PLATFORM];

/// The platform that serves a resource. `None`: the specification is newer than this program.
pub fn platform_of(spec: &PlatformSpec) -> Option<&'static Platform> {
    PLATFORMS.iter().find(|platform| (platform.serves)(spec))
}
