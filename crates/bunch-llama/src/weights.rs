//! Between the module and named tensors in Hugging Face's layout.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor as BurnTensor, TensorData};
use rand_distr::{Distribution, Normal};

use bunch_checkpoint::{StateDict, Tensor};

use crate::model::{Decoder, DecoderLayer, Embedding, Linear, Mlp, SelfAttention};
use crate::norm::RmsNorm;
use crate::{Llama, LlamaConfig, LlamaError};

/// The one matrix that is stored as in the file; all others are projections and stored transposed.
const EMBEDDING: &str = "model.embed_tokens.weight";

/// Takes the tensors of a state dict one by one, so that what is left over can be refused.
struct Source<'a> {
    weights: &'a StateDict,
    taken: usize,
    device: &'a Device,
}

impl Source<'_> {
    fn take(&mut self, name: &str, expected: &[usize]) -> Result<&Tensor, LlamaError> {
        let tensor = self
            .weights
            .get(name)
            .ok_or_else(|| LlamaError::MissingTensor { name: name.into(), expected: expected.to_vec() })?;
        if tensor.shape != expected {
            return Err(LlamaError::Shape {
                name: name.into(),
                expected: expected.to_vec(),
                got: tensor.shape.clone(),
            });
        }
        self.taken += 1;
        Ok(tensor)
    }

    fn param<const D: usize>(&self, data: Vec<f32>, shape: [usize; D]) -> Param<BurnTensor<D>> {
        // Numbered in the order they are built, so that a saved optimizer state finds its parameters again.
        let id = ParamId::from(self.taken as u64);
        let value = BurnTensor::from_data(TensorData::new(data, shape), self.device);
        Param::initialized(id, value.set_require_grad(self.device.is_autodiff()))
    }

    fn linear(&mut self, prefix: &str, input: usize, output: usize) -> Result<Linear, LlamaError> {
        let weight = transposed(&self.take(&format!("{prefix}.weight"), &[output, input])?.data, output, input);
        Ok(Linear { weight: self.param(weight, [input, output]) })
    }

    fn norm(&mut self, prefix: &str, config: &LlamaConfig) -> Result<RmsNorm, LlamaError> {
        let weight = self.take(&format!("{prefix}.weight"), &[config.hidden_size])?.data.to_vec();
        Ok(RmsNorm { weight: self.param(weight, [config.hidden_size]), eps: config.rms_norm_eps })
    }

    fn layer(&mut self, prefix: &str, config: &LlamaConfig) -> Result<DecoderLayer, LlamaError> {
        let LlamaConfig { hidden_size: hidden, intermediate_size: inner, head_dim, .. } = *config;
        let (queries, keys) = (config.num_attention_heads * head_dim, config.num_key_value_heads * head_dim);
        Ok(DecoderLayer {
            self_attn: SelfAttention {
                q_proj: self.linear(&format!("{prefix}.self_attn.q_proj"), hidden, queries)?,
                k_proj: self.linear(&format!("{prefix}.self_attn.k_proj"), hidden, keys)?,
                v_proj: self.linear(&format!("{prefix}.self_attn.v_proj"), hidden, keys)?,
                o_proj: self.linear(&format!("{prefix}.self_attn.o_proj"), queries, hidden)?,
            },
            mlp: Mlp {
                gate_proj: self.linear(&format!("{prefix}.mlp.gate_proj"), hidden, inner)?,
                up_proj: self.linear(&format!("{prefix}.mlp.up_proj"), hidden, inner)?,
                down_proj: self.linear(&format!("{prefix}.mlp.down_proj"), inner, hidden)?,
            },
            input_layernorm: self.norm(&format!("{prefix}.input_layernorm"), config)?,
            post_attention_layernorm: self.norm(&format!("{prefix}.post_attention_layernorm"), config)?,
        })
    }
}

impl Llama {
    /// Builds the module from weights under Hugging Face's names; `device` decides whether gradients are recorded.
    ///
    /// A tied model may carry an `lm_head.weight`, which is then ignored, as transformers does.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, or has no place in the model.
    pub fn from_state_dict(config: LlamaConfig, weights: &StateDict, device: &Device) -> Result<Self, LlamaError> {
        let mut source = Source { weights, taken: 0, device };
        let table = source.take(EMBEDDING, &[config.vocab_size, config.hidden_size])?.data.to_vec();
        let embed_tokens = Embedding { weight: source.param(table, [config.vocab_size, config.hidden_size]) };
        let layers = (0..config.num_hidden_layers)
            .map(|index| source.layer(&format!("model.layers.{index}"), &config))
            .collect::<Result<_, _>>()?;
        let norm = source.norm("model.norm", &config)?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => Some(source.linear("lm_head", config.hidden_size, config.vocab_size)?),
        };
        let ignored = usize::from(config.tie_word_embeddings && weights.contains_key("lm_head.weight"));
        if source.taken + ignored != weights.len() {
            let model = Self { model: Decoder { embed_tokens, layers, norm }, lm_head, config };
            let known = model.to_state_dict();
            let name = weights.keys().find(|name| !known.contains_key(*name)).cloned().unwrap_or_default();
            return Err(LlamaError::UnexpectedTensor(name));
        }
        Ok(Self { model: Decoder { embed_tokens, layers, norm }, lm_head, config })
    }

    /// The weights in memory under Hugging Face's names and layout.
    pub fn to_state_dict(&self) -> StateDict {
        let mut collector = Collector { path: Vec::new(), grads: None, tensors: StateDict::new() };
        self.visit(&mut collector);
        collector.tensors
    }
}

/// Gradients by Hugging Face tensor name, in the layout of the file.
///
/// Parameters without a gradient are absent.
pub fn gradients(model: &Llama, grads: &GradientsParams) -> StateDict {
    let mut collector = Collector { path: Vec::new(), grads: Some(grads), tensors: StateDict::new() };
    model.visit(&mut collector);
    collector.tensors
}

/// Walks the module and copies each parameter, or its gradient, out under its path.
struct Collector<'a> {
    path: Vec<String>,
    grads: Option<&'a GradientsParams>,
    tensors: StateDict,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<BurnTensor<D>>) {
        let tensor = match self.grads {
            None => param.val(),
            Some(grads) => match grads.get::<D>(param.id) {
                Some(grad) => grad,
                None => return,
            },
        };
        let name = self.path.join(".");
        let shape = tensor.dims().to_vec();
        let data = tensor.into_data().try_to_vec::<f32>().expect("parameters are f32");
        let tensor = match shape[..] {
            [input, output] if name != EMBEDDING => {
                Tensor { shape: vec![output, input], data: Arc::new(transposed(&data, input, output)) }
            }
            _ => Tensor { shape, data: Arc::new(data) },
        };
        self.tensors.insert(name, tensor);
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(data: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(data.len());
    for column in 0..columns {
        out.extend((0..rows).map(|row| data[row * columns + column]));
    }
    out
}

impl LlamaConfig {
    /// Fresh weights: normal, with variance scaled to each projection's input and the residual outputs damped by depth.
    ///
    /// Standard deviations: 1/sqrt(in) for q, k, v, gate and up; 1/sqrt(in * 2 layers) for o and down; 0.05 for
    /// embedding and head; norms are 1. Each tensor draws from its own stream, keyed by `seed` and its name.
    pub fn initial_weights(&self, seed: u64) -> StateDict {
        let mut weights = StateDict::new();
        let mut add = |name: String, shape: &[usize], std: f64| {
            let count = shape.iter().product();
            let data = if std == 0.0 {
                vec![1.0; count]
            } else {
                let mut stream = bunch_random::stream(seed, &["init", &name]);
                let normal = Normal::new(0.0, std).expect("a positive standard deviation");
                (0..count).map(|_| normal.sample(&mut stream) as f32).collect()
            };
            weights.insert(name, Tensor { shape: shape.to_vec(), data: Arc::new(data) });
        };
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let (queries, keys) = (self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim);
        let std = |input: usize| 1.0 / (input as f64).sqrt();
        let damped = |input: usize| std(input * 2 * self.num_hidden_layers);
        add(EMBEDDING.into(), &[self.vocab_size, hidden], 0.05);
        for index in 0..self.num_hidden_layers {
            let path = |part: &str| format!("model.layers.{index}.{part}.weight");
            add(path("self_attn.q_proj"), &[queries, hidden], std(hidden));
            add(path("self_attn.k_proj"), &[keys, hidden], std(hidden));
            add(path("self_attn.v_proj"), &[keys, hidden], std(hidden));
            add(path("self_attn.o_proj"), &[hidden, queries], damped(queries));
            add(path("mlp.gate_proj"), &[inner, hidden], std(hidden));
            add(path("mlp.up_proj"), &[inner, hidden], std(hidden));
            add(path("mlp.down_proj"), &[hidden, inner], damped(inner));
            add(path("input_layernorm"), &[hidden], 0.0);
            add(path("post_attention_layernorm"), &[hidden], 0.0);
        }
        add("model.norm.weight".into(), &[hidden], 0.0);
        if !self.tie_word_embeddings {
            add("lm_head.weight".into(), &[self.vocab_size, hidden], 0.05);
        }
        weights
    }
}
