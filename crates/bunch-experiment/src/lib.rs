//! Reads experiments, plans cells, runs or reuses them, records results.
