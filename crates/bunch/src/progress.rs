//! Progress on the terminal: what is being done, how far it is and when it will end.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use bunch_progress::Progress;

/// A bar of `total` units (`tokens` or `lines`, say); hidden where nobody looks at it.
pub fn bar(what: &str, total: u64, unit: &str, quiet: bool) -> ProgressBar {
    let hidden = quiet || !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let numbers = match unit {
        "bytes" => "{bytes}/{total_bytes} {bytes_per_sec}".to_owned(),
        _ => format!("{{human_pos}}/{{human_len}} {unit}, {{per_sec}}"),
    };
    let template = format!("{{prefix}}{{msg}} {{wide_bar}} {numbers}, {{eta}} left");
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(what.to_owned());
    if !hidden {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

/// A bar that follows work; it disappears when dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar of `unit`s for work that is about to begin.
    pub fn new(unit: &str, quiet: bool) -> Self {
        Self(bar("", 0, unit, quiet))
    }
}

impl Progress for Bar {
    fn begin(&self, stage: &str, total: u64, done: u64) {
        self.0.set_prefix(stage.to_owned());
        self.0.set_message("");
        self.0.set_length(total);
        self.0.set_position(done);
        self.0.reset_eta();
    }

    fn turn_to(&self, part: &str) {
        self.0.set_message(format!(": {part}"));
    }

    fn advance(&self, units: u64) {
        self.0.inc(units);
    }

    fn note(&self, text: &str) {
        self.0.suspend(|| eprintln!("note: {text}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
