//! What a process used: time, processor time and memory.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Time between two looks at a process's anonymous memory.
const SAMPLING_INTERVAL: Duration = Duration::from_millis(20);

/// What a process used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// From its start to its end.
    pub wall_seconds: f64,
    /// User and system time of all its threads.
    pub cpu_seconds: f64,
    /// The most bytes it had in memory at a time, mapped files included.
    pub peak_resident: u64,
    /// The most bytes of them that belong to no file, and so cannot be reclaimed; sampled every 20 ms.
    pub peak_anonymous: u64,
}

/// What the operating system reports about a process that has ended.
struct Usage {
    status: ExitStatus,
    cpu_seconds: f64,
    peak_resident: u64,
}

impl Measurement {
    /// Runs `command` to its end; its stderr goes to the file `stderr`, its stdout is discarded.
    ///
    /// # Errors
    /// Fails if it cannot be started or fails (the message has the end of its output), or if this is not Linux.
    pub fn take(command: &mut Command, stderr: &Path) -> Result<Self> {
        let stderr_file = File::create(stderr).with_context(|| format!("making {}", stderr.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr_file);
        let begin = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let (usage, wall_seconds, peak_anonymous) = {
            let ended = AtomicBool::new(false);
            let process = child.id();
            thread::scope(|scope| {
                let sampler = scope.spawn(|| sample_anonymous(process, &ended));
                let usage = wait(child);
                let wall_seconds = begin.elapsed().as_secs_f64();
                ended.store(true, Ordering::Relaxed);
                sampler.thread().unpark();
                (usage, wall_seconds, sampler.join().unwrap_or(0))
            })
        };
        let Usage { status, cpu_seconds, peak_resident } = usage?;
        if !status.success() {
            let text = fs::read_to_string(stderr).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            bail!("{command:?} failed ({status}): {}", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
        Ok(Self { wall_seconds, cpu_seconds, peak_resident, peak_anonymous })
    }

    /// The median of each number; `None` without measurements.
    pub fn median(runs: &[Self]) -> Option<Self> {
        let of = |number: fn(&Self) -> f64| median(runs.iter().map(number).collect());
        Some(Self {
            wall_seconds: of(|run| run.wall_seconds)?,
            cpu_seconds: of(|run| run.cpu_seconds)?,
            peak_resident: of(|run| run.peak_resident as f64)? as u64,
            peak_anonymous: of(|run| run.peak_anonymous as f64)? as u64,
        })
    }
}

/// The value in the middle, or the mean of the two there; `None` without values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The most anonymous bytes that `process` was seen with until it `ended`.
fn sample_anonymous(process: u32, ended: &AtomicBool) -> u64 {
    let path = format!("/proc/{process}/status");
    let mut peak = 0;
    while !ended.load(Ordering::Relaxed) {
        let now = fs::read_to_string(&path).ok().and_then(|status| anonymous_bytes(&status));
        peak = peak.max(now.unwrap_or(0));
        thread::park_timeout(SAMPLING_INTERVAL);
    }
    peak
}

/// The anonymous memory in the text of a /proc/PID/status; `None` if it has none, like that of an ended process.
fn anonymous_bytes(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?.trim().strip_suffix("kB")?;
    Some(kib.trim().parse::<u64>().ok()? * 1024)
}

/// Waits for the end of `child`.
#[cfg(target_os = "linux")]
fn wait(child: Child) -> Result<Usage> {
    use std::os::unix::process::ExitStatusExt;

    let process = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: all of its fields are integers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to variables of the types asked for, which outlive the call. Nobody else waits for
        // the process: we own `child`, and dropping it does not wait.
        if unsafe { libc::wait4(process, &raw mut status, 0, &raw mut usage) } == process {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("waiting for a process");
        }
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Usage {
        status: ExitStatus::from_raw(status),
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_resident: u64::try_from(usage.ru_maxrss)? * 1024,
    })
}

#[cfg(not(target_os = "linux"))]
fn wait(mut child: Child) -> Result<Usage> {
    child.kill().and_then(|()| child.wait()).context("ending a process")?;
    bail!("processes can be measured on Linux only");
}

#[cfg(test)]
mod tests {
    use super::{Measurement, anonymous_bytes, median};

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![10.0, 1.0, 4.0, 2.0]), Some(3.0));
        let run = |wall_seconds, cpu_seconds, peak_resident, peak_anonymous| Measurement {
            wall_seconds,
            cpu_seconds,
            peak_resident,
            peak_anonymous,
        };
        let runs = [run(1.0, 30.0, 8, 1), run(2.0, 10.0, 6, 3), run(3.0, 20.0, 7, 2)];
        assert_eq!(Measurement::median(&runs), Some(run(2.0, 20.0, 7, 2)));
        assert_eq!(Measurement::median(&[]), None);
    }

    #[test]
    fn anonymous_memory_is_read_from_the_status_of_a_process() {
        let status = "Name:\tbunch\nVmRSS:\t  999 kB\nRssAnon:\t   12 kB\nRssFile:\t    3 kB\n";
        assert_eq!(anonymous_bytes(status), Some(12 * 1024));
        assert_eq!(anonymous_bytes("Name:\tbunch\nState:\tZ (zombie)\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_measured_and_its_failure_told() {
        use std::process::Command;

        let dir = tempfile::tempdir().unwrap();
        let stderr = dir.path().join("stderr");
        let take = |script| Measurement::take(Command::new("sh").args(["-c", script]), &stderr);
        let asleep = take("sleep 0.2").unwrap();
        assert!(asleep.wall_seconds >= 0.2 && asleep.cpu_seconds < asleep.wall_seconds, "{asleep:?}");
        assert!(asleep.peak_anonymous > 0 && asleep.peak_anonymous <= asleep.peak_resident, "{asleep:?}");

        // A string of 64 MiB or more, kept for long enough to be seen.
        let large = take("x=x; i=0; while [ $i -lt 26 ]; do x=$x$x; i=$((i+1)); done; sleep 0.2").unwrap();
        assert!(large.peak_anonymous >= 64 << 20 && large.peak_resident >= 64 << 20, "{large:?}");
        assert!(large.cpu_seconds > 0.0, "{large:?}");

        let error = take("echo the reason >&2; exit 3").unwrap_err().to_string();
        assert!(error.contains("the reason") && error.contains('3'), "{error}");
    }
}
