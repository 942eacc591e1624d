//! Tests of declared_tokens.
