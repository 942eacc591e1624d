//! The `bunch` command-line tool.
fn main() {}
