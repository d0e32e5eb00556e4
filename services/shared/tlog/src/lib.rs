//! A C2SP transparency log, pure: leaves, trees, tiles, signed notes, proofs and policies. No IO, no clock, no randomness.
