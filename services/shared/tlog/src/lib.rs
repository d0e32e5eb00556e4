//! A C2SP transparency log, pure: leaves, trees, tiles, signed notes, proofs and policies. No IO, no clock, no randomness.
//!
//! The formats are those of <https://c2sp.org>: signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof and
//! tlog-policy; the tree is that of RFC 6962. Only the leaves are Muster's own ([`leaf`]).

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod key;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
mod sha256;
pub mod tile;
pub mod tile_set;
pub mod tree;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use hash::{Hash, leaf_hash, node_hash};
pub use key::{Algorithm, SigningKey, SoftwareKey, VerifierKey};
pub use leaf::Leaf;
pub use note::Note;
pub use policy::Policy;
pub use proof::TlogProof;
pub use tile::Tile;
pub use tree::Frontier;
