//! How two checkpoints differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bunch_checkpoint::{Layer, TensorName};
use bunch_report::HeatMap;

use super::difference::Difference;
use super::error::ComparisonError;
use super::measures::Measures;
use super::quantity::Quantity;
use super::sums::Sums;

/// How two checkpoints, A and B, differ.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The folder of A.
    pub a: PathBuf,
    /// The folder of B.
    pub b: PathBuf,
    /// The folder of the base that task vectors are taken from.
    pub base: Option<PathBuf>,
    /// The tensors compared: those outside of layers first, then layer by layer.
    pub tensors: Vec<TensorComparison>,
    /// Remarks on tensors, compared or not, in the same order.
    pub differences: Vec<Difference>,
}

/// How a tensor differs.
#[derive(Debug, Clone)]
pub struct TensorComparison {
    /// The tensor's name.
    pub name: String,
    /// What its name says.
    pub parsed_name: TensorName,
    /// Its shape in A.
    pub shape: Vec<usize>,
    /// Its dtype in A, in the file's spelling.
    pub dtype_a: String,
    /// Its dtype in B.
    pub dtype_b: String,
    pub(crate) sums: Sums,
}

impl TensorComparison {
    /// How alike the tensor's values are.
    pub fn measures(&self) -> Measures {
        Measures::new(&self.sums)
    }
}

/// Modules of a layer by the end of their names in the order in which a transformer runs through them; others come
/// after, in the order of their names.
const MODULE_ORDER: [&str; 15] = [
    "embed_tokens",
    "input_layernorm",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.q_norm",
    "self_attn.k_norm",
    "self_attn.o_proj",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
    "post_feedforward_layernorm",
    "norm",
];

/// A module's place among others.
pub(crate) fn module_order(module: &str) -> (usize, &str) {
    let weight = module.strip_suffix(".bias").unwrap_or(module);
    let known = MODULE_ORDER.iter().position(|known| *known == weight);
    (known.unwrap_or(MODULE_ORDER.len()), module)
}

impl Comparison {
    /// The measures of all tensors as one long vector.
    pub fn total(&self) -> Measures {
        let mut total = Sums::default();
        self.tensors.iter().for_each(|tensor| total.add(&tensor.sums));
        Measures::new(&total)
    }

    /// The measures of each kind of module over all layers, in the order in which a transformer runs through them.
    pub fn modules(&self) -> Vec<(String, Measures)> {
        let mut modules: Vec<(String, Measures)> =
            self.grouped(|tensor| tensor.parsed_name.module.clone()).into_iter().collect();
        modules.sort_by(|(a, _), (b, _)| module_order(a).cmp(&module_order(b)));
        modules
    }

    /// The measures of each layer, and first those of what is in none.
    pub fn layers(&self) -> Vec<(Option<Layer>, Measures)> {
        self.grouped(|tensor| tensor.parsed_name.layer.clone()).into_iter().collect()
    }

    /// The measures of each module of each layer.
    pub fn layer_modules(&self) -> BTreeMap<(Layer, String), Measures> {
        let groups =
            self.grouped(|tensor| Some((tensor.parsed_name.layer.clone()?, tensor.parsed_name.module.clone())));
        groups.into_iter().filter_map(|(place, measures)| Some((place?, measures))).collect()
    }

    /// A map of one number by layer and module; what is outside of the layers is not on it.
    ///
    /// # Errors
    /// A quantity that takes a base, without one; no tensor is in a layer.
    pub fn heat_map(&self, quantity: Quantity) -> Result<HeatMap, ComparisonError> {
        if quantity.needs_base() && self.base.is_none() {
            return Err(ComparisonError::NoBase { quantity: quantity.name() });
        }
        let cells = self.layer_modules();
        let layers: BTreeSet<&Layer> = cells.keys().map(|(layer, _)| layer).collect();
        if layers.is_empty() {
            return Err(ComparisonError::NoLayers);
        }
        let modules: BTreeSet<&String> = cells.keys().map(|(_, module)| module).collect();
        let mut modules: Vec<&String> = modules.into_iter().collect();
        modules.sort_by_key(|module| module_order(module));
        let value = |layer: &Layer, module: &String| quantity.of(cells.get(&(layer.clone(), module.clone()))?);
        Ok(HeatMap {
            title: quantity.label().to_owned(),
            rows: layers.iter().map(|layer| self.layer_label(layer)).collect(),
            columns: modules.iter().map(|module| (*module).clone()).collect(),
            values: layers.iter().map(|layer| modules.iter().map(|module| value(layer, module)).collect()).collect(),
            legend: quantity.name().replace('-', " "),
            range: None,
        })
    }

    /// What a layer is called: by its number alone if all layers are in one list.
    pub(crate) fn layer_label(&self, layer: &Layer) -> String {
        let mut lists = self.tensors.iter().filter_map(|tensor| Some(&tensor.parsed_name.layer.as_ref()?.list));
        if lists.all(|list| *list == layer.list) { format!("layer {}", layer.index) } else { layer.to_string() }
    }

    /// The measures of groups of tensors.
    fn grouped<K: Ord>(&self, key: impl Fn(&TensorComparison) -> K) -> BTreeMap<K, Measures> {
        let mut groups: BTreeMap<K, Sums> = BTreeMap::new();
        for tensor in &self.tensors {
            groups.entry(key(tensor)).or_default().add(&tensor.sums);
        }
        groups.into_iter().map(|(key, sums)| (key, Measures::new(&sums))).collect()
    }
}
