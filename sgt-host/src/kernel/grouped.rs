//! Convolution in groups of channels that do not see each other.
//!
//! Each group's channels are gathered side by side, convolved by [`ConvBlock`], and put back
//! between the others'.

use super::buffer::Buffer;
use super::conv_block::{Activations, ConvBlock, ConvBlockState, OutputOrder};
use super::conv2d::{Conv2dGeometry, WeightGradient};
use rayon::prelude::*;

/// The plan of a convolution in groups, over channels-last batches.
#[derive(Clone, Debug)]
pub(crate) struct GroupedConvolution {
    /// One group's convolution.
    block: ConvBlock,
    groups: usize,
    /// Channels that one group reads and gives.
    channels: [usize; 2],
    /// Values of one group's weight.
    weight_len: usize,
}

/// What a forward pass keeps, and scratch.
#[derive(Debug, Default)]
pub(crate) struct GroupedState {
    block: ConvBlockState,
    x: Buffer,
    out: Buffer,
    dx: Buffer,
}

impl GroupedConvolution {
    /// `geometry` has the channels of all groups together, which `groups` divides.
    pub(crate) fn new(geometry: &Conv2dGeometry, groups: usize) -> Self {
        let channels = [
            geometry.in_channels / groups,
            geometry.out_channels / groups,
        ];
        let own = Conv2dGeometry {
            in_channels: channels[0],
            out_channels: channels[1],
            ..*geometry
        };
        Self {
            block: ConvBlock::new(&own, false, [1, 1], OutputOrder::ChannelsLast),
            groups,
            channels,
            weight_len: own.weight_len(),
        }
    }

    /// Values of one output.
    pub(crate) fn output_len(&self) -> usize {
        self.block.output_len() * self.groups
    }

    /// Computes the batch `x` into `out`.
    pub(crate) fn forward(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        state: &mut GroupedState,
    ) {
        let [inputs, outputs] = self.channels;
        for (group, weight) in weight.chunks_exact(self.weight_len).enumerate() {
            let own_x = state.x.resize(x.len() / self.groups);
            self.gather(group, inputs, x, own_x);
            let own_out = state.out.resize(out.len() / self.groups);
            let bias = bias.map(|bias| &bias[group * outputs..][..outputs]);
            self.block
                .forward(weight, bias, own_x, own_out, &mut state.block);
            self.scatter(group, outputs, own_out, out);
        }
    }

    /// Pulls `dout` back. Overwrites `dx`, adds to `gradient`.
    pub(crate) fn backward(
        &self,
        weight: &[f32],
        x: &[f32],
        dout: &[f32],
        mut dx: Option<&mut [f32]>,
        mut gradient: Option<WeightGradient<'_>>,
        state: &mut GroupedState,
    ) {
        let [inputs, outputs] = self.channels;
        for (group, weight) in weight.chunks_exact(self.weight_len).enumerate() {
            let own_x = state.x.resize(x.len() / self.groups);
            self.gather(group, inputs, x, own_x);
            let own_dout = state.out.resize(dout.len() / self.groups);
            self.gather(group, outputs, dout, own_dout);
            let own_dx = dx.is_some().then(|| state.dx.resize(own_x.len()));
            let place = group * self.weight_len..(group + 1) * self.weight_len;
            let own_gradient = gradient.as_mut().map(|gradient| WeightGradient {
                weight: &mut gradient.weight[place],
                bias: (gradient.bias.as_deref_mut())
                    .map(|bias| &mut bias[group * outputs..][..outputs]),
            });
            let activations = Activations {
                x: own_x,
                // Read behind ReLU alone, which is not in the block.
                out: own_dout,
                dout: own_dout,
            };
            let block = &mut state.block;
            self.block
                .backward(weight, activations, own_dx, own_gradient, block);
            if let Some(dx) = dx.as_deref_mut() {
                self.scatter(group, inputs, &state.dx, dx);
            }
        }
    }

    /// Copies the `channels` of a group out of all.
    fn gather(&self, group: usize, channels: usize, all: &[f32], own: &mut [f32]) {
        let row = channels * self.groups;
        own.par_chunks_exact_mut(channels)
            .zip(all.par_chunks_exact(row))
            .with_min_len(ROWS_A_TASK)
            .for_each(|(own, all)| own.copy_from_slice(&all[group * channels..][..channels]));
    }

    /// Copies the `channels` of a group to their places among all.
    fn scatter(&self, group: usize, channels: usize, own: &[f32], all: &mut [f32]) {
        let row = channels * self.groups;
        all.par_chunks_exact_mut(row)
            .zip(own.par_chunks_exact(channels))
            .with_min_len(ROWS_A_TASK)
            .for_each(|(all, own)| all[group * channels..][..channels].copy_from_slice(own));
    }
}

/// Positions that are copied in one task.
const ROWS_A_TASK: usize = 1 << 12;
