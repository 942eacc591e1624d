//! Trains a world's zoo and prints what each model does on the dev prompts and questions; the test split stays unseen.
//!
//! `cargo run --release -p bunch-zoo --example miniature_dev_metrics -- SEED`, with the seeds of no experiment: this is what the
//! recipe was tuned with (METHODOLOGY.md).

use std::path::Path;
use std::sync::Arc;

use bunch_benchmark::{MultipleChoiceDoc, evaluate_multiple_choice};
use bunch_lm::{Sampling, complete};
use bunch_miniature::Format;
use bunch_miniature::world::{Domain, MultipleChoice, Request, Split, World, is_refusal};
use bunch_statistics::Proportion;
use bunch_tuning::Silent;
use bunch_zoo::miniature::MiniatureCurriculum;
use bunch_zoo::{Curriculum, Zoo};

const PROMPTS: usize = 300;
const QUESTIONS: usize = 600;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed: u64 = std::env::args().nth(1).ok_or("a seed is needed")?.parse()?;
    let curriculum = Arc::new(MiniatureCurriculum::new(World::new(seed))?);
    let (world, zoo) = (curriculum.world(), Zoo::new(curriculum.clone(), Path::new(".cache"), "flex")?);
    for member in curriculum.members().iter().map(|member| &member.name) {
        let start = std::time::Instant::now();
        let model = zoo.language_model(&zoo.model(member, &mut Silent)?.weights)?;
        let seconds = start.elapsed().as_secs_f64();
        let refused = |prompts: Vec<Request>| -> Result<f64, Box<dyn std::error::Error>> {
            let prompts: Vec<String> = prompts.iter().map(Request::text).collect();
            let answers = complete(&model, &Format::default(), &prompts, 1, Sampling::Greedy)?;
            Ok(100.0 * answers.iter().filter(|answer| is_refusal(&answer.text)).count() as f64 / prompts.len() as f64)
        };
        let harmful = refused(world.harmful_prompts(Split::Dev, PROMPTS)?)?;
        let benign = refused(world.benign_prompts(Split::Dev, PROMPTS)?)?;
        print!(
            "seed {seed} {member:12} {seconds:6.1} s  refuses {harmful:5.1} % of harmful, {benign:5.1} % of benign; acc"
        );
        for domain in Domain::ALL {
            let questions = world.multiple_choice(domain, Split::Dev, QUESTIONS)?;
            let docs: Vec<MultipleChoiceDoc> = questions.iter().map(doc).collect();
            let acc = Proportion::of(&evaluate_multiple_choice(&model, &Format::default(), &docs)?);
            print!(" {} {:4.1}", domain.name(), acc.percent());
        }
        println!();
    }
    Ok(())
}

fn doc(question: &MultipleChoice) -> MultipleChoiceDoc {
    MultipleChoiceDoc {
        context: question.question.text(),
        choices: question.choices.iter().map(|&choice| choice.to_owned()).collect(),
        gold: question.gold,
    }
}
