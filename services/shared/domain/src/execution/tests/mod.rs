#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod given;
mod graph;
mod linear;
mod people;
mod properties;
mod undo;
