//! Whole models merged in memory.

use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, Dtype, ModelDirectory, StateDict, Tensor, Weights};
use bunch_evolution::{BaseAs, EvolutionError, Members};
use bunch_merging::{
    DareTies, Densities, Density, Linear, Method, Rescale, TaskArithmetic, TensorAcrossModels, Ties, TrimScope, Values,
};
use proptest::prelude::*;

fn tensor(shape: &[usize], data: Vec<f32>) -> Tensor {
    Tensor { shape: shape.to_vec(), data: Arc::new(data) }
}

/// Two tensors: `norm` with two values and `proj` with 2 x 2.
fn model(norm: [f32; 2], proj: [f32; 4]) -> Arc<StateDict> {
    let tensors = [("norm", tensor(&[2], norm.to_vec())), ("proj", tensor(&[2, 2], proj.to_vec()))];
    Arc::new(tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into())
}

fn small_pool() -> Members {
    let base = model([1.0, 1.0], [0.0; 4]);
    let experts = vec![model([1.0, 3.0], [4.0, 1.0, -2.0, 0.5]), model([2.0, 1.0], [2.0, -3.0, 0.5, 0.0])];
    Members::new(base, experts).expect("models of one shape")
}

fn half() -> Densities {
    Density::try_from(0.5).expect("in range").into()
}

/// A pool with four tensors of sizes around and above the blocks in which methods work.
fn large_pool(experts: usize) -> Members {
    let random_model = |name: &str| {
        use rand::RngExt;
        let shapes: [&[usize]; 4] = [&[7], &[33, 31], &[64, 48], &[]];
        let new = |(index, shape): (usize, &&[usize])| {
            let tensor_name = format!("layers.{index}.weight");
            let mut stream = bunch_random::stream(0, &["test", name, &tensor_name]);
            let data = (0..shape.iter().product()).map(|_| stream.random_range(-1.0..1.0)).collect();
            (tensor_name, tensor(shape, data))
        };
        Arc::new(shapes.iter().enumerate().map(new).collect::<StateDict>())
    };
    let experts = (0..experts).map(|index| random_model(&format!("expert {index}"))).collect();
    Members::new(random_model("base"), experts).expect("models of one shape")
}

fn candidates() -> Vec<(Method, u64)> {
    let ties = |trim_scope, weight| Ties { weights: vec![weight, 0.7], density: half(), trim_scope, ..Ties::default() };
    let dare = |rescale| DareTies { weights: vec![0.4, 0.6], density: half(), rescale, ..DareTies::default() };
    vec![
        (ties(TrimScope::Tensor, 0.3).into(), 0),
        (ties(TrimScope::Model, 0.3).into(), 0),
        (ties(TrimScope::Tensor, -0.5).into(), 0),
        (dare(Rescale::Density).into(), 1),
        (dare(Rescale::L1).into(), 2),
        (dare(Rescale::Density).into(), 2),
        (Linear::default().into(), 0),
        (TaskArithmetic::default().into(), 0),
    ]
}

/// The merge without a pool, one tensor at a time, last name first.
fn merge_backwards(pool: &Members, method: &Method, seed: u64) -> StateDict {
    let experts: Vec<_> = (1..=pool.expert_count()).map(|expert| pool.state_dict(expert).expect("in memory")).collect();
    let one = |(name, base): (&String, &Tensor)| {
        let experts: Vec<Values<'_>> = experts.iter().map(|expert| Values::from(&*expert[name].data)).collect();
        let tensor = TensorAcrossModels::new(name, &base.shape, Some(Values::from(&*base.data)), &experts);
        let mut data = vec![f32::NAN; tensor.len()];
        method.merge(&tensor, seed, &mut data).expect("a valid merge");
        (name.clone(), self::tensor(&base.shape, data))
    };
    pool.state_dict(0).expect("in memory").iter().rev().map(one).collect()
}

#[test]
fn every_tensor_is_merged_with_its_shape() {
    let merged = small_pool().merge(&Ties::default().into(), 0).expect("a valid merge");
    assert_eq!(merged, *model([2.0, 3.0], [3.0, -3.0, -2.0, 0.5]));
}

/// The merge with the base as an expert too.
fn merge_all(pool: &Members, method: Method) -> StateDict {
    pool.candidate(method, BaseAs::Expert, 0).and_then(|candidate| candidate.state_dict()).expect("a valid merge")
}

#[test]
fn linear_over_members_gives_the_base_a_weight() {
    let weights = vec![0.5, 0.25, 0.25];
    let pool = small_pool();
    let merged = merge_all(&pool, Linear { weights: weights.clone(), normalize: true }.into());
    assert_eq!(merged, *model([1.25, 1.5], [1.5, -0.5, -0.375, 0.125]));
    let error = pool.merge(&Linear { weights, normalize: true }.into(), 0).expect_err("two experts, three weights");
    assert_eq!(error.to_string(), "linear: `weights` has 3 entries, expected one for each of 2 experts");
}

#[test]
fn to_task_vector_methods_the_base_is_an_expert_that_changes_nothing() {
    let pool = large_pool(2);
    let alone = TaskArithmetic { weights: vec![0.3, 0.7], ..TaskArithmetic::default() };
    let members = TaskArithmetic { weights: vec![9.0, 0.3, 0.7], ..TaskArithmetic::default() };
    let all = merge_all(&pool, members.into());
    assert_eq!(all, pool.merge(&alone.into(), 0).expect("a valid merge"));
}

#[test]
fn merges_do_not_depend_on_earlier_ones_or_on_the_order_of_tensors() {
    let used = large_pool(2);
    for _ in 0..2 {
        for (method, seed) in candidates() {
            let merged = used.merge(&method, seed).expect("a valid merge");
            assert_eq!(merged, large_pool(2).merge(&method, seed).expect("a valid merge"), "{method:?}");
            if !matches!(&method, Method::Ties(ties) if ties.trim_scope == TrimScope::Model) {
                assert_eq!(merged, merge_backwards(&used, &method, seed), "{method:?}");
            }
        }
    }
}

#[test]
fn threads_that_share_a_pool_get_what_one_alone_gets() {
    let (shared, candidates) = (large_pool(2), candidates());
    let together: Vec<_> = std::thread::scope(|scope| {
        let start = |(method, seed): &(Method, u64)| {
            let (shared, method, seed) = (&shared, method.clone(), *seed);
            scope.spawn(move || shared.merge(&method, seed).expect("a valid merge"))
        };
        let threads: Vec<_> = candidates.iter().chain(candidates.iter().rev()).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (merged, (method, seed)) in together.iter().zip(candidates.iter().chain(candidates.iter().rev())) {
        let alone = large_pool(2).merge(method, *seed).expect("a valid merge");
        assert_eq!(*merged, alone, "{method:?}");
    }
}

#[test]
fn trimming_over_the_model_keeps_its_largest_entries() {
    // Task vector: norm [0, 2], proj [4, 1, -2, 0.5]. Half of the six entries: 4, 2 and -2.
    let base = model([1.0, 1.0], [0.0; 4]);
    let pool = Members::new(base, vec![model([1.0, 3.0], [4.0, 1.0, -2.0, 0.5])]).expect("models of one shape");
    let ties = |trim_scope| Method::from(Ties { density: half(), trim_scope, ..Ties::default() });
    let merged = |trim_scope| pool.merge(&ties(trim_scope), 0).expect("a valid merge");
    assert_eq!(merged(TrimScope::Model), *model([1.0, 3.0], [4.0, 0.0, -2.0, 0.0]));
    let two_of_six = Density::try_from(0.4).expect("in range");
    let ties = Ties { density: two_of_six.into(), trim_scope: TrimScope::Model, ..Ties::default() };
    // Two of six: 4, and of the equal 2 and -2 the one in the earlier tensor.
    assert_eq!(pool.merge(&ties.into(), 0).expect("a valid merge"), *model([1.0, 3.0], [4.0, 0.0, 0.0, 0.0]));
}

#[test]
fn different_models_are_errors_that_name_the_tensor() {
    let base = model([1.0, 1.0], [0.0; 4]);
    let error = |change: &dyn Fn(&mut StateDict)| {
        let mut expert = (*base).clone();
        change(&mut expert);
        Members::new(Arc::clone(&base), vec![Arc::clone(&base), Arc::new(expert)]).expect_err("a mistake").to_string()
    };
    assert_eq!(
        error(&|expert| drop(expert.remove("norm"))),
        "tensor norm: expected in expert 1 with shape [2] as in the base, got no such tensor"
    );
    assert_eq!(
        error(&|expert| drop(expert.insert("bias".into(), tensor(&[1], vec![0.0])))),
        "tensor bias: not in the base, so expected nothing in expert 1, got one with shape [1]"
    );
    assert_eq!(
        error(&|expert| drop(expert.insert("proj".into(), tensor(&[4], vec![0.0; 4])))),
        "tensor proj: expected shape [2, 2] as in the base, got [4] in expert 1"
    );
    assert_eq!(
        error(&|expert| drop(expert.insert("proj".into(), tensor(&[2, 2], vec![0.0; 3])))),
        "tensor proj: expected 4 values in expert 1 for its shape, got 3"
    );
}

#[test]
fn a_value_that_is_not_finite_is_an_error_that_names_the_tensor() {
    let base = model([1.0, 1.0], [0.0; 4]);
    let pool = Members::new(base, vec![model([1.0, f32::NAN], [0.0; 4])]).expect("models of one shape");
    let error: EvolutionError = pool.merge(&TaskArithmetic::default().into(), 0).expect_err("NaN");
    assert_eq!(error.to_string(), "tensor norm: value 1 of expert 0 is NaN, expected a finite number");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_sequence_of_merges_gives_what_each_alone_gives(
        sequence in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let (pool, candidates) = (large_pool(2), candidates());
        for index in sequence {
            let (method, seed) = index.get(&candidates);
            let merged = pool.merge(method, *seed).expect("a valid merge");
            prop_assert_eq!(merged, large_pool(2).merge(method, *seed).expect("a valid merge"));
        }
    }
}

/// The members of a pool in files of a dtype.
fn stored(pool: &Members, folder: &std::path::Path, dtype: Dtype) -> Members {
    let open = |member: usize| {
        let path = folder.join(format!("{member}-{dtype}"));
        let weights = pool.state_dict(member).expect("in memory");
        let mut directory = ModelDirectory::new(serde_json::json!({}), &weights);
        directory.dtype = dtype;
        directory.write(&path).expect("a model is written");
        Checkpoint::open(&path).expect("a model")
    };
    Members::stored(open(0), (1..=pool.expert_count()).map(open).collect()).expect("models of one shape")
}

#[test]
fn where_the_members_are_changes_no_bit_and_a_candidate_is_rounded_as_the_base_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = stored(&large_pool(2), folder.path(), Dtype::F32);
    let narrow = stored(&large_pool(2), folder.path(), Dtype::BF16);
    let models = (0..3).map(|member| narrow.state_dict(member).expect("readable"));
    let [base, first, second]: [_; 3] = models.collect::<Vec<_>>().try_into().expect("three");
    let loaded = Members::new(base, vec![first, second]).expect("models of one shape");
    for (method, seed) in candidates().into_iter().chain(candidates()) {
        assert_eq!(full.merge(&method, seed).expect("valid"), large_pool(2).merge(&method, seed).expect("valid"));
        let merged = loaded.merge(&method, seed).expect("valid");
        assert_eq!(narrow.merge(&method, seed).expect("valid"), merged, "{method:?}");
        let candidate = narrow.candidate(method, BaseAs::Reference, seed).expect("valid");
        for (name, tensor) in merged {
            let (mut words, mut expected) = (vec![0; tensor.data.len()], vec![0; tensor.data.len()]);
            assert_eq!(candidate.dtype(&name), Dtype::BF16);
            candidate.read_bf16(&name, &mut words).expect("valid");
            Dtype::BF16.encode_words(&tensor.data, &mut expected);
            assert_eq!(words, expected);
        }
    }
}
