//! Names of layers that have none of their own.

use crate::network::Layer;
use std::collections::BTreeMap;

/// What PyTorch programs usually call a layer of this kind; none for layers without parameters.
fn usual(layer: &Layer) -> Option<&'static str> {
    match layer {
        Layer::Convolution(_) => Some("conv"),
        Layer::BatchNorm(_) => Some("bn"),
        Layer::LayerNorm(_) => Some("norm"),
        Layer::Embedding(_) => Some("embedding"),
        Layer::SelfAttention(_) => Some("self_attn"),
        Layer::Linear(_) => Some("fc"),
        Layer::Lstm(_) => Some("lstm"),
        _ => None,
    }
}

/// Names each layer with parameters that has no name by its kind: `fc` where it is the only one,
/// otherwise `fc1`, `fc2`, … in the order of the walk (body before shortcut).
pub(super) fn name(layers: &mut [Layer]) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for_each_nameless(layers, &mut |_, usual| {
        *kinds.entry(usual).or_default() += 1;
    });
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for_each_nameless(layers, &mut |name, usual| {
        let number = named.entry(usual).or_default();
        *number += 1;
        *name = match kinds[usual] {
            1 => usual.to_owned(),
            _ => format!("{usual}{number}"),
        };
    });
}

fn for_each_nameless(layers: &mut [Layer], f: &mut impl FnMut(&mut String, &'static str)) {
    for layer in layers {
        if let Layer::Residual(block) = layer {
            for_each_nameless(&mut block.body, f);
            for_each_nameless(&mut block.shortcut, f);
        } else if let Some(usual) = usual(layer)
            && layer.name().is_empty()
        {
            f(layer.name_mut(), usual);
        }
    }
}
