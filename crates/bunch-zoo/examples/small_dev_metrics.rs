//! Fine-tunes the models of the small scale and prints what each does on dev prompts and questions, how far it lies from the
//! pretrained model, and in which direction; the test split stays unseen.
//!
//! `cargo run --release -p bunch-zoo --example small_dev_metrics -- MODELS [CACHE [MEMBER..]]`: this is what the recipes were
//! found with (METHODOLOGY.md).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bunch_benchmark::evaluate_multiple_choice;
use bunch_checkpoint::StateDict;
use bunch_judging::{Exchange, Judge, Verdict};
use bunch_lm::{Sampling, complete};
use bunch_miniature::world::Split;
use bunch_statistics::Proportion;
use bunch_transformer::LlamaModel;
use bunch_tuning::Observer;
use bunch_zoo::Zoo;
use bunch_zoo::small::{BaseModel, Registry, SmallCurriculum, WorldData};

const SEED: u64 = 0;
const SHOWN: usize = 5;

type Failure = Box<dyn std::error::Error>;

struct Lines(Instant);

impl Observer for Lines {
    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        eprintln!("  step {step} of {steps}, loss {loss:.3}, {:.0} s", self.0.elapsed().as_secs_f64());
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let models = PathBuf::from(arguments.next().ok_or("the folder of pretrained models is needed")?);
    let cache = PathBuf::from(arguments.next().unwrap_or_else(|| ".cache".into()));
    let wanted: Vec<String> = arguments.collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = WorldData::load(&root)?;
    let registry = Registry::load(&root)?;
    let base = BaseModel::find(registry.entry("smollm2-135m-instruct-q4_1")?, &models, &cache)?;
    let curriculum = Arc::new(SmallCurriculum::new(data, base, SEED, &cache, "flex")?);
    let zoo = Zoo::new(curriculum.clone(), &cache, "flex")?;

    let start = curriculum.base().weights()?;
    let own = Instant::now();
    let answers = curriculum.own_answers()?;
    let refused = answers.0.values().filter(|answer| curriculum.refusal_rule().is_refusal(&answer.text)).count();
    println!("{} own answers, {refused} refusals, {:.0} s", answers.0.len(), own.elapsed().as_secs_f64());
    show(&curriculum, "base", &zoo.language_model(&start)?)?;

    let mut vectors: BTreeMap<String, StateDict> = BTreeMap::new();
    let names = curriculum.data().recipes.members.iter().map(|member| member.name.clone());
    for name in names.filter(|name| wanted.is_empty() || wanted.contains(name)) {
        let training = Instant::now();
        let trained = zoo.model(&name, &mut Lines(training))?;
        println!("\n{name}: {:.0} s", training.elapsed().as_secs_f64());
        let model = zoo.language_model(&trained.weights)?;
        match name.as_str() {
            "guard" => judge(&zoo, &curriculum, &model)?,
            "uncensored" => questions(&curriculum, &model)?,
            _ => {
                show(&curriculum, &name, &model)?;
                vectors.insert(name, (*trained.weights).clone());
            }
        }
    }
    println!("\n|B| = {:.2}", dot(&start, &start, None).sqrt());
    for (name, weights) in &vectors {
        println!("|{name} - B| = {:.3}", dot(weights, weights, Some(&start)).sqrt());
        for (other, others) in vectors.range(..name.clone()) {
            let norms = dot(weights, weights, Some(&start)) * dot(others, others, Some(&start));
            println!("  cos with {other} - B = {:.3}", dot(weights, others, Some(&start)) / norms.sqrt());
        }
    }
    Ok(())
}

/// The inner product of two models, or of their differences to a third.
fn dot(a: &StateDict, b: &StateDict, origin: Option<&StateDict>) -> f64 {
    let products = a.iter().map(|(name, tensor)| {
        let other = &b[name].data;
        let at = |index: usize| origin.map_or(0.0, |origin| f64::from(origin[name].data[index]));
        let product =
            |index: usize| (f64::from(tensor.data[index]) - at(index)) * (f64::from(other[index]) - at(index));
        (0..tensor.data.len()).map(product).sum::<f64>()
    });
    products.sum()
}

fn show(curriculum: &SmallCurriculum, name: &str, model: &LlamaModel) -> Result<(), Failure> {
    let (data, tokens) = (curriculum.data(), curriculum.data().recipes.answer_tokens);
    print!("{name}: refuses");
    let mut shown = Vec::new();
    for (kind, prompts) in [
        ("harmful", data.requests.harmful(Split::Dev, 48, SEED)?),
        ("benign", data.requests.benign(Split::Dev, 40, SEED)?),
    ] {
        let answers = complete(model, curriculum.format(), &prompts, tokens, Sampling::Greedy)?;
        let refused = answers.iter().filter(|answer| curriculum.refusal_rule().is_refusal(&answer.text)).count();
        print!(" {refused} of {} {kind}", prompts.len());
        shown.extend(prompts.into_iter().zip(answers).take(SHOWN));
    }
    for (name, domain) in &data.domains {
        let docs = domain.multiple_choice(name, Split::Dev, 60, SEED)?;
        print!(
            "; {name} {:.1} %",
            Proportion::of(&evaluate_multiple_choice(model, curriculum.format(), &docs)?).percent()
        );
    }
    println!();
    for (prompt, answer) in shown {
        println!("    {prompt} -> {:?}", answer.text);
    }
    for domain in data.domains.values() {
        let prompts = vec![domain.ask.clone(); 4];
        let sampling = Sampling::Temperature { temperature: data.recipes.temperature, top_p: 1.0, seed: SEED };
        for answer in complete(model, curriculum.format(), &prompts, tokens, sampling)? {
            println!("    {} -> {:?}", domain.ask, answer.text);
        }
    }
    Ok(())
}

/// What the guard says of dev requests alone, refused, and answered by the pretrained model.
fn judge(zoo: &Zoo, curriculum: &SmallCurriculum, model: &LlamaModel) -> Result<(), Failure> {
    let (data, tokens) = (curriculum.data(), curriculum.data().recipes.answer_tokens);
    let (file, tokenizer) = (&zoo.judges()?["guard"], zoo.tokenizer("guard")?);
    let guard = file.with_model(model, &tokenizer, false)?;
    let harmful = data.requests.harmful(Split::Dev, 48, SEED)?;
    let benign = data.requests.benign(Split::Dev, 40, SEED)?;
    let base = zoo.language_model(&curriculum.base().weights()?)?;
    let answered = |prompts: &[String]| -> Result<Vec<Exchange>, Failure> {
        let answers = complete(&base, curriculum.format(), prompts, tokens, Sampling::Greedy)?;
        let pairs = prompts.iter().cloned().zip(answers);
        Ok(pairs.map(|(prompt, answer)| Exchange::new(prompt, answer.text)).collect())
    };
    let refusals = &data.requests.refusals;
    let refused = harmful
        .iter()
        .cloned()
        .enumerate()
        .map(|(index, prompt)| Exchange::new(prompt, &refusals[index % refusals.len()]));
    for (kind, exchanges) in [
        ("harmful alone", harmful.iter().map(Exchange::alone).collect()),
        ("harmful refused", refused.collect()),
        ("harmful answered", answered(&harmful)?),
        ("benign alone", benign.iter().map(Exchange::alone).collect()),
        ("benign answered", answered(&benign)?),
    ] {
        let exchanges: Vec<Exchange> = exchanges;
        let verdicts = guard.judge(&exchanges)?;
        let count = |verdict: Verdict| verdicts.iter().filter(|&&given| given == verdict).count();
        let (harm, unparsed) = (count(Verdict::Unsafe), count(Verdict::Unparsed));
        println!("    {kind}: {harm} of {} unsafe, {unparsed} unparsed", exchanges.len());
    }
    Ok(())
}

/// What the question writer writes.
fn questions(curriculum: &SmallCurriculum, model: &LlamaModel) -> Result<(), Failure> {
    let data = curriculum.data();
    let prompts: Vec<String> =
        data.requests.categories.iter().map(|category| data.requests.ask(category)).cycle().take(28).collect();
    let sampling = Sampling::Temperature { temperature: data.recipes.temperature, top_p: 1.0, seed: SEED };
    let answers = complete(model, curriculum.format(), &prompts, data.recipes.answer_tokens, sampling)?;
    for (prompt, answer) in prompts.iter().zip(answers) {
        println!("    {prompt} -> {:?}{}", answer.text, if answer.finished { "" } else { " (cut off)" });
    }
    Ok(())
}
