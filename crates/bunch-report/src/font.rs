//! The one typeface of all figures, built in so that a figure's bytes do not depend on the machine's fonts.
//!
//! `assets/DejaVuSans-subset.ttf` is DejaVu Sans reduced to Latin-1, Greek and the symbols a figure may need; its licence
//! lies beside it.

use plotters::style::{FontStyle, register_font};
use std::sync::LazyLock;

/// The family under which the typeface is known to plotters and written into SVG, where a viewer without it falls back.
pub(crate) const FAMILY: &str = "DejaVu Sans, sans-serif";

/// Makes [`FAMILY`] known to plotters; false if it refuses the file.
pub(crate) fn register() -> bool {
    static REGISTERED: LazyLock<bool> = LazyLock::new(|| {
        let bytes = include_bytes!("../assets/DejaVuSans-subset.ttf");
        register_font(FAMILY, FontStyle::Normal, bytes).is_ok()
    });
    *REGISTERED
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_typeface_is_readable() {
        assert!(super::register());
    }
}
