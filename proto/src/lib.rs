//! The protobuf contracts of Muster as Rust types: one definition for events, commands and views.
//!
//! `pb::request::v1::RequestEvent` is what is stored, what `evolve` matches on and what is sent.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

macro_rules! package {
    ($($name:ident),* $(,)?) => {$(
        pub mod $name {
            pub mod v1 {
                #![allow(
                    clippy::all,
                    clippy::allow_attributes,
                    clippy::allow_attributes_without_reason,
                    unused_qualifications,
                    reason = "generated code"
                )]
                include!(concat!(env!("OUT_DIR"), "/muster.", stringify!($name), ".v1.rs"));
                include!(concat!(env!("OUT_DIR"), "/muster.", stringify!($name), ".v1.serde.rs"));
            }
        }
    )*};
}

package!(common, inventory, plan, observation, readiness, request, execution, notification, audit, identity, schedule);

/// Every descriptor, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/muster.bin"));
