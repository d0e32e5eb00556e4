//! The harness of the end-to-end tests: the real product in processes of its own, used as people use it.

#![expect(clippy::disallowed_methods, reason = "this crate is tests: it may wait, make ids and ask without limits")]

pub mod api;
pub mod by_hand;
pub mod file_store;
pub mod poll;
pub mod product;

pub use api::Person;
pub use product::Product;
