//! PlanService as callers meet it: over gRPC, behind the guards of every service, on a real log and real tables.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod documents;
mod issuer;
mod proving;
mod review;
mod schedules;
mod world;
