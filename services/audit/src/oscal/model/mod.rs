//! The few fields of OSCAL that Muster writes. An empty list is an error in OSCAL, so it is left out everywhere.

mod assessment;
mod common;
mod component;
mod documents;
mod mapping;

pub(crate) use assessment::*;
pub(crate) use common::*;
pub(crate) use component::*;
pub(crate) use documents::*;
pub(crate) use mapping::*;
