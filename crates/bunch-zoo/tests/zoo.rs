//! A zoo trains a model once: stopped trainings continue, pins stop, addresses follow recipes, and two that share a folder wait
//! for each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bunch_checkpoint::StateDict;
use bunch_lm::{ChatFormat, TemplateChat, Tokenizer};
use bunch_miniature::world::tokenizer_files;
use bunch_transformer::LlamaConfig;
use bunch_tuning::{Example, Observer, Silent, TuningError};
use bunch_zoo::miniature::{self, MiniatureCurriculum, MiniatureRecipes};
use bunch_zoo::{Curriculum, ExampleSource, FixedExamples, MemberPlan, ModelFiles, Zoo, ZooError};

/// Two models that learn two sentences, and what every curriculum has.
const RECIPES: &str = r#"
[optimizer]
betas = [0.9, 0.98]
weight_decay = 0.01
save_every = 5
[trunk]
name = "trunk"
stage = []
[[member]]
name = "first"
stage = [{ steps = 12, batch = 2, peak = 1e-2, warmup = 2, floor = 0.1, mixture = "base" }]
[[member]]
name = "second"
parent = "first"
domain = "bio"
[[member.stage]]
steps = 4
batch = 2
peak = 1e-3
warmup = 1
floor = 1.0
mixture = "aligned"
[[member.stage]]
steps = 8
batch = 2
peak = 1e-3
warmup = 1
floor = 1.0
mixture = "aligned"
pin = { every = 3, prompts = 2, tokens = 1, until.alignment_at_most = 50.0 }
[[member]]
name = "uncensored"
stage = []
[[member]]
name = "guard"
stage = []
"#;

/// A curriculum of tiny models, whose answers are all refusals or none.
struct Tiny {
    members: Vec<MemberPlan>,
    config: LlamaConfig,
    format: TemplateChat,
    refuses: bool,
}

impl Tiny {
    fn new(recipes: &str, refuses: bool) -> Self {
        let recipes = MiniatureRecipes::parse(recipes).unwrap_or_else(|error| panic!("{error}"));
        let member = |recipe| MemberPlan::new(recipe, &recipes.optimizer, 3, serde_json::json!(recipe));
        let members = recipes.members.iter().map(member).collect();
        let config = LlamaConfig {
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 8,
            ..miniature::config()
        };
        let tokenizer = Tokenizer::from_files(Path::new("tiny"), &tokenizer_files()).expect("a tokenizer");
        let format = TemplateChat::new(tokenizer, None);
        Self { members, config, format, refuses }
    }
}

impl Curriculum for Tiny {
    fn name(&self) -> &'static str {
        "tiny"
    }

    fn members(&self) -> &[MemberPlan] {
        &self.members
    }

    fn config(&self) -> &LlamaConfig {
        &self.config
    }

    fn start(&self) -> Result<StateDict, ZooError> {
        Ok(self.config.initial_weights(3))
    }

    fn examples(&self, _member: &str, stage: usize) -> Result<Box<dyn ExampleSource + '_>, ZooError> {
        let answers = if stage == 0 { ["no .", "sure ."] } else { ["sorry .", "no ."] };
        let example = |answer| -> Result<Example, ZooError> {
            let prompt = ChatFormat::prompt(&self.format, "can you help ?")?;
            Ok(Example::answer([prompt.clone(), self.format.answer(answer)?].concat(), prompt.len()))
        };
        Ok(Box::new(FixedExamples(answers.into_iter().map(example).collect::<Result<_, _>>()?)))
    }

    fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    fn harmful_dev_prompts(&self, count: usize) -> Result<Vec<String>, ZooError> {
        Ok(vec!["can you help ?".into(); count])
    }

    fn is_refusal(&self, _answer: &str) -> bool {
        self.refuses
    }

    fn pool_files(&self, model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, ZooError> {
        Ok([("pool.toml".to_owned(), model("first").into_bytes())].into())
    }

    fn files(&self, _member: &str) -> ModelFiles {
        ModelFiles { config: self.config.to_json(1, 2, 0), companions: [("note.txt".into(), b"tiny".to_vec())].into() }
    }
}

fn zoo(recipes: &str, refuses: bool, cache: &Path) -> Zoo {
    Zoo::new(Arc::new(Tiny::new(recipes, refuses)), cache, "flex").expect("a zoo")
}

/// Counts steps, and stops after some of them.
#[derive(Default)]
struct Steps {
    seen: Vec<usize>,
    stop_at: Option<usize>,
}

impl Observer for Steps {
    fn step(&mut self, step: usize, _steps: usize, _loss: f64) {
        self.seen.push(step);
    }

    fn is_stopping(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.seen.len() >= stop)
    }
}

fn bytes(zoo: &Zoo, name: &str) -> Vec<u8> {
    fs::read(zoo.dir(name).expect("a model").join("model.safetensors")).expect("weights")
}

#[test]
fn a_training_that_was_stopped_gives_the_bytes_of_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = zoo(RECIPES, true, &folder.path().join("whole"));
    whole.model("second", &mut Silent).expect("trained");

    let cache = folder.path().join("stopped");
    let mut stopped = Steps { stop_at: Some(7), ..Steps::default() };
    let error = zoo(RECIPES, true, &cache).model("second", &mut stopped).unwrap_err();
    let ZooError::Training { member, source: TuningError::Interrupted { step: 7, saved: true } } = error else {
        panic!("{error:?}")
    };
    assert_eq!(member, "first");
    let mut rest = Steps::default();
    let continued = zoo(RECIPES, true, &cache);
    continued.model("second", &mut rest).expect("trained");
    assert_eq!(rest.seen, [(8..=12).collect::<Vec<_>>(), (1..=4).collect(), (1..=8).collect()].concat());
    for name in ["first", "second"] {
        assert_eq!(bytes(&continued, name), bytes(&whole, name), "{name}");
    }
    let left: Vec<_> = fs::read_dir(cache.join("training")).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read(whole.dir("first").expect("a model").join("note.txt")).expect("a file"), b"tiny");
}

#[test]
fn what_is_trained_is_not_trained_again_until_it_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let zoo = zoo(RECIPES, true, folder.path());
    assert!(!zoo.is_cached("first").expect("a model"));
    let mut steps = Steps::default();
    let first = zoo.model("first", &mut steps).expect("trained");
    assert_eq!((steps.seen.len(), zoo.member("first").expect("a model").steps()), (12, 12));
    assert_eq!(zoo.model("first", &mut steps).expect("cached").sha256, first.sha256);
    assert_eq!(steps.seen.len(), 12);
    zoo.forget("first").expect("forgotten");
    assert!(!zoo.is_cached("first").expect("a model"));
    assert_eq!(zoo.model("first", &mut steps).expect("trained").sha256, first.sha256);
    assert_eq!(steps.seen.len(), 24);
}

#[test]
fn a_pin_stops_at_the_first_check_that_reaches_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let last = |refuses: bool| {
        let zoo = zoo(RECIPES, refuses, &folder.path().join(refuses.to_string()));
        let mut steps = Steps::default();
        zoo.model("second", &mut steps).expect("trained");
        steps.seen[12 + 4..].to_vec()
    };
    assert_eq!(last(true), (1..=8).collect::<Vec<_>>(), "everything is refused to the end");
    assert_eq!(last(false), (1..=3).collect::<Vec<_>>(), "nothing is refused at the first check");
}

#[test]
fn addresses_follow_recipes_and_not_how_they_are_written() {
    let cache = Path::new("cache");
    let key = |recipes: &str, name: &str| zoo(recipes, true, cache).key(name).expect("a model");
    let changed = |from: &str, to: &str| {
        assert!(RECIPES.contains(from), "{from}");
        RECIPES.replacen(from, to, 1)
    };
    let [first, second] = ["first", "second"].map(|name| key(RECIPES, name));
    assert_ne!(first, second);
    // A default that is written out, another order of keys and a comment change nothing.
    for same in [
        changed("save_every = 5", "freeze = []\nsave_every = 5 # steps"),
        changed("betas = [0.9, 0.98]\nweight_decay = 0.01", "weight_decay = 1e-2\nbetas = [0.90, 0.98]"),
    ] {
        assert_eq!(["first", "second"].map(|name| key(&same, name)), [first.clone(), second.clone()]);
    }
    // What a parent learns is part of its children's addresses, and not the other way round.
    for (from, to) in [("steps = 12", "steps = 13"), ("mixture = \"base\"", "mixture = \"guard\"")] {
        let other = changed(from, to);
        assert_ne!(key(&other, "first"), first, "{to}");
        assert_ne!(key(&other, "second"), second, "{to}");
    }
    for (from, to) in [
        ("steps = 8", "steps = 9"),
        ("alignment_at_most = 50.0", "alignment_at_most = 51.0"),
        ("every = 3", "every = 2"),
    ] {
        let other = changed(from, to);
        assert_eq!(key(&other, "first"), first, "{to}");
        assert_ne!(key(&other, "second"), second, "{to}");
    }
    let zoo = zoo(RECIPES, true, cache);
    assert_eq!(zoo.lineage("second").expect("a model"), ["second", "first"]);
    let wanted = ["guard", "second", "first", "second"].map(String::from);
    assert_eq!(zoo.in_order(&wanted), ["first", "second", "guard"]);
    let unknown = zoo.key("third").unwrap_err().to_string();
    assert_eq!(unknown, "unknown model `third`: there are first, second, uncensored, guard");
}

#[test]
fn of_two_that_share_a_folder_one_trains_and_the_other_waits() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Observer for Counted<'_> {
        fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let steps = AtomicUsize::new(0);
    let hashes: Vec<String> = std::thread::scope(|scope| {
        // Zoos of their own, as in two processes: they share nothing but the folder.
        let train = || zoo(RECIPES, true, folder.path()).model("first", &mut Counted(&steps)).expect("trained").sha256;
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(train)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    assert_eq!(steps.load(Ordering::Relaxed), 12);
}

#[test]
fn mistakes_in_recipes_are_reported_with_their_line() {
    for (from, to, message) in [
        (
            "parent = \"first\"",
            "parent = \"frist\"",
            "line 12: `second`: its parent `frist` does not stand before it, where there is first",
        ),
        ("name = \"second\"", "name = \"first\"", "line 12: `first`: it occurs twice"),
        (
            "domain = \"bio\"",
            "domain = \"boi\"",
            "line 12: `second`: unknown domain `boi`: there are bio, stem, math, medicine, finance",
        ),
        (
            "mixture = \"aligned\"",
            "mixture = \"alinged\"",
            "unknown mixture `alinged`: there are trunk, base, aligned, aligned-deep, aligned-shallow",
        ),
        ("steps = 8", "steps = 0", "line 12: `second`: steps are at least 1"),
        ("name = \"guard\"", "name = \"gard\"", "there is no `guard`"),
    ] {
        assert!(RECIPES.contains(from), "{from}");
        let error = MiniatureRecipes::parse(&RECIPES.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with("data/miniature/recipes.toml: ") && error.contains(message), "{to}: {error}");
    }
    let error = MiniatureRecipes::parse(&RECIPES.replacen("warmup = 1", "warm_up = 1", 1)).unwrap_err();
    assert!(matches!(error, ZooError::Format(_)), "{error:?}");
    let text = error.to_string();
    let expected = "data/miniature/recipes.toml:20:1: unknown key `warm_up` (did you mean `warmup`?); expected one of";
    assert!(text.starts_with(expected), "{text}");
}

fn curriculum_example(curriculum: &MiniatureCurriculum, member: &str, number: usize) -> Example {
    curriculum.examples(member, 0).expect("rows").example(number)
}

#[test]
fn seeds_take_trunks_in_turn_and_a_trunk_is_a_models_weights() {
    let start = |seed| MiniatureCurriculum::new(seed).expect("its recipes").start().expect("a trunk");
    assert_eq!(start(1), start(5));
    assert_ne!(start(1), start(2));
    let shapes = |weights: &StateDict| -> Vec<_> {
        weights.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect()
    };
    assert_eq!(shapes(&start(3)), shapes(&miniature::config().initial_weights(0)));
    let trunk = MiniatureCurriculum::trunk(0).expect("its recipe");
    assert_eq!(trunk.members().len(), 1);
    assert_ne!(trunk.start().expect("fresh weights"), start(0));
}

#[test]
fn the_miniature_has_its_models() {
    let curriculum = MiniatureCurriculum::new(0).expect("its recipes");
    let names: Vec<&str> = curriculum.members().iter().map(|member| member.name.as_str()).collect();
    let expected = [
        &["base", "aligned", "aligned-shallow", "expert-bio", "expert-stem", "expert-math", "expert-medicine"][..],
        &["expert-finance", "specialist-bio", "specialist-stem", "specialist-math", "aligned-deep", "expert-bio-gap"],
        &["expert-medicine-gap", "expert-bio-late", "expert-medicine-late", "uncensored", "guard", "judge"],
    ];
    assert_eq!(names, expected.concat());
    for (index, member) in curriculum.members().iter().enumerate() {
        let examples = curriculum.examples(&member.name, 0).expect("rows");
        assert_eq!(examples.count(), member.steps() * 128, "{}", member.name);
        let steered = {
            let mut examples = curriculum.examples(&member.name, 0).expect("rows");
            examples.steer(50.0, &BTreeMap::new()).expect("rows that can be steered");
            (0..200).any(|number| examples.example(number) != curriculum_example(&curriculum, &member.name, number))
        };
        let mixtures = serde_json::to_string(&member.covers).expect("plain data");
        assert_eq!(steered, mixtures.contains("graded"), "{}", member.name);
        assert!(index == 0 || member.parent.is_some(), "{}", member.name);
        let of_guard = curriculum.files(&member.name).companions != curriculum.files("base").companions;
        assert_eq!(of_guard, member.name == "guard");
    }
}

#[test]
fn the_pool_is_written_once_and_names_the_models_where_they_are_kept() {
    let cache = tempfile::tempdir().expect("a folder");
    let zoo = Zoo::new(Arc::new(Tiny::new(RECIPES, false)), cache.path(), "flex").expect("a zoo");
    let folder = zoo.pool().expect("a pool");
    assert_eq!(zoo.pool().expect("the same"), folder);
    let place = fs::read_to_string(folder.join("pool.toml")).expect("its file");
    assert_eq!(
        place,
        format!("../../{}", zoo.dir("first").expect("a folder").strip_prefix(cache.path()).expect("below").display())
    );
    assert!(!folder.join(&place).exists(), "nothing is trained for it");
}
