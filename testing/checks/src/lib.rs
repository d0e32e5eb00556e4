//! House rules that a compiler does not know. `tests/` applies them to this workspace.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod arrows;
pub mod purity;
