//! The harness of the end-to-end tests: the real product in processes of its own, used as people use it.

pub mod api;
pub mod poll;
pub mod product;

pub use api::Person;
pub use product::Product;
