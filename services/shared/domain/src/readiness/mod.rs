//! Readiness rules.
