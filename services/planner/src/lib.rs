//! Inventory and policies: takes in what people declare, checks it whole, and writes it to the log or not at all.

pub mod manifest;
