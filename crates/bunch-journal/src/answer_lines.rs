//! The loop of every command that answers lines: window by window, each kept as soon as it is answered.

use std::ops::Range;
use std::path::Path;

use bunch_progress::Progress;
use serde_json::{Map, Value};

use crate::{Journal, JournalError};

/// A run of a command over the lines of its input.
pub struct LineRun<'a> {
    /// The lines of the input; each is repeated in the output, with the answer's fields after its own.
    pub lines: &'a [Map<String, Value>],
    /// What is kept of the answers; none where nothing is.
    pub journal: Option<Journal>,
    /// What the run does, for its progress: `judging`.
    pub stage: &'a str,
    /// Units of progress that a line takes.
    pub cost: &'a dyn Fn(usize) -> u64,
    /// Reports how far the run is.
    pub progress: &'a dyn Progress,
}

/// The answers to all lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredLines<T> {
    /// The answers in the order of the lines.
    pub answers: Vec<T>,
    /// How many of them an earlier run had given.
    pub kept: usize,
}

/// Consecutive windows of `size` lines from line `from` on, the last one shorter where they do not come out even.
pub fn windows(from: usize, end: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (from..end).step_by(size).map(move |start| start..(start + size).min(end))
}

/// Answers the lines that the journal does not hold yet, window by window.
///
/// `windows` gives the windows for the number of lines that are answered already. A window may begin before that line, where
/// what is answered depends on the window: the answers that are there are kept. `read` makes an answer of the position and
/// the fields of a line of the output; what the journal holds is read before anything else is done. `answer` adds the
/// fields that answer each line of a window; those it has added when it fails are kept.
///
/// # Errors
/// A journal that holds more lines, or the answers to others; what `read` and `answer` say.
///
/// # Panics
/// If `answer` adds more or fewer answers than its window has lines.
pub fn answer_lines<T, E, W>(
    mut run: LineRun<'_>,
    windows: impl FnOnce(usize) -> W,
    read: impl Fn(usize, &Value) -> Result<T, E>,
    mut answer: impl FnMut(Range<usize>, &mut Vec<Map<String, Value>>) -> Result<(), E>,
) -> Result<AnsweredLines<T>, E>
where
    E: From<JournalError>,
    W: IntoIterator<Item = Range<usize>>,
{
    let mut answers = Vec::with_capacity(run.lines.len());
    if let Some(journal) = &run.journal {
        check_repeats(journal.path(), journal.done(), run.lines)?;
        for (index, line) in journal.done().iter().enumerate() {
            answers.push(read(index, line)?);
        }
    }
    let kept = answers.len();
    let cost = |lines: Range<usize>| lines.map(run.cost).sum::<u64>();
    run.progress.begin(run.stage, cost(0..run.lines.len()), cost(0..kept));
    for window in windows(kept) {
        let mut fields = Vec::with_capacity(window.len());
        let ended = answer(window.clone(), &mut fields);
        assert!(ended.is_err() || fields.len() == window.len(), "as many answers as lines");
        let from = answers.len();
        let new = window.zip(fields).filter(|(index, _)| *index >= from);
        let line = |(index, answer): (usize, Map<String, Value>)| {
            Value::Object(run.lines[index].clone().into_iter().chain(answer).collect())
        };
        let lines: Vec<Value> = new.map(line).collect();
        if let Some(journal) = &mut run.journal {
            journal.append(&lines)?;
        }
        ended?;
        for (index, line) in (from..).zip(&lines) {
            answers.push(read(index, line)?);
        }
        run.progress.advance(cost(from..answers.len()));
    }
    if let Some(journal) = run.journal {
        journal.finish()?;
    }
    Ok(AnsweredLines { answers, kept })
}

/// Checks that what the file `path` holds repeats the lines of the input.
fn check_repeats(path: &Path, done: &[Value], lines: &[Map<String, Value>]) -> Result<(), JournalError> {
    if done.len() > lines.len() {
        return Err(JournalError::TooLong { path: path.to_owned(), expected: lines.len(), got: done.len() });
    }
    for (index, (before, line)) in done.iter().zip(lines).enumerate() {
        if let Some((name, expected)) = line.iter().find(|(name, value)| before.get(name) != Some(value)) {
            let got = before.get(name).unwrap_or(&Value::Null).to_string();
            let (path, name, expected) = (path.to_owned(), name.clone(), expected.to_string());
            return Err(JournalError::OtherLine { path, line: index + 1, name, expected, got });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;

    use bunch_progress::Quiet;
    use serde_json::json;

    use super::*;

    fn lines(count: usize) -> Vec<Map<String, Value>> {
        (0..count).map(|number| Map::from_iter([("number".into(), json!(number))])).collect()
    }

    /// Doubles numbers in windows of three, and fails at the number `bad`; gives the windows and the answers.
    fn doubled(
        path: &Path,
        count: usize,
        bad: usize,
        is_aligned: bool,
    ) -> (Vec<Range<usize>>, Result<AnsweredLines<u64>, String>) {
        #[derive(Debug)]
        struct Failed(String);
        impl From<JournalError> for Failed {
            fn from(error: JournalError) -> Self {
                Self(error.to_string())
            }
        }
        let lines = lines(count);
        let asked = RefCell::new(Vec::new());
        let open = || Ok::<_, Failed>(Some(Journal::open(path, &Map::new(), false)?));
        let answered = open().and_then(|journal| {
            let run = LineRun { lines: &lines, journal, stage: "doubling", cost: &|_| 1, progress: &Quiet };
            let windows = |done: usize| windows(if is_aligned { done - done % 3 } else { done }, count, 3);
            let read = |_, line: &Value| line["double"].as_u64().ok_or_else(|| Failed(format!("no double in {line}")));
            answer_lines(run, windows, read, |window, answers| {
                asked.borrow_mut().push(window.clone());
                for number in window {
                    if number == bad {
                        return Err(Failed(format!("{number} is bad")));
                    }
                    answers.push(Map::from_iter([("double".into(), json!(2 * number))]));
                }
                Ok(())
            })
        });
        (asked.into_inner(), answered.map_err(|Failed(message)| message))
    }

    #[test]
    fn a_run_that_fails_keeps_what_it_has_and_the_next_one_goes_on() {
        for (is_aligned, again) in [(false, [4..7, 7..8]), (true, [3..6, 6..8])] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("out.jsonl");
            let (asked, answered) = doubled(&path, 8, 4, is_aligned);
            assert_eq!((asked, answered), (vec![0..3, 3..6], Err("4 is bad".into())));
            let (asked, answered) = doubled(&path, 8, 99, is_aligned);
            let answers: Vec<u64> = (0..8).map(|number| 2 * number).collect();
            assert_eq!((asked, answered), (again.to_vec(), Ok(AnsweredLines { answers, kept: 4 })));
            let text = fs::read_to_string(&path).expect("lines");
            assert_eq!(text.lines().nth(5), Some(r#"{"number":5,"double":10}"#));
            assert_eq!(text.lines().count(), 8);
        }
    }

    #[test]
    fn lines_of_another_input_are_rejected_before_any_work() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.jsonl");
        assert!(doubled(&path, 4, 99, false).1.is_ok());
        let (asked, answered) = doubled(&path, 3, 99, false);
        assert!(asked.is_empty() && answered.unwrap_err().contains("holds 4 lines, more than the 3 asked for"));
        for (line, what) in [
            (r#"{"number":7,"double":0}"#, "line 1: holds the answer to another line, `number` is 7 there and 0 here"),
            (r#"{"number":0}"#, "no double in"),
        ] {
            fs::write(&path, format!("{line}\n")).expect("written");
            let (asked, answered) = doubled(&path, 4, 99, false);
            let message = answered.unwrap_err();
            assert!(asked.is_empty() && message.contains(what), "{message}");
        }
    }
}
