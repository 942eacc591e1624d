//! A description as aligned text.

use std::fmt;

use super::description::{Description, LayerParameters};

/// Width of the column of labels.
const LABELS: usize = 20;

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "model", self.path.display())?;
        let architectures = self.config.architectures.join(", ");
        line(f, "architecture", if architectures.is_empty() { "-" } else { &architectures })?;
        line(f, "model_type", optional(self.config.model_type.as_ref()))?;
        self.write_parameters(f)?;
        self.write_weights(f)?;
        self.write_vocabulary(f)?;
        line(f, "chat template", if self.has_chat_template { "yes" } else { "no" })?;
        self.write_files(f)?;
        self.write_problems(f)
    }
}

impl Description {
    fn write_parameters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = &self.parameters;
        let width = grouped(parameters.total).len();
        let number = |value: u64| format!("{:>width$}", grouped(value));
        line(f, "parameters", format_args!("{} in {} tensors", number(parameters.total), self.tensors))?;
        if self.memory.is_none() {
            return Ok(());
        }
        line(f, "  embedding", number(parameters.embedding))?;
        let note = if self.tied == Some(true) { "  (tied: the embedding)" } else { "" };
        line(f, "  output projection", format_args!("{}{note}", number(parameters.output)))?;
        for run in parameters.layers.chunk_by(|a, b| a.parameters == b.parameters && list(a) == list(b)) {
            let [first, ..] = run else { continue };
            let last = &run[run.len() - 1];
            let each = if run.len() == 1 {
                format!("{}  {}", number(first.parameters), first.layer)
            } else {
                let sum = number(first.parameters * run.len() as u64);
                let index = last.layer.rsplit('.').next().unwrap_or_default();
                format!("{sum}  {} layers of {}: {}-{index}", run.len(), grouped(first.parameters), first.layer)
            };
            line(f, "  layers", each)?;
        }
        line(f, "  other", number(parameters.other))?;
        let layers = self.config.num_hidden_layers.map(|layers| format!(" (config.json: {layers})"));
        line(f, "layers", format_args!("{}{}", parameters.layers.len(), layers.unwrap_or_default()))
    }

    fn write_weights(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut label = "dtypes";
        for (dtype, used) in &self.dtypes {
            let bytes = used.bytes.map(|bytes| format!(", {}", readable(bytes)));
            line(f, label, format_args!("{dtype}: {} tensors{}", used.tensors, bytes.unwrap_or_default()))?;
            label = "";
        }
        if let Some(quantisation) = &self.quantisation {
            line(f, "quantised", quantisation)?;
        }
        line(f, "dtype in config", optional(self.config.dtype.as_ref()))?;
        let mut label = "shards";
        for shard in &self.shards {
            line(f, label, format_args!("{}: {}, {} tensors", shard.name, readable(shard.bytes), shard.tensors))?;
            label = "";
        }
        if let Some(memory) = &self.memory {
            let [stored, half, full] = [memory.as_stored, memory.in_16_bits, memory.in_32_bits].map(readable);
            line(f, "memory to load", format_args!("about {stored} as stored ({half} in 16 bits, {full} in 32 bits)"))?;
        }
        Ok(())
    }

    fn write_vocabulary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.vocabulary;
        let number = |rows: Option<u64>| optional(rows.map(grouped));
        line(
            f,
            "vocabulary",
            format_args!(
                "embedding {} rows, output projection {}, config.json {}, tokenizer {} tokens, highest id {}",
                number(rows.embedding),
                number(rows.output),
                number(rows.config),
                number(rows.tokenizer),
                number(rows.highest_id.map(u64::from))
            ),
        )?;
        line(
            f,
            "tied embeddings",
            match self.tied {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            },
        )
    }

    fn write_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.generation_config.as_ref().map(ToString::to_string);
        line(f, "generation config", generation.as_deref().unwrap_or("-"))?;
        let widths = (self.files.iter()).map(|file| (file.name.chars().count(), grouped(file.bytes).len()));
        let (names, sizes) = widths.fold((0, 0), |(a, b), (c, d)| (a.max(c), b.max(d)));
        let mut label = "files";
        for file in &self.files {
            let digest = file.sha256.as_ref().map(|digest| format!("  {digest}")).unwrap_or_default();
            line(f, label, format_args!("{:<names$}  {:>sizes$}{digest}", file.name, grouped(file.bytes)))?;
            label = "";
        }
        Ok(())
    }

    fn write_problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.is_empty() {
            let unchecked = if self.values_checked { "" } else { " (values were not looked at)" };
            return line(f, "problems", format_args!("none{unchecked}"));
        }
        line(f, "problems", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "  - {problem}"))
    }
}

/// A line with its label.
fn line(f: &mut fmt::Formatter<'_>, label: &str, text: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{label:<LABELS$}{text}")
}

/// The value, or else a dash.
fn optional(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The list that a layer is in.
fn list(layer: &LayerParameters) -> &str {
    layer.layer.rsplit_once('.').map_or("", |(list, _)| list)
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit of which there is one, to three digits or so.
fn readable(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, readable};

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 8_030_261_248].map(grouped), ["0", "999", "1,000", "8,030,261,248"]);
        assert_eq!([1023, 1024, 1 << 31, 1 << 41].map(readable), ["1023 bytes", "1.00 KiB", "2.00 GiB", "2.00 TiB"]);
    }
}
