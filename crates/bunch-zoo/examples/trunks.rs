//! Trains trunks as those in data/miniature/trunks were trained: `cargo run --release -p bunch -p bunch-zoo --example trunks --
//! FOLDER [NUMBER]`, each in some minutes. METHODOLOGY.md tells why they are not the same byte for byte.

use std::path::PathBuf;
use std::sync::Arc;

use bunch_checkpoint::{Dtype, ModelDirectory};
use bunch_tuning::Observer;
use bunch_zoo::Zoo;
use bunch_zoo::miniature::{MiniatureCurriculum, TRUNKS};
use serde_json::json;

struct Printing(usize);

impl Observer for Printing {
    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        if step.is_multiple_of(50) {
            println!("trunk {}: step {step} of at most {steps}, loss {loss:.3}", self.0);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("expected a folder to write to")?);
    std::fs::create_dir_all(&folder)?;
    let wanted = std::env::args().nth(2).map(|number| number.parse::<usize>()).transpose()?;
    for number in (0..TRUNKS.len()).filter(|number| wanted.is_none_or(|wanted| wanted == *number)) {
        let zoo = Zoo::new(Arc::new(MiniatureCurriculum::trunk(number)?), &folder.join("cache"), "flex")?;
        let trunk = zoo.model("trunk", &mut Printing(number))?;
        let mut directory = ModelDirectory::new(json!({}), &trunk.weights);
        directory.dtype = Dtype::BF16;
        directory.replace = true;
        let written = folder.join(format!("trunk-{number}"));
        directory.write(&written)?;
        std::fs::rename(written.join("model.safetensors"), folder.join(format!("trunk-{number}.safetensors")))?;
        std::fs::remove_dir_all(&written)?;
        println!("trunk {number}: {}", zoo.dir("trunk")?.join("looks.json").display());
    }
    Ok(())
}
