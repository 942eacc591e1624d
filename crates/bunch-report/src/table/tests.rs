//! Snapshots of one small table, and refusals.

use super::*;
use crate::fixture::{cell, cells, published, spec};

fn table() -> Table {
    Table::new(&spec(), &cells(), &published()).unwrap()
}

#[test]
fn markdown_snapshot() {
    assert_eq!(table().markdown(), "");
}

#[test]
fn terminal_snapshot() {
    assert_eq!(table().terminal(), "");
}

#[test]
fn csv_snapshot() {
    assert_eq!(table().csv(), "");
}
