//! House rules that a compiler does not know. `tests/` applies them to this workspace.

pub mod arrows;
pub mod purity;
