//! Programs that share no code with Muster verify an evidence package, and refuse the broken ones: the shell with OpenSSL as
//! docs/verify-without-muster.md has it, and Go's library for transparency logs. (Rust's `signed_note`, `tlog_tiles` and
//! `ct-merkle` are compared with ours on random trees in services/shared/tlog/tests.)

mod evidence;
mod go;
mod page;
