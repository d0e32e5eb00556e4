//! The core against vectors that others made, and against two other implementations.

mod differential;
mod forms;
mod rotation;
mod vectors;
mod verify;
