//! Tests of vocabulary.
