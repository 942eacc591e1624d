//! Base, experts and a method: merges whole checkpoints.
