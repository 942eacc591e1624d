//! Speed of every method on one tensor: bytes of base and experts per second, with and without a cache.

use bunch_merging::{
    DareLinear, DareTies, Density, Linear, Method, Slerp, TaskArithmetic, TensorAcrossModels, TensorCache, Ties, Values,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngExt;

const LEN: usize = 1 << 18;

fn methods() -> Vec<Method> {
    let density = Density::try_from(0.3).unwrap_or(Density::ONE);
    let slerp: Result<Slerp, _> = serde_json::from_str(r#"{ "t": 0.3 }"#);
    let mut methods = vec![
        Linear::default().into(),
        TaskArithmetic::default().into(),
        Ties { density: density.into(), ..Ties::default() }.into(),
        DareLinear { density: density.into(), ..DareLinear::default() }.into(),
        DareTies { density: density.into(), ..DareTies::default() }.into(),
    ];
    methods.extend(slerp.map(Method::from));
    methods
}

fn merge(c: &mut Criterion) {
    let mut stream = bunch_random::stream(0, &["bench"]);
    let base: Vec<f32> = (0..LEN).map(|_| stream.random_range(-0.1..0.1)).collect();
    let models: Vec<Vec<f32>> =
        (0..2).map(|_| base.iter().map(|value| value + stream.random_range(-0.01..0.01)).collect()).collect();
    let mut out = vec![0.0; LEN];
    let mut group = c.benchmark_group("merge");
    for method in methods() {
        let count = method.info().experts.max.unwrap_or(2);
        let experts: Vec<Values<'_>> = models.iter().take(count).map(Values::from).collect();
        group.throughput(Throughput::Bytes(((1 + count) * LEN * size_of::<f32>()) as u64));
        let filled = TensorCache::new(count);
        for (label, cache) in [("uncached", None), ("cached", Some(&filled))] {
            let tensor = TensorAcrossModels::new("a.weight", &[LEN], Some(Values::from(&base)), &experts);
            let tensor = TensorAcrossModels { cache, ..tensor };
            group.bench_function(format!("{}/{label}", method.info().name), |b| {
                b.iter(|| method.merge(&tensor, 0, &mut out));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, merge);
criterion_main!(benches);
