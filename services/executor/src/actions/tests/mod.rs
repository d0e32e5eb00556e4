//! Steps against real servers.
