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

# Every experiment of both papers and beyond them.
reproduce-all:
    cargo bunch reproduce --all

# Check the results: files, claims, and numbers computed again.
verify:
    cargo bunch verify

# Write all results, claims and samples as one page, report.html.
report:
    cargo bunch report

# Tables 1 and 2 on a real model, in the folder MODELS; data/models.toml says how to get it.
reproduce-small MODELS:
    cargo bunch reproduce hammoud2024/table-1 --scale small --models {{MODELS}}
    cargo bunch reproduce hammoud2024/table-2 --scale small --models {{MODELS}}

# Scores on benchmarks: just eval --model merged/ --tasks arc_easy --data datasets/
eval *ARGUMENTS:
    cargo bunch eval {{ARGUMENTS}}

# Safety: just safety --model merged/ --guard guard/ --data datasets/ --out safety/
safety *ARGUMENTS:
    cargo bunch safety {{ARGUMENTS}}

# Merge checkpoints: just merge recipe.yml merged/
merge *ARGUMENTS:
    cargo bunch merge {{ARGUMENTS}}

# Compare the speed with mergekit's; PYTHON is an interpreter that has mergekit 0.1.5.
benchmark PYTHON:
    cargo xtask benchmark --mergekit {{PYTHON}}

# List the merge methods.
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

# Rewrite the generated documentation: merge methods, and the claims in README.md and results/README.md.
update-docs:
    UPDATE_DOCS=1 cargo test --release -p bunch-merging --test docs
    UPDATE_DOCS=1 cargo test --release -p bunch --test readme
