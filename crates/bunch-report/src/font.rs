//! The typefaces of all figures, built in so that a figure's bytes do not depend on the machine's fonts.
//!
//! The files in `assets` are DejaVu Sans and DejaVu Sans Mono, both reduced to Latin-1, Greek and the symbols a figure may
//! need; their licence is next to them.

use plotters::style::{FontStyle, IntoFont, register_font};
use std::sync::LazyLock;

/// A typeface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// Of everything but what is quoted.
    Sans,
    /// Of what a model reads and writes: all letters are of one width.
    Mono,
}

/// Size at which widths are measured: plotters rounds them to whole pixels.
const MEASURED: f64 = 1000.0;

/// Makes the typefaces known to plotters; false if it refuses a file.
pub(crate) fn register() -> bool {
    static REGISTERED: LazyLock<bool> = LazyLock::new(|| {
        let sans = include_bytes!("../assets/DejaVuSans-subset.ttf");
        let mono = include_bytes!("../assets/DejaVuSansMono-subset.ttf");
        register_font(Face::Sans.family(), FontStyle::Normal, sans).is_ok()
            && register_font(Face::Mono.family(), FontStyle::Normal, mono).is_ok()
    });
    *REGISTERED
}

impl Face {
    /// The family under which the typeface is known to plotters and written into SVG, where a viewer without it falls back.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::Sans => "DejaVu Sans, sans-serif",
            Self::Mono => "DejaVu Sans Mono, monospace",
        }
    }

    /// Width of `text` at a font size, in the size's unit, as in a PNG; in an SVG it is some percent less.
    pub(crate) fn width(self, text: &str, size: f64) -> f64 {
        register();
        let measured = (self.family(), MEASURED).into_font().layout_box(text);
        // Without the typeface nothing is drawn at all; the average letter will do.
        let width =
            measured.map_or(0.58 * MEASURED * text.chars().count() as f64, |(low, high)| f64::from(high.0 - low.0));
        width / MEASURED * size
    }

    /// `text` in lines no wider than `room`, broken at blanks, and within a word only where it alone is too wide.
    ///
    /// At least one line; blanks at the ends of lines are lost.
    pub(crate) fn wrapped(self, text: &str, size: f64, room: f64) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let last = lines.len() - 1;
            let longer = if lines[last].is_empty() { word.to_string() } else { format!("{} {word}", lines[last]) };
            if self.width(&longer, size) <= room {
                lines[last] = longer;
                continue;
            }
            let mut pieces = self.pieces(word, size, room);
            if lines[last].is_empty() {
                lines[last] = pieces.remove(0);
            }
            lines.extend(pieces);
        }
        lines
    }

    /// `word` in pieces no wider than `room`, each of at least one character; at least one piece.
    fn pieces(self, word: &str, size: f64, room: f64) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for c in word.chars() {
            let last = pieces.len() - 1;
            let longer = format!("{}{c}", pieces[last]);
            if pieces[last].is_empty() || self.width(&longer, size) <= room {
                pieces[last] = longer;
            } else {
                pieces.push(c.into());
            }
        }
        pieces
    }
}

/// Width of `text` in [`Face::Sans`].
pub(crate) fn width(text: &str, size: f64) -> f64 {
    Face::Sans.width(text, size)
}

/// The size, `size` at most, at which `text` is no wider than `room`.
pub(crate) fn fitting(text: &str, size: f64, room: f64) -> f64 {
    let width = width(text, size);
    if width > room { size * (room / width).max(0.0) } else { size }
}

/// `text` in lines of [`Face::Sans`] no wider than `room`: see [`Face::wrapped`].
pub(crate) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    Face::Sans.wrapped(text, size, room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typeface_is_readable() {
        assert!(register());
        // Of DejaVu Sans' 1901 units of height a digit is 1303 wide (of 2048 in an em).
        let digit = width("0", 100.0);
        assert!((50.0..60.0).contains(&digit) && width("00", 100.0) > 1.9 * digit, "{digit}");
        assert_eq!(width("", 10.0), 0.0);
        // A letter of DejaVu Sans Mono is as wide as any other, up to the empty space next to it.
        let ratio = |face: Face| face.width("iiiiiiii", 100.0) / face.width("mmmmmmmm", 100.0);
        assert!(ratio(Face::Sans) < 0.4 && (0.9..1.01).contains(&ratio(Face::Mono)), "{}", ratio(Face::Mono));
    }

    #[test]
    fn texts_are_made_to_fit() {
        assert_eq!(fitting("short", 10.0, 1000.0), 10.0);
        let smaller = fitting("a rather long title", 10.0, 40.0);
        assert!(smaller < 10.0 && width("a rather long title", smaller) < 40.1);
        assert_eq!(wrapped("a bc", 10.0, 1000.0), ["a bc"]);
        assert_eq!(wrapped(" a  bc ", 10.0, 13.0), ["a", "bc"]);
        assert_eq!(wrapped("x abcdef", 10.0, width("abc", 10.0)), ["x", "abc", "def"]);
        assert_eq!(wrapped("", 10.0, 5.0), [""]);
        assert_eq!(wrapped("ab", 10.0, 0.0), ["a", "b"], "every line has a character");
    }
}
