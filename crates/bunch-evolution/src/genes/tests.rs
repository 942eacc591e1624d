//! Tests of genes by parameter name.

use bunch_merging::{DareTies, PerExpert, Slerp};

use super::*;

fn space_of(
    method: &str,
    ranges: &[(&str, [f64; 2])],
    layout: Layout,
    experts: usize,
) -> Result<Space, EvolutionError> {
    let ranges = ranges.iter().map(|&(name, range)| (name.to_owned(), range)).collect();
    Space::new(&method.to_owned().try_into().unwrap(), &Map::new(), &ranges, layout, experts)
}

fn names(space: &Space) -> Vec<&str> {
    space.genes().iter().map(|gene| gene.name.as_str()).collect()
}

#[test]
fn genes_come_in_the_methods_order_one_for_each_expert_or_shared() {
    let ranges = [("density", [0.1, 1.0]), ("weight", [0.0, 1.0])];
    let own = space_of("dare_ties", &ranges, per_expert, 2).unwrap();
    assert_eq!(names(&own), ["weight_1", "weight_2", "density_1", "density_2"]);
    let starts: Vec<f64> = own.genes().iter().map(|gene| gene.start).collect();
    assert_eq!(starts, [1.0 / 3.0, 1.0 / 3.0, 0.55, 0.55]);
    let shared = space_of("dare_ties", &ranges, shared, 2).unwrap();
    assert_eq!(names(&shared), ["weight_1", "weight_2", "density"]);
    assert_eq!(names(&space_of("slerp", &[("t", [0.0, 1.0])], per_expert, 1).unwrap()), ["t"]);
}

#[test]
fn a_point_becomes_the_methods_parameters() {
    let ranges = [("density", [0.1, 1.0]), ("weight", [0.0, 1.0])];
    let method = space_of("dare_ties", &ranges, shared, 2).unwrap().method(&[0.1, 0.7, 0.3]).unwrap();
    let expected =
        DareTies { weights: vec![0.1, 0.7], density: PerExpert::Same(0.3.try_into().unwrap()), ..DareTies::default() };
    assert_eq!(method, expected.into());
    let method = space_of("dare_ties", &ranges, per_expert, 1).unwrap().method(&[0.1, 0.3]).unwrap();
    let density = PerExpert::PerExpert(vec![0.3.try_into().unwrap()]);
    assert_eq!(method, DareTies { weights: vec![0.1], density, ..DareTies::default() }.into());
    let t = 0.1 + 0.2;
    assert_eq!(
        space_of("slerp", &[("t", [0.0, 1.0])], per_expert, 1).unwrap().method(&[t]).unwrap(),
        Slerp { t }.into()
    );
}

#[test]
fn every_method_with_a_number_can_be_searched() {
    for info in CATALOGUE {
        let experts = info.experts.min.max(1);
        for spec in parameter_specs(info.name, Spelling::Bunch).unwrap() {
            if !matches!(spec.kind, ParameterKind::Number { .. }) {
                continue;
            }
            for layout in [per_expert as Layout, shared as Layout] {
                let space = space_of(info.name, &[(&spec.name, [0.25, 0.75])], layout, experts);
                let point: Vec<f64> = space.as_ref().unwrap().genes().iter().map(|gene| gene.start).collect();
                // What a method needs beside the gene is for `parameters` to say.
                match space.unwrap().method(&point) {
                    Ok(method) => assert_eq!(method.info().name, info.name),
                    Err(error) => assert!(error.to_string().contains("missing field"), "{error}"),
                }
            }
        }
    }
}

#[test]
fn mistakes_are_named_with_what_was_probably_meant() {
    let error = |method: &str, ranges: &[(&str, [f64; 2])]| {
        let space = space_of(method, ranges, per_expert, 1);
        space.and_then(|space| space.check(1)).unwrap_err().to_string()
    };
    let unknown = error("ties", &[("denstiy", [0.0, 1.0])]);
    assert!(
        unknown.starts_with("ties has no parameter `denstiy` (did you mean `density`?); it has weight,"),
        "{unknown}"
    );
    assert_eq!(
        error("ties", &[("normalize", [0.0, 1.0])]),
        "ties: `normalize` cannot be searched: it is true or false"
    );
    assert_eq!(
        error("ties", &[("density", [0.1, 1.5])]),
        "ties: `density` cannot be searched: its range is [0.1, 1.5], expected one within [0, 1]"
    );
    assert!(error("ties", &[("weight", [1.0, 1.0])]).contains("expected a smaller and a larger number"));
    assert!(error("ties", &[]).contains("the range of at least one parameter"));
    assert!(error("ties", &[("weight", [0.0, 1.0])]).contains("with one expert it cancels"));
    let unknown = MethodName::try_from("slrep".to_owned()).unwrap_err().to_string();
    assert_eq!(unknown, "unknown merge method `slrep` (did you mean `slerp`?); `bunch methods` lists them");
}

#[test]
fn a_fixed_parameter_is_no_gene() {
    let fixed = Map::from_iter([("weight".to_owned(), json!([0.5]))]);
    let ranges = BTreeMap::from([("weight".to_owned(), [0.0, 1.0])]);
    let space = Space::new(&MethodName("ties".into()), &fixed, &ranges, per_expert, 1);
    assert!(space.err().unwrap().to_string().contains("among the fixed `parameters` too"));
}
