//! Looks at model directories and changes none.
//!
//! [`describe`] says what one directory holds and what is wrong with it, [`compare`] how two checkpoints differ.

#![forbid(unsafe_code)]

pub mod compare;
pub mod describe;
