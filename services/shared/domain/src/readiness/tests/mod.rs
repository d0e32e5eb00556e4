#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod alerts;
mod clocks;
mod documentation;
mod given;
mod judgements;
mod patroni;
mod properties;
