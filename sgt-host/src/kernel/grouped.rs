//! Convolution in groups: the channels of the input and of the output are cut into as many equal parts,
//! and each part of the output sees its part of the input alone.
//!
//! `out[o, i, j] = bias[o] + Σ_{c,u,v} weight[o, c, u, v] · x[g(o) · in/groups + c, …]`, with the sum over
//! the `in/groups` channels of o's group `g(o)` and the rest as in [`conv2d`](super::conv2d). PyTorch's
//! `groups`.
//!
//! Where every input channel is a group of its own, [`depthwise`](super::depthwise) computes all of them at
//! once; otherwise the groups' channels are gathered and convolved one group after the other.

use super::buffer::Buffer;
use super::conv_block::{Activations, ConvBlock, ConvBlockState, OutputOrder};
use super::conv2d::{Conv2dGeometry, WeightGradient};
use super::depthwise::Depthwise;
use super::request::InputGradient;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;

/// Sizes of a convolution in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GroupedShape {
    /// The convolution of all channels with all channels.
    pub(crate) ungrouped: Conv2dGeometry,
    /// Parts of the channels; they divide those of the input and of the output.
    pub(crate) groups: usize,
}

impl GroupedShape {
    /// The convolution of one group.
    pub(crate) const fn group(&self) -> Conv2dGeometry {
        Conv2dGeometry {
            in_channels: self.ungrouped.in_channels / self.groups,
            out_channels: self.ungrouped.out_channels / self.groups,
            ..self.ungrouped
        }
    }

    /// Values of the weight `[out, in / groups, kh, kw]`.
    pub(crate) const fn weight_len(&self) -> usize {
        self.groups * self.group().weight_len()
    }

    /// Refuses what [`Conv2dGeometry::check`] refuses, and groups that do not divide the channels.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        self.ungrouped.check()?;
        let Conv2dGeometry {
            in_channels,
            out_channels,
            ..
        } = self.ungrouped;
        let groups = self.groups;
        let divides = |channels: usize| groups > 0 && channels.is_multiple_of(groups);
        if divides(in_channels) && divides(out_channels) {
            return Ok(());
        }
        Err(Error::Shape {
            operation: "convolution in groups",
            found: format!("{in_channels} to {out_channels} channels in {groups} groups"),
            expected: "groups that divide both numbers of channels".into(),
        })
    }
}

/// The plan of a convolution in groups.
#[derive(Clone, Debug)]
pub(crate) struct Grouped {
    shape: GroupedShape,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Depthwise(Box<Depthwise>),
    /// The convolution of one group.
    Gathered(Box<ConvBlock>),
}

/// Memory of [`Grouped`], kept from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupedState {
    packed: Buffer,
    /// One group's channels.
    x: Buffer,
    out: Buffer,
    dx: Buffer,
    block: ConvBlockState,
}

impl Grouped {
    /// Plans the convolution.
    ///
    /// # Errors
    /// [`Error::Shape`] on sizes that do not fit each other.
    pub(crate) fn new(shape: &GroupedShape) -> Result<Self> {
        shape.check()?;
        let form = if shape.groups == shape.ungrouped.in_channels {
            Form::Depthwise(Box::new(Depthwise::new(&shape.ungrouped)))
        } else {
            let order = OutputOrder::ChannelsLast;
            Form::Gathered(Box::new(ConvBlock::new(
                &shape.group(),
                false,
                [1, 1],
                order,
            )))
        };
        Ok(Self {
            shape: *shape,
            form,
        })
    }

    /// Convolves the batch `x` `[batch, height, width, in]` into `out` `[batch, height', width', out]`.
    ///
    /// Cost: `2 · batch · weight_len · height' · width'` operations.
    ///
    /// # Errors
    /// [`Error::Shape`] when a length does not fit the shape.
    pub(crate) fn forward(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        state: &mut GroupedState,
    ) -> Result<()> {
        let all = &self.shape.ungrouped;
        let batch = batch_len("convolution in groups", "x", x.len(), all.input_len())?;
        let expect =
            |name, found, expected| expect_len("convolution in groups", name, found, expected);
        expect("out", out.len(), batch * all.output_len())?;
        expect("weight", weight.len(), self.shape.weight_len())?;
        if let Some(bias) = bias {
            expect("bias", bias.len(), all.out_channels)?;
        }
        match &self.form {
            Form::Depthwise(depthwise) => {
                depthwise.forward(weight, bias, x, out, &mut state.packed);
            }
            Form::Gathered(block) => {
                let one = self.shape.group();
                for group in 0..self.shape.groups {
                    let x = gather(all.in_channels, group, one.in_channels, x, &mut state.x);
                    let result = state.out.resize(batch * block.output_len());
                    let weight = &weight[group * one.weight_len()..][..one.weight_len()];
                    let bias =
                        bias.map(|bias| &bias[group * one.out_channels..][..one.out_channels]);
                    block.forward(weight, bias, x, result, &mut state.block);
                    let to = all.out_channels;
                    scatter(to, group, one.out_channels, result, out, |out, value| {
                        *out = value;
                    });
                }
            }
        }
        Ok(())
    }

    /// Pulls `dout` (shaped as `out` of [`Grouped::forward`]) back; adds to `gradient`.
    ///
    /// # Errors
    /// [`Error::Shape`] when a length does not fit the shape.
    pub(crate) fn backward(
        &self,
        weight: &[f32],
        x: &[f32],
        dout: &[f32],
        dx: InputGradient,
        gradient: Option<WeightGradient<'_>>,
        state: &mut GroupedState,
    ) -> Result<()> {
        let all = &self.shape.ungrouped;
        let batch = batch_len("convolution in groups", "x", x.len(), all.input_len())?;
        let expect =
            |name, found, expected| expect_len("convolution in groups", name, found, expected);
        expect("dout", dout.len(), batch * all.output_len())?;
        expect("weight", weight.len(), self.shape.weight_len())?;
        let (mut dx, add) = dx.into_parts();
        if let Some(dx) = &dx {
            expect("dx", dx.len(), x.len())?;
        }
        if let Some(gradient) = &gradient {
            expect("weight gradient", gradient.weight.len(), weight.len())?;
            if let Some(bias) = &gradient.bias {
                expect("bias gradient", bias.len(), all.out_channels)?;
            }
        }
        let block = match &self.form {
            Form::Depthwise(depthwise) => {
                let dx = dx.map(|dx| (dx, add));
                depthwise.backward(weight, x, dout, dx, gradient, &mut state.packed);
                return Ok(());
            }
            Form::Gathered(block) => block,
        };
        let one = self.shape.group();
        let (mut weight_gradient, mut bias_gradient) = match gradient {
            Some(WeightGradient { weight, bias }) => (Some(weight), bias),
            None => (None, None),
        };
        for group in 0..self.shape.groups {
            let x = gather(all.in_channels, group, one.in_channels, x, &mut state.x);
            let dout = gather(
                all.out_channels,
                group,
                one.out_channels,
                dout,
                &mut state.out,
            );
            let weights = group * one.weight_len()..(group + 1) * one.weight_len();
            let biases = group * one.out_channels..(group + 1) * one.out_channels;
            let gradient = weight_gradient.as_deref_mut().map(|weight| WeightGradient {
                weight: &mut weight[weights.clone()],
                bias: bias_gradient.as_deref_mut().map(|bias| &mut bias[biases]),
            });
            // Without ReLU the output is not read.
            let activations = Activations { x, out: dout, dout };
            let target = dx.is_some().then(|| state.dx.resize(x.len()));
            block.backward(
                &weight[weights],
                activations,
                target,
                gradient,
                &mut state.block,
            );
            if let Some(dx) = dx.as_deref_mut() {
                let (to, part) = (all.in_channels, &state.dx);
                if add {
                    scatter(to, group, one.in_channels, part, dx, |dx, value| {
                        *dx += value;
                    });
                } else {
                    scatter(to, group, one.in_channels, part, dx, |dx, value| {
                        *dx = value;
                    });
                }
            }
        }
        Ok(())
    }
}

/// Positions a task of a copy.
const POSITIONS_A_TASK: usize = 1 << 10;

/// Copies the `part` channels of a group out of rows of `channels`.
fn gather<'b>(
    channels: usize,
    group: usize,
    part: usize,
    values: &[f32],
    buffer: &'b mut Buffer,
) -> &'b [f32] {
    let out = buffer.resize(values.len() / channels * part);
    out.par_chunks_mut(POSITIONS_A_TASK * part)
        .zip(values.par_chunks(POSITIONS_A_TASK * channels))
        .for_each(|(out, values)| {
            let rows = out
                .chunks_exact_mut(part)
                .zip(values.chunks_exact(channels));
            rows.for_each(|(out, row)| out.copy_from_slice(&row[group * part..][..part]));
        });
    out
}

/// Puts the `part` channels of a group into rows of `channels`, by `put`.
fn scatter(
    channels: usize,
    group: usize,
    part: usize,
    values: &[f32],
    out: &mut [f32],
    put: impl Fn(&mut f32, f32) + Sync,
) {
    out.par_chunks_mut(POSITIONS_A_TASK * channels)
        .zip(values.par_chunks(POSITIONS_A_TASK * part))
        .for_each(|(out, values)| {
            for (row, values) in out
                .chunks_exact_mut(channels)
                .zip(values.chunks_exact(part))
            {
                let row = row[group * part..][..part].iter_mut();
                row.zip(values).for_each(|(out, &value)| put(out, value));
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv2d::oracle::Truth;
    use crate::kernel::dispatch::on_every_instruction_set;
    use crate::kernel::levels::values;
    use crate::kernel::oracle::{TOLERANCE, assert_close, bits};

    fn shapes() -> Vec<GroupedShape> {
        let mut shapes = Vec::new();
        // Groups of one, groups of several, depthwise, depthwise with a multiplier.
        for [inputs, outputs, groups] in [
            [4, 6, 1],
            [4, 6, 2],
            [12, 3, 3],
            [34, 68, 2],
            [1, 1, 1],
            [5, 5, 5],
            [3, 12, 3],
            [16, 16, 16],
            [17, 34, 17],
            [40, 40, 40],
        ] {
            let image = Conv2dGeometry::image(inputs, outputs, [7, 9], 3);
            let series = Conv2dGeometry::series(inputs, outputs, 17, 5);
            let lopsided = Conv2dGeometry {
                kernel: [2, 4],
                stride: [1, 2],
                padding_before: [3, 0],
                padding_after: [0, 2],
                dilation: [2, 1],
                ..image
            };
            let all = [
                image,
                image.padded(1),
                image.padded(1).strided(2),
                image.padded(2).dilated(2),
                lopsided,
                series.padded(2),
                series.dilated(2).causal(),
                series.strided(3),
            ];
            shapes.extend(all.map(|ungrouped| GroupedShape { ungrouped, groups }));
        }
        shapes
    }

    struct Case {
        shape: GroupedShape,
        weight: Vec<f32>,
        bias: Vec<f32>,
        x: Vec<f32>,
        dout: Vec<f32>,
    }

    impl Case {
        fn new(shape: GroupedShape, batch: usize) -> Self {
            let all = shape.ungrouped;
            Self {
                weight: values(shape.weight_len(), 2),
                bias: values(all.out_channels, 3),
                x: values(batch * all.input_len(), 1),
                dout: values(batch * all.output_len(), 4),
                shape,
            }
        }

        fn truth(&self) -> Truth {
            let inputs = [&self.weight, &self.bias, &self.x, &self.dout].map(Vec::as_slice);
            Truth::new(&self.shape.ungrouped, self.shape.groups, inputs)
        }

        /// Output, input gradient, weight gradient and bias gradient, the latter added to ones.
        fn run(&self) -> [Vec<f32>; 4] {
            let grouped = Grouped::new(&self.shape).unwrap();
            let mut state = GroupedState::default();
            let (weight, bias) = (&self.weight, Some(self.bias.as_slice()));
            let (x, dout) = (&self.x, &self.dout);
            let mut out = vec![f32::NAN; dout.len()];
            grouped
                .forward(weight, bias, x, &mut out, &mut state)
                .unwrap();
            let mut dx = vec![f32::NAN; x.len()];
            let mut weights = vec![1.0; weight.len()];
            let mut biases = vec![1.0; self.bias.len()];
            let gradient = Some(WeightGradient {
                weight: &mut weights,
                bias: Some(&mut biases),
            });
            let target = InputGradient::Overwrite(&mut dx);
            grouped
                .backward(weight, x, dout, target, gradient, &mut state)
                .unwrap();
            let mut added = vec![1.0; x.len()];
            let target = InputGradient::Add(&mut added);
            grouped
                .backward(weight, x, dout, target, None, &mut state)
                .unwrap();
            let sum: Vec<f32> = dx.iter().map(|dx| 1.0 + dx).collect();
            assert_eq!(bits(&added), bits(&sum), "{:?}", self.shape);
            [out, dx, weights, biases]
        }
    }

    #[test]
    fn agrees_with_its_definition_on_every_instruction_set() {
        // More images than one sum of weight gradients holds.
        let cases = shapes().into_iter().map(|shape| Case::new(shape, 10));
        let cases: Vec<_> = cases.map(|case| (case.truth(), case)).collect();
        on_every_instruction_set(|arch| {
            for (truth, case) in &cases {
                let name = format!("{arch:?}, {:?}", case.shape);
                let [out, dx, weight, bias] = case.run();
                assert_close(&format!("out: {name}"), &out, 0.0, &truth.out, TOLERANCE);
                assert_close(&format!("dx: {name}"), &dx, 0.0, &truth.dx, TOLERANCE);
                assert_close(
                    &format!("weight: {name}"),
                    &weight,
                    1.0,
                    &truth.weight,
                    TOLERANCE,
                );
                assert_close(&format!("bias: {name}"), &bias, 1.0, &truth.bias, TOLERANCE);
            }
        });
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let shapes = shapes().into_iter().step_by(3);
                let results = shapes.map(|shape| Case::new(shape, 20).run());
                results
                    .map(|all| all.map(|values| bits(&values)))
                    .collect::<Vec<_>>()
            })
        };
        let one = on(1);
        assert!(one == on(2) && one == on(3));
    }

    #[test]
    fn a_group_reads_its_own_channels_only() {
        let shape = GroupedShape {
            ungrouped: Conv2dGeometry::series(4, 4, 6, 3).padded(1),
            groups: 2,
        };
        for groups in [2, 4] {
            let mut case = Case::new(GroupedShape { groups, ..shape }, 1);
            case.x[0] = f32::INFINITY;
            let [out, ..] = case.run();
            let finite = |row: &[f32]| row[4 / groups..].iter().all(|value| value.is_finite());
            assert!(out.chunks_exact(4).all(finite), "{groups} groups");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_in_one_line() {
        let shape = GroupedShape {
            ungrouped: Conv2dGeometry::series(4, 6, 9, 3),
            groups: 4,
        };
        let error = Grouped::new(&shape).unwrap_err();
        assert_eq!(
            error.to_string(),
            "convolution in groups: found shape 4 to 6 channels in 4 groups, expected groups that divide \
             both numbers of channels"
        );
        let grouped = Grouped::new(&GroupedShape { groups: 2, ..shape }).unwrap();
        let mut state = GroupedState::default();
        let weight = [0.0; 36];
        let error = grouped.forward(&weight[1..], None, &[0.0; 36], &mut [0.0; 42], &mut state);
        assert_eq!(
            error.unwrap_err().to_string(),
            "convolution in groups: found shape weight of 35 values, expected 36 values"
        );
    }
}
