//! Printing to standard output, which may be a pipe that its reader has closed: `bunch inspect DIR | head -1`.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process;

/// What shells report of a program that SIGPIPE ended: 128 and the signal's number.
const CLOSED_PIPE: i32 = 141;

// These take the place of the standard library's macros, which panic where nobody reads any more.
macro_rules! print {
    ($($text:tt)*) => { $crate::printing::print(format_args!($($text)*)) };
}
macro_rules! println {
    () => { print!("\n") };
    ($($text:tt)*) => { print!("{}\n", format_args!($($text)*)) };
}

/// Prints, or ends the program: quietly if the reader has closed the pipe, otherwise with an error.
pub(crate) fn print(text: Arguments<'_>) {
    match io::stdout().write_fmt(text) {
        Ok(()) => (),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(CLOSED_PIPE),
        Err(error) => {
            eprintln!("error: standard output: {error}");
            process::exit(1);
        }
    }
}
