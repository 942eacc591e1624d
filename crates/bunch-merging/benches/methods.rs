//! Speed of every method on one tensor: bytes of base and experts per second, in memory with and without a cache, and read
//! piece by piece as from a file; next to it, copying as many bytes.

use bunch_merging::{
    BaseRole, CATALOGUE, Info, MergeError, Method, ParameterKind, ReadValues, Spelling, TensorAcrossModels,
    TensorCache, TensorSource, Values, method_from_parameters, parameter_specs,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngExt;
use serde_json::{Map, Value, json};

const LEN: usize = 1 << 18;

/// A method with a density where it has one, and the parameters that it cannot do without.
fn method(info: &Info, experts: usize) -> Method {
    let mut parameters = Map::new();
    for spec in parameter_specs(info.name, Spelling::Bunch).expect("a registered method") {
        let value = match spec.name.as_str() {
            "density" => json!(0.3),
            "t" => json!(0.01),
            _ if !spec.required => continue,
            _ => match &spec.kind {
                ParameterKind::Number { bounds } => json!(bounds.map_or(0.5, |(low, high)| (low + high) / 2.0)),
                ParameterKind::Integer => json!(1),
                ParameterKind::Boolean => json!(true),
                ParameterKind::Choice(words) => json!(words.first()),
            },
        };
        let value = if spec.per_expert { Value::Array(vec![value; experts]) } else { value };
        parameters.insert(spec.name, value);
    }
    method_from_parameters(info.name, Spelling::Bunch, &parameters)
        .unwrap_or_else(|error| panic!("{}: teach this benchmark its parameters: {error}", info.name))
}

/// Values that are copied when they are asked for, as decoding does.
struct Copied<'a>(&'a [f32]);

impl ReadValues for Copied<'_> {
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String> {
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.len()
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

fn merge(c: &mut Criterion) {
    let mut stream = bunch_random::stream(0, &["bench"]);
    let base: Vec<f32> = (0..LEN).map(|_| stream.random_range(-0.1..0.1)).collect();
    let models: Vec<Vec<f32>> =
        (0..6).map(|_| base.iter().map(|value| value + stream.random_range(-0.01..0.01)).collect()).collect();
    let mut out = vec![0.0; LEN];
    let mut group = c.benchmark_group("merge");
    let bytes = |models: usize| Throughput::Bytes((models * LEN * size_of::<f32>()) as u64);

    group.throughput(bytes(1));
    group.bench_function("memcpy", |b| b.iter(|| out.copy_from_slice(&base)));
    for info in CATALOGUE {
        let count = info.experts.max.unwrap_or(2).min(2).max(info.experts.min);
        let method = method(info, count);
        let has_base = info.base != BaseRole::Ignored;
        group.throughput(bytes(usize::from(has_base) + count));
        let slices: Vec<Values<'_>> = models.iter().take(count).map(Values::from).collect();
        let copied: Vec<Copied<'_>> = models.iter().take(count).map(|values| Copied(values)).collect();
        let streams: Vec<Values<'_>> = copied.iter().map(|values| Values::Stream(values)).collect();
        let (copied_base, filled) = (Copied(&base), TensorCache::new(count));
        let shape = [512, LEN / 512];
        for (label, base, experts, cache) in [
            ("in memory", Values::from(&base), &slices, None),
            ("cached", Values::from(&base), &slices, Some(&filled)),
            ("streamed", Values::Stream(&copied_base), &streams, None),
        ] {
            let tensor = TensorAcrossModels::new("a.weight", &shape, has_base.then_some(base), experts);
            let tensor = TensorAcrossModels { cache, ..tensor };
            // Not timed: a model is surveyed once.
            let survey = method.survey(count, &mut Single(tensor)).unwrap_or_else(|error| panic!("{error}"));
            let tensor = TensorAcrossModels { survey: survey.as_ref(), ..tensor };
            let name = format!("{}/{label}", info.name);
            // An error is returned at once: timed, it would look fast.
            let mut merge = || method.merge(&tensor, 0, &mut out).unwrap_or_else(|error| panic!("{name}: {error}"));
            group.bench_function(&name, |b| b.iter(&mut merge));
        }
    }
    group.finish();
}

criterion_group!(benches, merge);
criterion_main!(benches);
