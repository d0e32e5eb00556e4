//! Real nats-server and PostgreSQL processes on this machine, for `muster up` and for tests.
