//! Where transparency logs are kept: a folder, or an S3-like store.
//!
//! `<store>/<tenant>/<epoch>/` holds one log, in files of C2SP tlog-tiles (`checkpoint`, `tile/0/000`, …) and a few of our
//! own beside them. The audit service alone writes; everybody who may read the store can read it without asking anyone.
//!
//! | kind of file | written by | and never |
//! |---|---|---|
//! | tiles and entry bundles | [`LogFiles::create`] | written twice with another content |
//! | the signer's state | [`LogFiles::compare_and_set`] | replaced by somebody who has not seen the present one |
//! | checkpoints, policy | [`LogFiles::replace`] | half: a reader sees the old or the new one |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod error;
mod files;
mod folder;
mod location;

pub use error::StoreError;
pub use files::{Created, LogFiles, Version, Versioned};
pub use location::LogStore;
