//! Isolated drills.
