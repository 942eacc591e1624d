//! Safe merging of the models of a pool.
//!
//! [`measurement`] compares a merge with every member of its pool.

#![forbid(unsafe_code)]

pub mod measurement;
