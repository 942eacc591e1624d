//! Tasks of the project's developers.

fn main() {}
