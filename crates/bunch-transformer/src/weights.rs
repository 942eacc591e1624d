//! Between the module and named tensors in Hugging Face's layout.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::{Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use half::bf16;
use rand_distr::{Distribution, Normal};

use bunch_checkpoint::{
    Checkpoint, CheckpointError, Dtype, StateDict, Tensor, Weights, WeightsError, is_computed_buffer,
};

use crate::model::{Decoder, DecoderLayer, Embedding, Linear, Mlp, SelfAttention};
use crate::norm::RmsNorm;
use crate::parts::Slot;
use crate::tensor_shapes::{FusedProjection, fused_projections, tensor_shapes};
use crate::{Llama, LlamaConfig, LlamaError, kernels};

/// What is wrong with a tensor, with the file that holds it, or the model that lacks it.
fn fault(source: &dyn Weights, name: &str, what: LlamaError) -> LlamaError {
    match source.place(name) {
        Some(path) => LlamaError::At { path, what: Box::new(what) },
        None => what,
    }
}

/// What the weights say where a tensor cannot be read.
fn unread(error: WeightsError) -> LlamaError {
    match error.downcast::<CheckpointError>() {
        Ok(error) => LlamaError::Checkpoint(*error),
        Err(error) => LlamaError::Weights(error),
    }
}

/// Whether matrices stored in bfloat16 stay so in memory on `device`.
pub(crate) fn keeps_bf16(device: &Device) -> bool {
    kernels::available(device) && !device.is_autodiff()
}

/// Builds parameters out of a source, one after the other.
struct Builder<'a> {
    source: &'a dyn Weights,
    built: u64,
    device: &'a Device,
    /// Whether matrices stored in bfloat16 stay so in memory.
    keep_bf16: bool,
}

impl Builder<'_> {
    fn check(&self, name: &str, expected: &[usize]) -> Result<(), LlamaError> {
        match self.source.shape(name) {
            None => {
                let what = LlamaError::MissingTensor { name: name.into(), expected: expected.to_vec() };
                Err(fault(self.source, name, what))
            }
            Some(got) if got != expected => {
                let what = LlamaError::Shape { name: name.into(), expected: expected.to_vec(), got };
                Err(fault(self.source, name, what))
            }
            Some(_) => Ok(()),
        }
    }

    fn param<const D: usize>(&mut self, value: BurnTensor<D>) -> Param<BurnTensor<D>> {
        // Numbered in the order they are built, so that a saved optimizer state finds its parameters again.
        self.built += 1;
        Param::initialized(ParamId::from(self.built), value.set_require_grad(self.device.is_autodiff()))
    }

    /// The tensors below one another: `[sum of rows, columns]`.
    fn matrix(&mut self, tensors: &[(String, usize)], columns: usize) -> Result<Param<BurnTensor<2>>, LlamaError> {
        for (name, rows) in tensors {
            self.check(name, &[*rows, columns])?;
        }
        let rows: usize = tensors.iter().map(|(_, rows)| rows).sum();
        let value = if self.keep_bf16 && tensors.iter().all(|(name, _)| self.source.dtype(name) == Dtype::BF16) {
            let mut data = vec![bf16::ZERO; rows * columns];
            let mut rest = data.as_mut_slice();
            for (name, rows) in tensors {
                let part = rest.split_off_mut(..rows * columns).expect("counted above");
                self.source.read_bf16(name, bytemuck::cast_slice_mut(part)).map_err(unread)?;
            }
            BurnTensor::from_data(TensorData::new(data, [rows, columns]), (self.device, DType::BF16))
        } else {
            let mut data = vec![0.0f32; rows * columns];
            let mut rest = data.as_mut_slice();
            for (name, rows) in tensors {
                let part = rest.split_off_mut(..rows * columns).expect("counted above");
                self.source.read(name, part).map_err(unread)?;
            }
            BurnTensor::from_data(TensorData::new(data, [rows, columns]), self.device)
        };
        Ok(self.param(value))
    }

    fn vector(&mut self, tensors: &[(String, usize)]) -> Result<Param<BurnTensor<1>>, LlamaError> {
        let mut data = Vec::new();
        for (name, width) in tensors {
            self.check(name, &[*width])?;
            let start = data.len();
            data.resize(start + width, 0.0f32);
            self.source.read(name, &mut data[start..]).map_err(unread)?;
        }
        let width = data.len();
        Ok(self.param(BurnTensor::from_data(TensorData::new(data, [width]), self.device)))
    }

    fn linear(&mut self, prefix: &str, projection: &FusedProjection) -> Result<Linear, LlamaError> {
        let named = |kind: &str| -> Vec<(String, usize)> {
            let name = |output: &str| format!("{prefix}.{}.{output}.{kind}", projection.path);
            projection.outputs.iter().map(|&(output, rows)| (name(output), rows)).collect()
        };
        let weight = self.matrix(&named("weight"), projection.input)?;
        let bias = if projection.bias { Some(self.vector(&named("bias"))?) } else { None };
        Ok(Linear { weight, bias, adapters: Vec::new() })
    }

    fn norm(&mut self, prefix: &str, config: &LlamaConfig) -> Result<RmsNorm, LlamaError> {
        let weight = self.vector(&[(format!("{prefix}.weight"), config.hidden_size)])?;
        Ok(RmsNorm { weight, eps: config.rms_norm_eps })
    }

    fn layer(&mut self, prefix: &str, config: &LlamaConfig) -> Result<DecoderLayer, LlamaError> {
        let [qkv, o, gate_up, down] = fused_projections(config);
        Ok(DecoderLayer {
            self_attn: SelfAttention { qkv_proj: self.linear(prefix, &qkv)?, o_proj: self.linear(prefix, &o)? },
            mlp: Mlp { gate_up_proj: self.linear(prefix, &gate_up)?, down_proj: self.linear(prefix, &down)? },
            input_layernorm: self.norm(&format!("{prefix}.input_layernorm"), config)?,
            post_attention_layernorm: self.norm(&format!("{prefix}.post_attention_layernorm"), config)?,
        })
    }

    fn llama(mut self, config: LlamaConfig) -> Result<Llama, LlamaError> {
        let known: BTreeSet<String> = tensor_shapes(&config).into_iter().map(|(name, _)| name).collect();
        // A tied model may carry its output projection too, and old files carry the rotary frequencies: transformers
        // ignores both.
        let ignored =
            |name: &str| is_computed_buffer(name, &[]) || (config.tie_word_embeddings && name == "lm_head.weight");
        if let Some(name) = self.source.names().into_iter().find(|name| !known.contains(name) && !ignored(name)) {
            return Err(fault(self.source, &name, LlamaError::UnexpectedTensor(name.clone())));
        }
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        let weight = self.matrix(&[("model.embed_tokens.weight".into(), vocab)], hidden)?;
        let layers = (0..config.num_hidden_layers)
            .map(|index| self.layer(&format!("model.layers.{index}"), &config))
            .collect::<Result<_, _>>()?;
        let norm = self.norm("model.norm", &config)?;
        let lm_head = match config.tie_word_embeddings {
            true => None,
            false => {
                let weight = self.matrix(&[("lm_head.weight".into(), vocab)], hidden)?;
                Some(Linear { weight, bias: None, adapters: Vec::new() })
            }
        };
        Ok(Llama { model: Decoder { embed_tokens: Embedding { weight }, layers, norm }, lm_head, config })
    }
}

impl Llama {
    /// Builds the module from weights under Hugging Face's names, one after the other; `device` decides whether gradients are
    /// recorded.
    ///
    /// On a device with the fused kernels and without gradients, matrices of bfloat16 stay so: half the memory, and the
    /// arithmetic is the same f32.
    ///
    /// # Errors
    /// An unexpected, missing or misshapen tensor, or what the weights say.
    pub fn from_weights(config: LlamaConfig, weights: &dyn Weights, device: &Device) -> Result<Self, LlamaError> {
        Builder { source: weights, built: 0, device, keep_bf16: keeps_bf16(device) }.llama(config)
    }

    /// Builds the module from weights in memory.
    ///
    /// A tied model may carry an `lm_head.weight`, which is then ignored, as transformers does.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, or has no place in the model.
    pub fn from_state_dict(config: LlamaConfig, weights: &StateDict, device: &Device) -> Result<Self, LlamaError> {
        Self::from_weights(config, weights, device)
    }

    /// Reads a checkpoint straight into the module.
    ///
    /// # Errors
    /// As [`from_weights`](Self::from_weights), an unsupported configuration, and failing reads.
    pub fn from_checkpoint(checkpoint: &Checkpoint, device: &Device) -> Result<Self, LlamaError> {
        let config = LlamaConfig::from_json(checkpoint.config())?;
        Self::from_weights(config, checkpoint, device)
    }

    /// The weights in memory under Hugging Face's names and layout.
    pub fn to_state_dict(&self) -> StateDict {
        self.collect(|slot| match slot {
            Slot::Matrix(param) => Some(values(param.val())),
            Slot::Vector(param) => Some(values(param.val())),
        })
    }

    /// A value of each parameter, cut into the file's tensors; `of` gives shape and data, or nothing for "absent".
    fn collect(&self, of: impl Fn(Slot<'_>) -> Option<(Vec<usize>, Vec<f32>)>) -> StateDict {
        let mut tensors = StateDict::new();
        for part in self.parts() {
            let Some((mut shape, data)) = of(part.slot) else { continue };
            let width: usize = shape[1..].iter().product();
            shape[0] = part.rows.len();
            let data = data[part.rows.start * width..part.rows.end * width].to_vec();
            tensors.insert(part.name, Tensor { shape, data: Arc::new(data) });
        }
        tensors
    }
}

/// Gradients by Hugging Face tensor name, in the layout of the file.
///
/// Parameters without a gradient are absent.
pub fn gradients(model: &Llama, grads: &GradientsParams) -> StateDict {
    model.collect(|slot| match slot {
        Slot::Matrix(param) => grads.get::<2>(param.id).map(values),
        Slot::Vector(param) => grads.get::<1>(param.id).map(values),
    })
}

/// Shape and values of a tensor, in f32.
fn values<const D: usize>(tensor: BurnTensor<D>) -> (Vec<usize>, Vec<f32>) {
    let shape = tensor.dims().to_vec();
    (shape, tensor.into_data_dtype(DType::F32).try_to_vec::<f32>().expect("cast to f32"))
}

impl LlamaConfig {
    /// Fresh weights: normal, with variance scaled to each projection's input and the residual outputs damped by depth.
    ///
    /// Standard deviations: 1/sqrt(in) for q, k, v, gate and up; 1/sqrt(in * 2 layers) for o and down; 0.05 for
    /// embedding and head; norms are 1 and biases 0. Each tensor draws from its own stream, keyed by `seed` and its name.
    pub fn initial_weights(&self, seed: u64) -> StateDict {
        let mut weights = StateDict::new();
        for (name, shape) in tensor_shapes(self) {
            let count = shape.iter().product();
            let data = match shape[..] {
                [_, input] => {
                    let std = match name.rsplit('.').nth(1) {
                        Some("embed_tokens" | "lm_head") => 0.05,
                        Some("o_proj" | "down_proj") => 1.0 / ((input * 2 * self.num_hidden_layers) as f64).sqrt(),
                        _ => 1.0 / (input as f64).sqrt(),
                    };
                    let mut stream = bunch_random::stream(seed, &["init", &name]);
                    let normal = Normal::new(0.0, std).expect("a positive standard deviation");
                    (0..count).map(|_| normal.sample(&mut stream) as f32).collect()
                }
                _ if name.ends_with(".bias") => vec![0.0; count],
                _ => vec![1.0; count],
            };
            weights.insert(name, Tensor { shape, data: Arc::new(data) });
        }
        weights
    }
}
