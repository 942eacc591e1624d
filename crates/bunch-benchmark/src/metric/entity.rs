//! Entity-level F1 of `word (TYPE)` lists, as AdaptLLM scores NER with the package nereval.

use crate::python::Pattern;

/// An entity: the last word before the bracket, with white space before its last separator kept, and its type.
type Entity = (String, String);

/// F1 in [0, 1] of one document: an entity counts once for its text and once for its type.
///
/// # Errors
/// The expression runs without end on a text; in words.
pub(crate) fn entity_f1(prediction: &str, reference: &str) -> Result<f64, String> {
    let pattern = Pattern::new(r"([^\s]+[\s]+)(\([^\s]+\))")?;
    let expected = entities(&pattern, reference)?;
    let predicted = entities(&pattern, prediction)?;
    let mut correct = 0;
    for (text, kind) in &expected {
        // All entities start at 0, so they overlap; the first prediction that agrees in anything ends the search.
        for (other_text, other_kind) in &predicted {
            let agreeing = usize::from(text == other_text) + usize::from(kind == other_kind);
            correct += agreeing;
            if agreeing > 0 {
                break;
            }
        }
    }
    let share = |of: usize| if of == 0 { 0.0 } else { correct as f64 / (2 * of) as f64 };
    let (precision, recall) = (share(predicted.len()), share(expected.len()));
    Ok(if precision + recall == 0.0 { 0.0 } else { 2.0 * (precision * recall) / (precision + recall) })
}

fn entities(pattern: &Pattern, text: &str) -> Result<Vec<Entity>, String> {
    let mut entities = Vec::new();
    for groups in pattern.find_all(text)? {
        let [words, bracket] = groups.as_slice() else { continue };
        let mut name = words.clone();
        name.pop();
        let kind = bracket.strip_prefix('(').and_then(|kind| kind.strip_suffix(')')).unwrap_or_default();
        let entity = (name, kind.to_string());
        if !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    Ok(entities)
}

#[cfg(test)]
mod tests {
    use super::entity_f1;

    #[test]
    fn equals_nereval() {
        // nereval 0.2.5 on the parsed entities.
        for (prediction, reference, f1) in [
            (" Acme (ORG) and Bob (PER)", " Acme (ORG) and Bob (PER)", 1.0),
            (" Bob (PER)", " Acme (ORG) and Bob (PER)", 2.0 / 3.0),
            (" Acme (PER)", " Acme (ORG)", 0.5),
            ("nothing", " Acme (ORG)", 0.0),
            (" Acme (ORG)", "", 0.0),
            ("", "", 0.0),
            (" Acme Corp (ORG), Acme Corp (ORG)", " Big Corp (ORG)", 1.0),
            (" New  (LOC)", " New (LOC)", 0.5),
        ] {
            let found = entity_f1(prediction, reference).expect("a score");
            assert!((found - f1).abs() < 1e-12, "{prediction:?} {reference:?}: {found}");
        }
    }
}
