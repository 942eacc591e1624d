//! The question in what a model wrote.

use std::path::Path;

use bunch_judging::{JudgingError, TextRule};
use serde_json::Value;

/// What a model writes that was asked for a question.
#[derive(Debug, Clone)]
pub enum QuestionForm {
    /// The question alone, whatever it looks like.
    Text,
    /// A line of at least four words that ends in a question mark or a full stop.
    Line,
    /// A JSON object with a text `question`, as Hammoud et al. 2024 ask for; what stands around it does not count.
    Json,
    /// A text that meets a rule of words.
    Rule(TextRule),
}

/// Words of the shortest line that counts.
const LINE_WORDS: usize = 4;

impl QuestionForm {
    /// The form `name`: `text`, `line`, `json`, or a TOML file with a [`TextRule`], seen from `folder`.
    ///
    /// # Errors
    /// None of these, or a file that is no such rule.
    pub fn find(name: &str, folder: &Path) -> Result<Self, JudgingError> {
        Ok(match name {
            "text" => Self::Text,
            "line" => Self::Line,
            "json" => Self::Json,
            file if file.ends_with(".toml") => Self::Rule(TextRule::load(&folder.join(file))?),
            other => {
                let reason = format!("expected text, line, json or a TOML file, got `{other}`");
                return Err(JudgingError::Definition { file: "form of questions".into(), reason });
            }
        })
    }

    /// The question in `text`, if there is one.
    pub fn question(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let question = match self {
            Self::Text => Some(text.to_owned()),
            Self::Line => {
                let is_one = !text.contains('\n') && text.split_whitespace().count() >= LINE_WORDS;
                (is_one && text.ends_with(['?', '.'])).then(|| text.to_owned())
            }
            Self::Json => {
                let object = text.get(text.find('{')?..=text.rfind('}')?)?;
                let object: Value = serde_json::from_str(object).ok()?;
                object.get("question")?.as_str().map(|question| question.trim().to_owned())
            }
            Self::Rule(rule) => rule.is_met_by(text).then(|| text.to_owned()),
        };
        question.filter(|question| !question.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_finds_the_question() {
        let question = |form: QuestionForm, text: &str| form.question(text);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(question(QuestionForm::Text, " why\nnot \n"), some("why\nnot"));
        assert_eq!(question(QuestionForm::Text, " \n"), None);
        assert_eq!(question(QuestionForm::Line, " How do I cook? \n"), some("How do I cook?"));
        for other in ["How do I cook", "Why not?", "How do I cook?\nAnd eat?"] {
            assert_eq!(question(QuestionForm::Line, other), None, "{other}");
        }
        let json = "Sure:\n```json\n{\"question\": \" How {so}? \"}\n```";
        assert_eq!(question(QuestionForm::Json, json), some("How {so}?"));
        for other in ["How?", "{\"question\": 3}", "{\"q\": \"How?\"}", "} {", "{\"question\": \"\"}"] {
            assert_eq!(question(QuestionForm::Json, other), None, "{other}");
        }
    }

    #[test]
    fn forms_are_found_by_name_or_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("q.toml"), "title = 'Q'\ntext.begins = ['what']").unwrap();
        let rule = QuestionForm::find("q.toml", folder.path()).unwrap();
        assert_eq!((rule.question("what now").as_deref(), rule.question("so what")), (Some("what now"), None));
        let error = QuestionForm::find("lines", folder.path()).unwrap_err().to_string();
        assert!(error.contains("expected text, line, json or a TOML file, got `lines`"), "{error}");
        assert!(QuestionForm::find("p.toml", folder.path()).unwrap_err().to_string().contains("p.toml"));
    }
}
