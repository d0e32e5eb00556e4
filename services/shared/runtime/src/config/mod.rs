//! Typed configuration: defaults, then `muster.toml`, then `MUSTER_<SECTION>__<KEY>` of the environment.
//!
//! Keys, defaults and meaning stand once, in `sections.rs`; the reference in docs/config.md is made from there.

mod audit;
mod error;
mod load;
mod local;
mod reference;
mod sections;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigErrors};
pub use load::Profile;
pub use local::{LOCAL_AUDIENCE, LOCAL_CLIENT, LOCAL_ISSUER_PATH, LOCAL_STEP_UP, LOCAL_TENANT};
pub use reference::reference;
pub use sections::*;
pub(crate) use validate::{is_issuer_url, is_loopback};
pub use values::{Algorithm, HumanDuration, LogFormat, RoleName, SmtpTls};
