//! A witness: cosigns the checkpoints of the logs it knows, each only if it extends what it has cosigned before.
