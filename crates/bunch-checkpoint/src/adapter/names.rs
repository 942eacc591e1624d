//! The names that PEFT gives to an adapter's tensors.

/// What PEFT puts before the names of the model's own modules.
const PREFIX: &str = "base_model.model.";

/// Ends of the names of both factors.
const FACTORS: [&str; 2] = [".lora_A.weight", ".lora_B.weight"];

/// The last parts of the names of factors, of linear modules and of embeddings.
const KINDS: [(&str, bool, usize); 4] =
    [("lora_A", false, 0), ("lora_B", false, 1), ("lora_embedding_A", true, 0), ("lora_embedding_B", true, 1)];

/// What a tensor of an adapter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The factor A (0) or B (1) of a module.
    Factor { module: String, position: usize, is_embedding: bool },
    /// Takes the place of the tensor of this name.
    Replacement(String),
    /// A copy of what the model has already.
    Original,
    /// Anything else that LoRA's variants store.
    Unknown,
}

/// Name of the factor that reads the module's input, `[rank, in]`.
pub fn factor_a(module: &str) -> String {
    format!("{PREFIX}{module}{}", FACTORS[0])
}

/// Name of the factor that writes the module's output, `[out, rank]`.
pub fn factor_b(module: &str) -> String {
    format!("{PREFIX}{module}{}", FACTORS[1])
}

/// The module that the factor `name` is for, if it is a factor.
pub fn module_of_factor(name: &str) -> Option<&str> {
    let module = name.strip_prefix(PREFIX)?;
    FACTORS.iter().find_map(|end| module.strip_suffix(end))
}

impl Part {
    /// Reads a name. The adapter's own name (`default`) may stand in it, which PEFT leaves out when it saves and other
    /// writers do not; `.base_layer` names the weight below a product, `.modules_to_save` a module that was trained as a
    /// whole.
    pub(super) fn of(name: &str) -> Self {
        let own = name.strip_prefix(PREFIX).unwrap_or(name);
        let parts: Vec<&str> = own.split('.').collect();
        for (at, part) in parts.iter().enumerate() {
            if let Some(&(_, is_embedding, position)) = KINDS.iter().find(|(kind, ..)| kind == part) {
                let rest = &parts[at + 1..];
                // `.weight` with or without a name before it; embeddings' factors have no `.weight`.
                let is_factor =
                    if is_embedding { matches!(rest, [] | [_]) } else { matches!(rest, ["weight"] | [_, "weight"]) };
                let module = parts[..at].join(".");
                return if is_factor { Self::Factor { module, position, is_embedding } } else { Self::Unknown };
            }
        }
        if own.contains("lora_") {
            return Self::Unknown;
        }
        if parts.contains(&"original_module") {
            return Self::Original;
        }
        let mut kept: Vec<&str> = parts.clone();
        if let Some(at) = kept.iter().position(|part| *part == "modules_to_save") {
            // What follows is the adapter's name, unless it is the tensor's.
            let named = at + 2 < kept.len();
            kept.drain(at..=at + usize::from(named));
        }
        kept.retain(|part| *part != "base_layer");
        Self::Replacement(kept.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_named_as_in_peft() {
        let [a, b] = [factor_a("m.q_proj"), factor_b("m.q_proj")];
        assert_eq!(
            [a.as_str(), b.as_str()],
            ["base_model.model.m.q_proj.lora_A.weight", "base_model.model.m.q_proj.lora_B.weight"]
        );
        assert_eq!([&a, &b].map(|name| module_of_factor(name)), [Some("m.q_proj"); 2]);
        assert_eq!(module_of_factor("m.q_proj.lora_A.weight"), None);
    }

    #[test]
    fn all_names_of_peft_are_understood() {
        let factor = |position, is_embedding| Part::Factor { module: "m.q_proj".into(), position, is_embedding };
        for (name, part) in [
            ("base_model.model.m.q_proj.lora_A.weight", factor(0, false)),
            ("m.q_proj.lora_B.weight", factor(1, false)),
            ("base_model.model.m.q_proj.lora_B.default.weight", factor(1, false)),
            ("base_model.model.m.q_proj.lora_embedding_A", factor(0, true)),
            ("base_model.model.m.q_proj.lora_embedding_B.default", factor(1, true)),
            ("base_model.model.m.q_proj.lora_B.bias", Part::Unknown),
            ("base_model.model.m.q_proj.lora_magnitude_vector", Part::Unknown),
            ("base_model.model.m.q_proj.base_layer.bias", Part::Replacement("m.q_proj.bias".into())),
            ("base_model.model.m.q_proj.bias", Part::Replacement("m.q_proj.bias".into())),
            ("base_model.model.lm_head.modules_to_save.weight", Part::Replacement("lm_head.weight".into())),
            ("base_model.model.lm_head.modules_to_save.default.weight", Part::Replacement("lm_head.weight".into())),
            ("base_model.model.lm_head.original_module.weight", Part::Original),
        ] {
            assert_eq!(Part::of(name), part, "{name}");
        }
    }
}
