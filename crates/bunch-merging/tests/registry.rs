//! What holds over the list of all methods: names, documentation, examples, error messages.

use bunch_merging::{
    BaseRole, CATALOGUE, DareLinear, DareTies, Info, MergeError, MergeMethod, Mergealign, Method, ROLE_NAMES,
    TaskArithmetic, TensorAcrossModels, TensorSource, Ties, Values, docs_page, method_code, method_schema,
    methods_table,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The TOML block of a method's doc comment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// Dimensions; one row unless given.
    shape: Option<Vec<usize>>,
    base: Option<Vec<f32>>,
    experts: Experts,
    merge: Method,
    merged: Vec<f32>,
}

/// In a list, or by role.
#[derive(Deserialize)]
#[serde(untagged)]
enum Experts {
    List(Vec<Vec<f32>>),
    ByRole(BTreeMap<String, Vec<f32>>),
}

impl Experts {
    /// In the order of the method, which must know them by role if and only if they are given so.
    fn ordered(self, info: &Info) -> Vec<Vec<f32>> {
        match self {
            Self::List(experts) => {
                assert!(info.roles.is_empty(), "{}: an example with roles names them", info.name);
                experts
            }
            Self::ByRole(mut experts) => {
                let ordered =
                    info.expert_roles().iter().map(|role| experts.remove(role.name).expect("each role")).collect();
                assert!(experts.is_empty(), "{}: {:?} are no roles", info.name, experts.keys());
                ordered
            }
        }
    }
}

/// A model of one tensor.
struct Single<'a>(TensorAcrossModels<'a>);

impl TensorSource for Single<'_> {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        visit(&self.0)
    }
}

fn merge(method: &Method, base: Option<&[f32]>, experts: &[Vec<f32>]) -> Vec<f32> {
    merge_shaped(method, &[experts[0].len()], base, experts)
}

fn merge_shaped(method: &Method, shape: &[usize], base: Option<&[f32]>, experts: &[Vec<f32>]) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(Values::from).collect();
    let tensor = TensorAcrossModels::new("example", shape, base.map(Values::Slice), &experts);
    let survey = method.survey(experts.len(), &mut Single(tensor)).expect("a valid merge");
    let tensor = TensorAcrossModels { survey: survey.as_ref(), ..tensor };
    let mut merged = vec![f32::NAN; experts[0].len()];
    method.merge(&tensor, 0, &mut merged).expect("a valid merge");
    merged
}

#[test]
fn names_are_unique_snake_case_and_the_tags_of_the_configuration() {
    let schema = schemars::schema_for!(Method);
    let tags: Vec<&str> = schema.as_value()["oneOf"]
        .as_array()
        .expect("one schema for each method")
        .iter()
        .map(|variant| variant["required"][0].as_str().expect("a tag"))
        .collect();
    let names: Vec<&str> = CATALOGUE.iter().map(|info| info.name).collect();
    assert_eq!(names, tags);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let titles: BTreeSet<&str> = CATALOGUE.iter().map(|info| info.title).collect();
    assert_eq!(titles.len(), names.len());
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')), "{names:?}");
}

#[test]
fn papers_are_well_formed() {
    for paper in CATALOGUE.iter().filter_map(|info| info.paper) {
        assert!(paper.url().is_some(), "{}", paper.id);
        let year = paper.authors.rsplit(", ").next().expect("a year");
        assert!(year.len() == 4 && year.parse::<u16>().is_ok(), "{}", paper.authors);
    }
}

#[test]
fn every_method_and_every_field_is_documented_in_sentences() {
    for info in CATALOGUE {
        let schema = method_schema(info.name).expect("a registered method");
        let fields = schema.as_value()["properties"].as_object().into_iter().flatten();
        for (field, property) in fields {
            let description = property["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{}: `{field}`: {description:?}", info.name);
        }
        let page = docs_page(info.name).expect("a registered method");
        for (heading, next) in [("## Concept\n", "\n## Inputs"), ("## Inputs\n", "\n## Parameters")] {
            let text = page.split(heading).nth(1).and_then(|rest| rest.split(next).next()).unwrap_or_default().trim();
            assert!(text.ends_with('.'), "{}: {heading}{text:?}", info.name);
        }
    }
}

#[test]
fn pages_have_all_headings_in_order() {
    for info in CATALOGUE {
        let page = docs_page(info.name).expect("a registered method");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Concept", "Inputs", "Parameters", "Example", "Laws", "Reference"]);
        assert!(page.starts_with(&format!("# {} (`{}`)\n", info.title, info.name)));
    }
    assert!(docs_page("unknown").is_none());
}

#[test]
fn page_of_ties_lists_parameters_laws_and_paper() {
    let page = docs_page("ties").expect("a registered method");
    for line in [
        "| `weights` | list with one number for each expert | `[]` | Weight of each expert's task vector; an empty list stands for 1 for each. |",
        "| `density` | number from 0 to 1 or list with one number from 0 to 1 for each expert | `1.0` | Fraction of each task vector's entries that \
         is kept, by magnitude: one number, or one for each expert. |",
        "- Experts equal to the base return the base, bit for bit.",
        "[Yadav et al., 2023](https://arxiv.org/abs/2306.01708) (arXiv:2306.01708)",
    ] {
        assert!(page.contains(line), "{line}\nis not in\n{page}");
    }
}

#[test]
fn methods_table_has_a_row_for_each_method() {
    let table = methods_table();
    assert_eq!(table.lines().count(), 2 + CATALOGUE.len());
    assert!(
        table.contains("| [SLERP](slerp.md) | `slerp` | base and exactly one expert | [Shoemake, 1985]"),
        "{table}"
    );
}

#[test]
fn documented_examples_hold() {
    for info in CATALOGUE {
        let page = docs_page(info.name).expect("a registered method");
        let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a TOML example");
        let example: Example = toml::from_str(block).unwrap_or_else(|error| panic!("{}: {error}", info.name));
        assert_eq!(example.merge.info().name, info.name);
        let experts = example.experts.ordered(info);
        let shape = example.shape.unwrap_or_else(|| vec![experts[0].len()]);
        let merged = merge_shaped(&example.merge, &shape, example.base.as_deref(), &experts);
        assert_eq!(merged, example.merged, "{}", info.name);
    }
}

#[test]
fn mistakes_in_a_configuration_are_reported_with_their_place() {
    #[derive(Debug, Deserialize)]
    struct Row {
        #[serde(rename = "merge")]
        _merge: Method,
    }
    let message = |text: &str| toml::from_str::<Row>(text).expect_err("a mistake").to_string();
    for (text, expected, column) in [
        ("merge.tees = {}", "unknown variant `tees`, expected one of `linear`, `task_arithmetic`", 7),
        ("merge.ties = { wieght = 1 }", "unknown field `wieght`, expected one of `weights`, `density`", 16),
        ("merge.ties = { density = 1.5 }", "a density is 1.5, expected a number from 0 to 1", 26),
        ("merge.ties = { density = [0.5, -0.1] }", "a density is -0.1, expected a number from 0 to 1", 26),
        ("merge.ties = { density = \"all\" }", "a density from 0 to 1, or a list with one for each expert", 26),
        ("merge.ties = { scale = true }", "invalid type: boolean `true`, expected f32", 24),
        ("merge.slerp = {}", "missing field `t`", 15),
    ] {
        let message = message(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(message.contains(&format!("line 1, column {column}")), "{text}: {message}");
    }
}

#[test]
fn wrong_models_are_errors_that_name_method_and_tensor() {
    let error = |method: Method, base: Option<&[f32]>, experts: &[&[f32]]| {
        let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
        let tensor = TensorAcrossModels::new("a.weight", &[1], base.map(Values::Slice), &experts);
        method.merge(&tensor, 0, &mut [0.0]).expect_err("a mistake").to_string()
    };
    let one: &[f32] = &[1.0];
    let slerp: Method = toml::from_str("slerp = { t = 0.5 }").expect("valid");
    assert_eq!(error(Ties::default().into(), None, &[one]), "tensor a.weight: ties needs a base model, got none");
    assert_eq!(error(slerp, Some(one), &[one, one]), "slerp: expected exactly one expert, got 2");
    assert_eq!(error(Ties::default().into(), Some(one), &[]), "ties: expected one expert or more, got 0");
    let two = Ties { weights: vec![1.0, 2.0], ..Ties::default() };
    assert_eq!(
        error(two.into(), Some(one), &[one]),
        "ties: `weights` has 2 entries, expected one for each of 1 experts"
    );
    let nan = TaskArithmetic { scale: f32::NAN, ..TaskArithmetic::default() };
    assert_eq!(error(nan.into(), Some(one), &[one]), "task_arithmetic: `scale` is NaN, expected a finite number");
    let cancelling = TaskArithmetic { weights: vec![1.0, -1.0], normalize: true, ..TaskArithmetic::default() };
    assert!(
        error(cancelling.into(), Some(one), &[one, one]).contains("the weights sum to 0, which cannot be normalised")
    );
}

#[test]
fn dare_with_density_one_is_task_arithmetic_bit_for_bit() {
    let base = [0.1, -0.2, 0.3, 0.4];
    let experts = [vec![0.5, 0.6, -0.7, 0.4], vec![-0.3, 0.25, 0.9, 0.1]];
    let weights = vec![0.3, 0.7];
    for normalize in [false, true] {
        let arithmetic = TaskArithmetic { weights: weights.clone(), scale: 1.3, normalize };
        let dare = DareLinear { weights: weights.clone(), scale: 1.3, normalize, ..DareLinear::default() };
        let expected = merge(&arithmetic.into(), Some(&base), &experts);
        assert_eq!(merge(&dare.into(), Some(&base), &experts), expected);
    }
}

#[test]
fn ties_with_full_density_and_no_conflict_is_the_mean() {
    let experts = [vec![1.0, -2.0, 4.0], vec![3.0, -1.0, 0.5]];
    assert_eq!(merge(&Ties::default().into(), Some(&[0.0; 3]), &experts), [2.0, -1.5, 2.25]);
}

#[test]
fn sign_election_with_weights_is_that_of_mergekit() {
    let experts = [vec![3.0, -1.0, 2.0, 0.0, 1.0], vec![-1.0, -1.0, -2.0, 5.0, -1.0]];
    for (weights, normalize, expected) in [
        ([0.5, 0.5], true, [3.0, -1.0, 2.0, 5.0, 1.0]),
        ([0.5, 0.5], false, [1.5, -1.0, 1.0, 2.5, 0.5]),
        ([0.25, 1.0], true, [-1.0, -1.0, -2.0, 5.0, -1.0]),
        ([0.25, 1.0], false, [-1.0, -1.25, -2.0, 5.0, -1.0]),
        ([1.0, -0.5], true, [7.0, -1.0, 6.0, 5.0, 3.0]),
    ] {
        let ties = Ties { weights: weights.to_vec(), normalize, ..Ties::default() };
        assert_eq!(merge(&ties.into(), Some(&[0.0; 5]), &experts), expected, "{weights:?} {normalize}");
        let dare = DareTies { weights: weights.to_vec(), normalize, ..DareTies::default() };
        assert_eq!(merge(&dare.into(), Some(&[0.0; 5]), &experts), expected, "{weights:?} {normalize}");
    }
    let three = [vec![1.0], vec![1.0], vec![-3.0]];
    assert_eq!(merge(&Ties::default().into(), Some(&[0.0]), &three), [-3.0]);
}

#[test]
fn every_info_matches_its_method() {
    assert_eq!(Method::from(Ties::default()).info(), Ties::INFO);
    assert!(CATALOGUE.contains(&Ties::INFO));
}

#[test]
fn roles_are_in_their_order_and_name_each_other() {
    for info in CATALOGUE {
        let place = |name: &str| ROLE_NAMES.iter().position(|known| *known == name);
        let places: Vec<Option<usize>> = info.roles.iter().map(|role| place(role.name)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}: {places:?}", info.name);
        let has_base = info.base == BaseRole::Required;
        assert!(info.roles.first().is_none_or(|role| (role.name == "base") == has_base), "{}", info.name);
        assert!(info.roles.iter().rev().skip(1).all(|role| !role.repeats), "{}: only the last role repeats", info.name);
        for identity in info.roles.iter().filter_map(|role| role.identity) {
            let known = |name: &str| info.roles.iter().any(|role| role.name == name);
            assert!(known(identity.equal.0) && known(identity.equal.1), "{}: {identity:?}", info.name);
        }
    }
}

#[test]
fn methods_with_roles_name_their_models_by_them() {
    let info = Mergealign::INFO;
    assert_eq!((info.models().as_str(), info.experts.min, info.experts.max), ("base, tuned and aligned", 2, Some(2)));
    let page = docs_page("mergealign").expect("a registered method");
    assert!(page.contains("- `tuned`: the domain expert.\n- `aligned`: the aligned model.\n"), "{page}");
    assert!(page.contains("- If `aligned` equals `base`, with `alpha` 1, the result is `tuned`, within rounding.\n"));
    let method = Method::from(Mergealign::default());
    let error = |experts: &[&[f32]]| {
        let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
        let tensor = TensorAcrossModels::new("a.weight", &[1], Some(Values::Slice(&[1.0])), &experts);
        method.merge(&tensor, 0, &mut [0.0]).expect_err("a mistake").to_string()
    };
    assert_eq!(error(&[&[1.0]]), "mergealign: expected the models base, tuned and aligned, got 1 besides the base");
    let infinite = error(&[&[1.0], &[f32::INFINITY]]);
    assert_eq!(infinite, "tensor a.weight: value 0 of the model `aligned` is inf, expected a finite number");
}

#[test]
fn each_file_of_methods_has_a_code_of_its_own() {
    let code = |text: &str| method_code(toml::from_str::<Method>(text).expect("valid").info().name);
    assert_eq!(code("linear = {}"), code("linear = { normalize = false }"));
    assert_eq!(code("dare_linear = {}"), code("dare_ties = {}"));
    assert_ne!(code("ties = {}"), code("dare_ties = {}"));
}
