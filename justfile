# Shorthands; each is one cargo command, so that `just` is a convenience and never a requirement.

# List the recipes.
default:
    @just --list

# Table 1 of Hammoud et al. 2024.
reproduce-table-1:
    cargo bunch reproduce hammoud2024/table-1

# Table 2 of Hammoud et al. 2024.
reproduce-table-2:
    cargo bunch reproduce hammoud2024/table-2

# Merge checkpoints: just merge recipe.yml merged/
merge *ARGUMENTS:
    cargo bunch merge {{ARGUMENTS}}

# Speed beside mergekit's; PYTHON is an interpreter that has mergekit 0.1.5.
benchmark PYTHON:
    cargo xtask benchmark --mergekit {{PYTHON}}

# The merge methods and what they are.
methods:
    cargo bunch methods

# All tests.
test:
    cargo test --release --workspace

# Speed of the merge methods.
bench:
    cargo bench -p bunch-merging

# Formatting, without changing a file.
fmt-check:
    cargo fmt --all --check

# Lints; a warning is an error.
clippy:
    cargo clippy --release --workspace --all-targets -- -D warnings

# Both checks of style.
lint: fmt-check clippy

# Rewrite the generated documentation of merge methods.
update-docs:
    UPDATE_DOCS=1 cargo test -p bunch-merging --test docs
