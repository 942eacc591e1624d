//! What a case expects, and what of it does not hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bunch_checkpoint::Checkpoint;
use fancy_regex::Regex;
use serde_json::Value;

/// How a command ended.
pub struct Outcome<'a> {
    pub succeeded: bool,
    /// What it printed, on both streams.
    pub text: &'a str,
    /// The case's inputs.
    pub inputs: &'a Path,
    /// Where the command was told to write.
    pub out: &'a Path,
}

/// A tensor with its dtype and shape; values as numbers, or bytes where they are no weights.
type Stored = (String, Vec<usize>, Vec<f64>);

/// All that an expectation says and that does not hold.
pub fn faults(want: &Value, outcome: &Outcome<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if want.get("error").is_some() || want["ok"] == false {
        if outcome.succeeded {
            found.push("is accepted".to_owned());
        } else {
            of_error(want, outcome, &mut found);
        }
    }
    if want["ok"] == true && !outcome.succeeded {
        found.push("fails".to_owned());
        return found;
    }
    found.extend(of_text(&want["note"], outcome.text));
    of_tensors(want, outcome, &mut found);
    of_files(want, outcome, &mut found);
    if let Some(each) = want["either"].as_array() {
        let each: Vec<Vec<String>> = each.iter().map(|want| faults(want, outcome)).collect();
        if each.iter().all(|faults| !faults.is_empty()) {
            found.push(each.iter().map(|faults| faults.join("; ")).collect::<Vec<_>>().join(" OR "));
        }
    }
    found
}

fn of_error(want: &Value, outcome: &Outcome<'_>, found: &mut Vec<String>) {
    found.extend(of_text(&want["error"], outcome.text));
    let lines = outcome.text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    if want["max_lines"].as_u64().is_some_and(|most| lines > most) {
        found.push(format!("says it in {lines} lines, expected {} at most", want["max_lines"]));
    }
    if want["nothing_written"] == true && outcome.out.exists() {
        found.push("leaves an output".to_owned());
    }
}

/// Texts of which one must be said, groups of which one each must be, and texts that must not be.
fn of_text(want: &Value, text: &str) -> Vec<String> {
    let list = |value: &Value| -> Vec<String> {
        match value {
            Value::String(one) => vec![one.clone()],
            several => several.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    };
    let groups = want["all_of"].as_array().into_iter().flatten();
    let groups = std::iter::once(&want["any_of"]).chain(groups).map(list).filter(|group| !group.is_empty());
    let missing = groups.filter(|group| !group.iter().any(|pattern| is_said(text, pattern)));
    let mut found: Vec<String> = missing.map(|group| format!("says none of {group:?}")).collect();
    let unwanted = list(&want["none_of"]).into_iter().filter(|pattern| is_said(text, pattern));
    found.extend(unwanted.map(|pattern| format!("says {pattern:?}")));
    found
}

/// Whether a text has a part, in any case of letters; a regular expression behind `re:`.
fn is_said(text: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("re:") {
        Some(pattern) => {
            Regex::new(&format!("(?i){pattern}")).expect("a regular expression").is_match(text).expect("it ends")
        }
        None => text.to_lowercase().contains(&pattern.to_lowercase()),
    }
}

fn of_tensors(want: &Value, outcome: &Outcome<'_>, found: &mut Vec<String>) {
    if let Some(expected) = want["tensors"].as_str() {
        let (expected, got) = (read(&outcome.inputs.join(expected)), read_folder(outcome.out));
        let tolerance = want["tolerance"].as_f64().unwrap_or(1e-5);
        found.extend(expected.keys().filter(|name| !got.contains_key(*name)).map(|name| format!("no tensor {name}")));
        for (name, got) in &got {
            match expected.get(name) {
                None => found.push(format!("tensor {name} is there")),
                Some(expected) if (&expected.0, &expected.1) != (&got.0, &got.1) => {
                    found.push(format!(
                        "tensor {name}: expected {:?} {:?}, got {:?} {:?}",
                        expected.0, expected.1, got.0, got.1
                    ));
                }
                Some(expected) => {
                    let distance = |(a, b): (&f64, &f64)| if a.is_finite() { (a - b).abs() } else { f64::INFINITY };
                    let worst = expected.2.iter().zip(&got.2).map(|(b, a)| distance((a, b))).fold(0.0, f64::max);
                    if worst > tolerance {
                        found.push(format!("tensor {name} differs by {worst:.3e}"));
                    }
                }
            }
        }
    }
    for name in want["absent"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if read_folder(outcome.out).contains_key(name) {
            found.push(format!("tensor {name} is there"));
        }
    }
}

fn read_folder(folder: &Path) -> BTreeMap<String, Stored> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    files.flat_map(|path| read(&path)).collect()
}

fn read(path: &Path) -> BTreeMap<String, Stored> {
    let file = Checkpoint::open_weights(path).unwrap_or_else(|error| panic!("{error}"));
    let tensor = |name: &str| {
        let raw = file.raw_reader(name).expect("it is there");
        let values = match file.tensor(name) {
            Ok(tensor) => tensor.data.iter().map(|&value| f64::from(value)).collect(),
            Err(_) => {
                let mut bytes = vec![0; raw.byte_length()];
                raw.read_bytes(0, &mut bytes).expect("it can be read");
                bytes.into_iter().map(f64::from).collect()
            }
        };
        (name.to_owned(), (raw.stored_dtype().to_owned(), raw.shape().to_vec(), values))
    };
    file.names().map(tensor).collect()
}

fn of_files(want: &Value, outcome: &Outcome<'_>, found: &mut Vec<String>) {
    let config = || json(&outcome.out.join("config.json")).unwrap_or_default();
    for (path, expected) in want["config"].as_object().into_iter().flatten() {
        let got = field(&config(), path).unwrap_or_default();
        if got != *expected {
            found.push(format!("config.json says {path} {got}, expected {expected}"));
        }
    }
    for key in want["config_absent"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if config().get(key).is_some() {
            found.push(format!("config.json has {key}"));
        }
    }
    let out = outcome.out.display().to_string();
    for name in want["exists"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !Path::new(&name.replace("{out}", &out)).exists() {
            found.push(format!("{name} was not written"));
        }
    }
    for check in want["json"].as_array().into_iter().flatten() {
        of_json(check, &out, found);
    }
}

/// Compares one value of a result file.
fn of_json(check: &Value, out: &str, found: &mut Vec<String>) {
    let (file, path) = (check["file"].as_str().expect("a file"), check["path"].as_str().expect("a path"));
    let location = file.replace("{out}", out);
    let whole = if check["lines"] == true {
        let text = fs::read_to_string(&location).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect()
    } else {
        json(Path::new(&location)).unwrap_or_default()
    };
    let Some(got) = field(&whole, path) else {
        found.push(format!("{file} has no {path}"));
        return;
    };
    let is_empty = match &got {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    let near = check["near"].as_f64();
    let tolerance = check["tolerance"].as_f64().unwrap_or(1e-3);
    let holds = check.get("equals").is_none_or(|equals| *equals == got)
        && near.is_none_or(|near| got.as_f64().is_some_and(|got| (got - near).abs() <= tolerance))
        && !(check["not_empty"] == true && is_empty);
    if !holds {
        found.push(format!("{file} says {path} {got}, expected {check}"));
    }
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The value at a path of keys and positions between dots.
fn field(value: &Value, path: &str) -> Option<Value> {
    let keys = path.split('.').filter(|key| !key.is_empty());
    let found = keys.into_iter().try_fold(value, |value, key| match value {
        Value::Array(values) => values.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    });
    found.cloned()
}
