//! Every public function refuses bad arguments with the error that names them, writes nothing and
//! does not panic.

use sgt_core::{
    AdversarialRows, AsgtRows, Ball, Bounds, Donors, End, Error, Goal, Group, Importance, Layout,
    Masking, MomentumScale, Norm, Order, Pcg32, Policy, Reduction, Schedule, Scope, SgtRows,
    Threat, Workspace, accuracy_drop_area, adaptive_fraction, adversarial_objective,
    asgt_objective, comprehensiveness, cross_entropy, cross_entropy_grad, fgsm, gini,
    kl_divergence, kl_divergence_grad, log_softmax, log_sum_exp, mask, mask_sample,
    mask_sample_small, masked_count, mean_cross_entropy, mean_kl_divergence, mi_fgsm_step,
    pgd_step, project, random_noise, random_start, rank_features, replace_features,
    replace_features_by_bits, select_fast, select_small, sgt_objective, softmax, sufficiency,
    top_k_overlap,
};

const NAN: f32 = f32::NAN;
const INFINITY: f32 = f32::INFINITY;
/// What every output holds before a call.
const BEFORE: f32 = -12_345.678;

fn empty(argument: &'static str) -> Error {
    Error::Empty { argument }
}

fn length(argument: &'static str, expected: usize, found: usize) -> Error {
    Error::Length {
        argument,
        expected,
        found,
    }
}

fn non_finite(argument: &'static str, index: usize) -> Error {
    Error::NonFinite { argument, index }
}

fn range(argument: &'static str) -> Error {
    Error::Range { argument }
}

fn too_many(selected: usize, groups: usize) -> Error {
    Error::TooMany { selected, groups }
}

fn label(label: usize, classes: usize) -> Error {
    Error::Label { label, classes }
}

/// Calls `refuse` with an output of `room` values, expects `error` and the output as it was.
#[track_caller]
fn refused<T>(error: Error, room: usize, refuse: impl FnOnce(&mut [f32]) -> Result<T, Error>) {
    let mut out = vec![BEFORE; room];
    assert_eq!(refuse(&mut out).err(), Some(error));
    assert!(
        out.iter().all(|value| value.to_bits() == BEFORE.to_bits()),
        "a refused call wrote {out:?}"
    );
}

/// As [`refused`] for two outputs.
#[track_caller]
fn both_refused<T>(
    error: Error,
    rooms: (usize, usize),
    refuse: impl FnOnce(&mut [f32], &mut [f32]) -> Result<T, Error>,
) {
    refused(error, rooms.0 + rooms.1, |out| {
        let (first, second) = out.split_at_mut(rooms.0);
        refuse(first, second)
    });
}

fn rng() -> Pcg32 {
    Pcg32::new(1, 1)
}

fn flat(features: usize) -> Layout {
    Layout::flat(features).expect("not empty")
}

#[test]
fn layouts() {
    let new = |positions, channels| {
        let order = Order::ChannelsFirst;
        Layout::new(positions, channels, order, Group::Cell, Reduction::Sum).err()
    };
    assert_eq!(new(0, 1), Some(empty("positions")));
    assert_eq!(new(1, 0), Some(empty("channels")));
    assert_eq!(new(usize::MAX, 2), Some(range("positions")));
    assert_eq!(Layout::image(0, 2, 2), Err(empty("channels")));
    assert_eq!(Layout::image(3, 0, 2), Err(empty("height")));
    assert_eq!(Layout::image(3, 2, 0), Err(empty("width")));
    assert_eq!(Layout::image(1, usize::MAX, 2), Err(range("height")));
    assert_eq!(Layout::image(2, usize::MAX, 1), Err(range("positions")));
    let series =
        |steps, channels| Layout::series(steps, channels, Order::ChannelsLast, Group::Position);
    assert_eq!(series(0, 4), Err(empty("positions")));
    assert_eq!(series(4, 0), Err(empty("channels")));
    assert_eq!(Layout::text(0, 4), Err(empty("positions")));
    assert_eq!(Layout::text(4, 0), Err(empty("channels")));
    assert_eq!(Layout::flat(0), Err(empty("positions")));
    assert_eq!(flat(4).with_valid(1, 0), Err(empty("valid")));
    assert_eq!(flat(4).with_valid(1, 4), Err(range("valid")));
    assert_eq!(flat(4).with_valid(5, 1), Err(range("valid")));
    assert_eq!(flat(4).with_valid(usize::MAX, 1), Err(range("valid")));
}

#[test]
fn ranking() {
    let image = Layout::image(2, 1, 2).expect("not empty");
    let rank = |gradient: &[f32]| {
        let gradient = gradient.to_vec();
        move |out: &mut [f32]| rank_features(&image, Importance::Signed, &gradient, out)
    };
    refused(length("gradient", 4, 0), 2, rank(&[]));
    refused(length("gradient", 4, 3), 2, rank(&[0.0; 3]));
    refused(length("gradient", 4, 5), 2, rank(&[0.0; 5]));
    refused(length("importance", 2, 3), 3, rank(&[0.0; 4]));
    refused(length("importance", 2, 0), 0, rank(&[0.0; 4]));
    refused(non_finite("gradient", 1), 2, rank(&[0.0, NAN, 0.0, 0.0]));
    refused(
        non_finite("gradient", 0),
        2,
        rank(&[0.0, 0.0, INFINITY, 0.0]),
    );
    refused(
        non_finite("gradient", 0),
        2,
        rank(&[INFINITY, 0.0, -INFINITY, 0.0]),
    );
    // Finite gradients whose sum is not.
    refused(
        non_finite("gradient", 1),
        2,
        rank(&[0.0, f32::MAX, 0.0, f32::MAX]),
    );
    let cells = flat(3);
    refused(non_finite("gradient", 2), 3, |out| {
        rank_features(&cells, Importance::Absolute, &[0.0, 0.0, -INFINITY], out)
    });
}

#[test]
fn selection() {
    let both = |importance: &[f32], k: usize, error: Error| {
        let mut scratch = vec![7; importance.len()];
        for end in [End::Lowest, End::Highest] {
            assert_eq!(select_small(importance, k, end), Err(error));
            assert_eq!(select_fast(importance, k, end, &mut scratch), Err(error));
            assert!(scratch.iter().all(|&key| key == 7));
        }
    };
    both(&[], 0, empty("importance"));
    both(&[], 3, empty("importance"));
    both(&[1.0, 2.0], 3, too_many(3, 2));
    both(&[1.0, 2.0], usize::MAX, too_many(usize::MAX, 2));
    both(&[1.0, NAN, NAN], 1, non_finite("importance", 1));
    both(&[INFINITY, 1.0], 1, non_finite("importance", 0));
    both(&[1.0, -INFINITY], 0, non_finite("importance", 1));
    let mut scratch = [7; 2];
    let refused = select_fast(&[1.0; 3], 1, End::Lowest, &mut scratch);
    assert_eq!(refused, Err(length("scratch", 3, 2)));
    assert_eq!(scratch, [7; 2]);
}

#[test]
fn mask_forms() {
    let importance = [0.0, 1.0, 2.0];
    let two = select_small(&importance, 2, End::Lowest).expect("valid");
    let mut indices = [7_u16; 1];
    assert_eq!(
        two.indices(&importance, &mut indices),
        Err(length("indices", 2, 1))
    );
    assert_eq!(indices, [7]);
    let groups = (1 << 16) + 1;
    let many = vec![0.0; groups];
    let threshold = select_small(&many, 1, End::Lowest).expect("valid");
    assert_eq!(
        threshold.indices(&many, &mut indices),
        Err(Error::IndexType { groups })
    );
    assert_eq!(indices, [7]);
    let fitting = &many[1..];
    let threshold = select_small(fitting, 1, End::Highest).expect("valid");
    assert!(threshold.indices(fitting, &mut indices).is_ok());

    let mut words = [7; 2];
    assert_eq!(
        mask::set_bits(&two, &importance, &mut words),
        Err(length("words", 1, 2))
    );
    assert_eq!(
        mask::bits_from_indices(&[0_u16], 3, &mut words),
        Err(length("words", 1, 2))
    );
    assert_eq!(
        mask::bits_from_indices(&[0_u16, 64], 64, &mut words),
        Err(range("indices"))
    );
    assert_eq!(
        mask::bits_from_indices(&[0_u32, 64], 64, &mut words),
        Err(range("indices"))
    );
    assert_eq!(words, [7; 2]);
    let mut indices = [7_u16; 3];
    let listed = mask::indices_from_bits(&[0b1111], &mut indices);
    assert_eq!(listed, Err(length("indices", 4, 3)));
    let wide = vec![0; 2_049];
    let listed = mask::indices_from_bits(&wide, &mut indices);
    assert_eq!(listed, Err(Error::IndexType { groups: 2_049 * 32 }));
    assert_eq!(indices, [7; 3]);
    assert!(!mask::is_selected(&[u32::MAX], 32));
    assert!(!mask::is_selected(&[], usize::MAX));
}

#[test]
fn replacement() {
    let layout = flat(3);
    let sample = [1.0, 2.0, 3.0];
    let replace = |policy: Policy,
                   indices: &[u16],
                   sample: &[f32],
                   donors: Option<Donors<'_>>,
                   out: &mut [f32]| {
        let mut words = [0];
        let legal = indices.iter().all(|&index| index < 32);
        for &index in indices.iter().filter(|_| legal) {
            words[0] |= 1 << index;
        }
        let by_list = replace_features(&layout, policy, indices, sample, donors, &mut rng(), out);
        let by_bits =
            replace_features_by_bits(&layout, policy, &words, sample, donors, &mut rng(), out);
        match (by_list, by_bits) {
            // A bit set is not an index list: the names differ.
            (
                Err(Error::Range {
                    argument: "indices",
                }),
                Err(Error::Range { argument: "words" }),
            ) => {}
            (list, bits) => assert_eq!(list, bits),
        }
        by_list
    };
    for policy in [
        Policy::Zero,
        Policy::Uniform,
        Policy::Mean,
        Policy::Background,
    ] {
        refused(range("indices"), 3, |out| {
            replace(policy, &[0, 3], &sample, None, out)
        });
        refused(length("sample", 3, 0), 3, |out| {
            replace(policy, &[0], &[], None, out)
        });
        refused(length("sample", 3, 2), 3, |out| {
            replace(policy, &[0], &[1.0; 2], None, out)
        });
        refused(length("out", 3, 2), 2, |out| {
            replace(policy, &[0], &sample, None, out)
        });
        refused(length("out", 3, 4), 4, |out| {
            replace(policy, &[0], &sample, None, out)
        });
    }
    for policy in [Policy::Uniform, Policy::Mean] {
        for bad in [NAN, INFINITY, -INFINITY] {
            refused(non_finite("sample", 2), 3, |out| {
                replace(policy, &[0], &[1.0, 2.0, bad], None, out)
            });
        }
    }
    for bad in [NAN, INFINITY] {
        refused(range("constant"), 3, |out| {
            replace(Policy::Constant(bad), &[0], &sample, None, out)
        });
        let policy = Policy::Gaussian {
            mean: bad,
            std: 1.0,
        };
        refused(range("mean"), 3, |out| {
            replace(policy, &[0], &sample, None, out)
        });
    }
    for std in [NAN, INFINITY, -1.0] {
        let policy = Policy::Gaussian { mean: 0.0, std };
        refused(range("std"), 3, |out| {
            replace(policy, &[0], &sample, None, out)
        });
    }
    let permute = |batch: &[f32], own: usize, error: Error| {
        let donors = Some(Donors { batch, own });
        refused(error, 3, |out| {
            replace(Policy::Permute, &[0], &sample, donors, out)
        });
    };
    refused(empty("donors"), 3, |out| {
        replace(Policy::Permute, &[0], &sample, None, out)
    });
    permute(&[], 0, empty("donors"));
    permute(&[1.0; 3], 0, empty("donors"));
    permute(&[1.0; 7], 0, length("donors", 6, 7));
    permute(&[1.0; 6], 2, range("donors"));
    permute(&[1.0; 6], usize::MAX, range("donors"));
    let previous = Policy::PreviousSalient;
    let unsupported = Error::Unsupported { argument: "policy" };
    refused(unsupported, 3, |out| {
        replace(previous, &[0], &sample, None, out)
    });
    let text = Layout::text(3, 1).expect("not empty");
    refused(too_many(3, 2), 3, |out| {
        replace_features(
            &text,
            previous,
            &[0_u32, 1, 2],
            &sample,
            None,
            &mut rng(),
            out,
        )
    });
    for words in [&[][..], &[0, 0]] {
        refused(length("words", 1, words.len()), 3, |out| {
            replace_features_by_bits(&text, Policy::Zero, words, &sample, None, &mut rng(), out)
        });
    }
    refused(range("words"), 3, |out| {
        replace_features_by_bits(
            &text,
            Policy::Zero,
            &[0b1000],
            &sample,
            None,
            &mut rng(),
            out,
        )
    });
}

/// Both masking calls and the workspace must refuse alike.
#[track_caller]
fn masking_refused(error: Error, masking: &Masking, gradient: &[f32], sample: &[f32], room: usize) {
    let donors = Some(Donors {
        batch: &[1.0; 3],
        own: 0,
    });
    refused(error, room, |out| {
        let mut generator = rng();
        let mut scratch = [0; 64];
        let result = mask_sample(
            masking,
            gradient,
            sample,
            donors,
            &mut generator,
            &mut scratch,
            out,
        );
        assert_eq!(generator, rng(), "a refused call drew a number");
        result.map(|selected| selected.count())
    });
    refused(error, room, |out| {
        let mut generator = rng();
        let mut indices = [0_u16; 64];
        let result = mask_sample_small(
            masking,
            gradient,
            sample,
            donors,
            &mut generator,
            &mut indices,
            out,
        );
        assert_eq!(generator, rng(), "a refused call drew a number");
        result.map(<[u16]>::len)
    });
    if room == masking.layout.sample_len() {
        let mut workspace = Workspace::<64>::new();
        let result = workspace.mask(masking, gradient, sample, donors, &mut rng());
        assert_eq!(result, Err(error));
    }
}

#[test]
fn masking() {
    let masking = Masking::reference(flat(3));
    let good = [1.0, 2.0, 3.0];
    masking_refused(length("gradient", 3, 0), &masking, &[], &good, 3);
    masking_refused(length("gradient", 3, 4), &masking, &[1.0; 4], &good, 3);
    masking_refused(length("sample", 3, 0), &masking, &good, &[], 3);
    masking_refused(length("sample", 3, 2), &masking, &good, &[1.0; 2], 3);
    masking_refused(length("out", 3, 2), &masking, &good, &good, 2);
    masking_refused(length("out", 3, 4), &masking, &good, &good, 4);
    for bad in [NAN, INFINITY, -INFINITY] {
        masking_refused(
            non_finite("gradient", 1),
            &masking,
            &[1.0, bad, 1.0],
            &good,
            3,
        );
        masking_refused(
            non_finite("sample", 2),
            &masking,
            &good,
            &[1.0, 1.0, bad],
            3,
        );
    }
    for fraction in [NAN, INFINITY, -0.1, 1.000_1] {
        let masking = Masking {
            fraction,
            ..masking
        };
        masking_refused(range("fraction"), &masking, &good, &good, 3);
        assert_eq!(masking.selected(), Err(range("fraction")));
    }
    let permute = Masking {
        policy: Policy::Permute,
        ..masking
    };
    masking_refused(empty("donors"), &permute, &good, &good, 3);
    let previous = Masking {
        policy: Policy::PreviousSalient,
        ..masking
    };
    let unsupported = |argument| Error::Unsupported { argument };
    masking_refused(unsupported("policy"), &previous, &good, &good, 3);
    let every_token = Masking {
        fraction: 1.0,
        layout: Layout::text(3, 1).expect("not empty"),
        ..previous
    };
    masking_refused(too_many(3, 2), &every_token, &good, &good, 3);
    let per_step = Masking {
        scope: Scope::PerStep,
        layout: Layout::text(3, 1).expect("not empty"),
        ..masking
    };
    masking_refused(unsupported("scope"), &per_step, &good, &good, 3);
    assert_eq!(per_step.selected(), Err(unsupported("scope")));
}

#[test]
fn masking_memory() {
    let masking = Masking::reference(flat(4));
    let good = [1.0, 2.0, 3.0, 4.0];
    refused(length("scratch", 4, 3), 4, |out| {
        let mut scratch = [7; 3];
        mask_sample(&masking, &good, &good, None, &mut rng(), &mut scratch, out)
            .map(|selected| selected.count())
    });
    refused(length("indices", 2, 1), 4, |out| {
        let mut indices = [7_u16];
        mask_sample_small(&masking, &good, &good, None, &mut rng(), &mut indices, out)
            .map(<[u16]>::len)
    });
    let groups = (1 << 16) + 1;
    let mut scratch = [0; 4];
    let mut out = [0.0; 4];
    let selected = mask_sample(
        &masking,
        &good,
        &good,
        None,
        &mut rng(),
        &mut scratch,
        &mut out,
    )
    .expect("valid");
    let mut indices = [7_u16];
    assert_eq!(selected.indices(&mut indices), Err(length("indices", 2, 1)));
    assert_eq!(indices, [7]);
    for room in [0, 2] {
        let mut words = vec![7; room];
        assert_eq!(selected.bits(&mut words), Err(length("words", 1, room)));
        assert!(words.iter().all(|&word| word == 7));
    }
    let wide = Masking::reference(flat(groups));
    let long = vec![1.0; groups];
    let mut indices = vec![0_u16; groups];
    refused(Error::IndexType { groups }, groups, |out| {
        mask_sample_small(&wide, &long, &long, None, &mut rng(), &mut indices, out)
            .map(<[u16]>::len)
    });
    let (mut scratch, mut out) = (vec![0; groups], vec![0.0; groups]);
    let selected = mask_sample(
        &wide,
        &long,
        &long,
        None,
        &mut rng(),
        &mut scratch,
        &mut out,
    )
    .expect("valid");
    assert_eq!(
        selected.indices(&mut indices),
        Err(Error::IndexType { groups })
    );
    let mut small = Workspace::<3>::new();
    let refused = small.mask(&masking, &good, &good, None, &mut rng());
    assert_eq!(
        refused,
        Err(Error::Capacity {
            argument: "workspace",
            needed: 4,
            capacity: 3,
        })
    );
    let fitting = Masking::reference(flat(3));
    assert!(
        small
            .mask(&fitting, &good[1..], &good[1..], None, &mut rng())
            .is_ok()
    );
}

#[test]
fn shares_and_schedules() {
    for bad in [NAN, INFINITY, -0.1, 1.1] {
        assert_eq!(masked_count(bad, 10), Err(range("fraction")));
        assert_eq!(adaptive_fraction(bad, 0.5, 0.5), Err(range("hard")));
        assert_eq!(adaptive_fraction(0.5, bad, 0.5), Err(range("easy")));
        assert_eq!(adaptive_fraction(0.5, 0.5, bad), Err(range("confidence")));
        assert_eq!(Schedule::Constant(1.0).at(bad), Err(range("progress")));
    }
    for bad in [NAN, INFINITY] {
        let schedules = [
            Schedule::Constant(bad),
            Schedule::Linear { from: bad, to: 1.0 },
            Schedule::Cosine { from: 0.0, to: bad },
        ];
        for schedule in schedules {
            assert_eq!(schedule.at(0.5), Err(range("schedule")));
        }
    }
}

/// Logits of three classes with every fault, and the error each causes.
fn bad_logits(argument: &'static str) -> [(Vec<f32>, Error); 4] {
    [
        (vec![], empty(argument)),
        (vec![0.0, NAN, 0.0], non_finite(argument, 1)),
        (vec![0.0, 0.0, INFINITY], non_finite(argument, 2)),
        (vec![-INFINITY, 0.0, 0.0], non_finite(argument, 0)),
    ]
}

#[test]
fn softmaxes() {
    for (logits, error) in bad_logits("logits") {
        refused(error, logits.len(), |out| softmax(&logits, out));
        refused(error, logits.len(), |out| log_softmax(&logits, out));
        assert_eq!(log_sum_exp(&logits), Err(error));
    }
    for room in [0, 2, 4] {
        refused(length("out", 3, room), room, |out| softmax(&[0.0; 3], out));
        refused(length("out", 3, room), room, |out| {
            log_softmax(&[0.0; 3], out)
        });
    }
}

#[test]
fn cross_entropies() {
    for (logits, error) in bad_logits("logits") {
        assert_eq!(cross_entropy(&logits, 0), Err(error));
        refused(error, 3, |out| cross_entropy_grad(&logits, 0, 1.0, out));
        assert_eq!(mean_cross_entropy(&logits, &[0]), Err(error));
    }
    for class in [3, usize::MAX] {
        assert_eq!(cross_entropy(&[0.0; 3], class), Err(label(class, 3)));
        refused(label(class, 3), 3, |out| {
            cross_entropy_grad(&[0.0; 3], class, 1.0, out)
        });
        assert_eq!(
            mean_cross_entropy(&[0.0; 6], &[0, class]),
            Err(label(class, 3))
        );
    }
    for room in [0, 2, 4] {
        refused(length("gradient", 3, room), room, |out| {
            cross_entropy_grad(&[0.0; 3], 0, 1.0, out)
        });
    }
    assert_eq!(mean_cross_entropy(&[0.0; 3], &[]), Err(empty("labels")));
    assert_eq!(mean_cross_entropy(&[], &[0, 0]), Err(empty("logits")));
    assert_eq!(
        mean_cross_entropy(&[0.0; 5], &[0, 0]),
        Err(length("logits", 6, 5))
    );
}

#[test]
fn divergences() {
    let good = [0.0, 1.0, 2.0];
    for (logits, error) in bad_logits("p_logits") {
        let other = &good[..logits.len()];
        assert_eq!(kl_divergence(&logits, other), Err(error));
        assert_eq!(mean_kl_divergence(&logits, other, 3), Err(error));
        both_refused(error, (3, 3), |p, q| {
            kl_divergence_grad(&logits, other, 1.0, p, q)
        });
    }
    for (logits, error) in bad_logits("q_logits").into_iter().skip(1) {
        assert_eq!(kl_divergence(&good, &logits), Err(error));
        assert_eq!(mean_kl_divergence(&good, &logits, 3), Err(error));
        both_refused(error, (3, 3), |p, q| {
            kl_divergence_grad(&good, &logits, 1.0, p, q)
        });
    }
    for found in [0, 2, 4] {
        let other = vec![0.0; found];
        let error = length("q_logits", 3, found);
        assert_eq!(kl_divergence(&good, &other), Err(error));
        assert_eq!(mean_kl_divergence(&good, &other, 3), Err(error));
        both_refused(error, (3, 3), |p, q| {
            kl_divergence_grad(&good, &other, 1.0, p, q)
        });
        let error = length("p_gradient", 3, found);
        both_refused(error, (found, 3), |p, q| {
            kl_divergence_grad(&good, &good, 1.0, p, q)
        });
        let error = length("q_gradient", 3, found);
        both_refused(error, (3, found), |p, q| {
            kl_divergence_grad(&good, &good, 1.0, p, q)
        });
    }
    assert_eq!(mean_kl_divergence(&good, &good, 0), Err(empty("classes")));
    assert_eq!(
        mean_kl_divergence(&good, &good, 2),
        Err(length("p_logits", 4, 3))
    );
    assert_eq!(
        mean_kl_divergence(&good, &good, 4),
        Err(length("p_logits", 4, 3))
    );
    let huge = mean_kl_divergence(&good, &good, usize::MAX);
    assert_eq!(huge, Err(length("p_logits", usize::MAX, 3)));
}

#[test]
fn sgt_objectives() {
    let good = [0.0, 1.0, 2.0];
    let call = |clean: &[f32], masked: &[f32], class, lambda, scale| {
        let (clean, masked) = (clean.to_vec(), masked.to_vec());
        move |p: &mut [f32], q: &mut [f32]| {
            let logits = SgtRows {
                clean: &clean[..],
                masked: &masked,
            };
            let mut gradients = SgtRows {
                clean: p,
                masked: q,
            };
            sgt_objective(&logits, class, lambda, scale, &mut gradients)
        }
    };
    for (logits, error) in bad_logits("logits.clean") {
        both_refused(
            error,
            (3, 3),
            call(&logits, &good[..logits.len()], 0, 1.0, 1.0),
        );
    }
    for (logits, error) in bad_logits("logits.masked").into_iter().skip(1) {
        both_refused(error, (3, 3), call(&good, &logits, 0, 1.0, 1.0));
    }
    both_refused(
        length("logits.masked", 3, 2),
        (3, 3),
        call(&good, &[0.0; 2], 0, 1.0, 1.0),
    );
    both_refused(label(3, 3), (3, 3), call(&good, &good, 3, 1.0, 1.0));
    both_refused(
        length("gradients.clean", 3, 2),
        (2, 3),
        call(&good, &good, 0, 1.0, 1.0),
    );
    both_refused(
        length("gradients.masked", 3, 4),
        (3, 4),
        call(&good, &good, 0, 1.0, 1.0),
    );
    for bad in [NAN, INFINITY] {
        both_refused(range("lambda"), (3, 3), call(&good, &good, 0, bad, 1.0));
        both_refused(range("scale"), (3, 3), call(&good, &good, 0, 1.0, bad));
    }
}

#[test]
fn adversarial_objectives() {
    let good = [0.0, 1.0, 2.0];
    let call = |clean: &[f32], attacked: &[f32], class, scale| {
        let (clean, attacked) = (clean.to_vec(), attacked.to_vec());
        move |p: &mut [f32], q: &mut [f32]| {
            let logits = AdversarialRows {
                clean: &clean[..],
                adversarial: &attacked,
            };
            let mut gradients = AdversarialRows {
                clean: p,
                adversarial: q,
            };
            adversarial_objective(&logits, class, scale, &mut gradients)
        }
    };
    for (logits, error) in bad_logits("logits.clean") {
        both_refused(error, (3, 3), call(&logits, &good[..logits.len()], 0, 1.0));
    }
    for (logits, error) in bad_logits("logits.adversarial").into_iter().skip(1) {
        both_refused(error, (3, 3), call(&good, &logits, 0, 1.0));
    }
    both_refused(
        length("logits.adversarial", 3, 4),
        (3, 3),
        call(&good, &[0.0; 4], 0, 1.0),
    );
    both_refused(label(3, 3), (3, 3), call(&good, &good, 3, 1.0));
    both_refused(
        length("gradients.clean", 3, 2),
        (2, 3),
        call(&good, &good, 0, 1.0),
    );
    both_refused(
        length("gradients.adversarial", 3, 4),
        (3, 4),
        call(&good, &good, 0, 1.0),
    );
    both_refused(range("scale"), (3, 3), call(&good, &good, 0, NAN));
}

#[test]
fn asgt_objectives() {
    let good = vec![0.0, 1.0, 2.0];
    let check = |error, rows: [&[f32]; 3], rooms: [usize; 3], class, lambda, scale| {
        let [clean, adversarial, masked] = rows;
        let logits = AsgtRows {
            clean,
            adversarial,
            masked,
        };
        refused(error, rooms.iter().sum(), |out| {
            let (clean, rest) = out.split_at_mut(rooms[0]);
            let (adversarial, masked) = rest.split_at_mut(rooms[1]);
            let mut gradients = AsgtRows {
                clean,
                adversarial,
                masked,
            };
            asgt_objective(&logits, class, lambda, scale, &mut gradients)
        });
    };
    let three = [3, 3, 3];
    for (logits, error) in bad_logits("logits.masked").into_iter().skip(1) {
        check(error, [&good, &good, &logits], three, 0, 1.0, 1.0);
    }
    for (logits, error) in bad_logits("logits.clean") {
        check(error, [&logits, &good, &good], three, 0, 1.0, 1.0);
    }
    for (logits, error) in bad_logits("logits.adversarial").into_iter().skip(1) {
        check(error, [&good, &logits, &good], three, 0, 1.0, 1.0);
    }
    check(
        length("logits.adversarial", 3, 0),
        [&good, &[], &good],
        three,
        0,
        1.0,
        1.0,
    );
    check(
        length("logits.adversarial", 3, 2),
        [&good, &good[1..], &good],
        three,
        0,
        1.0,
        1.0,
    );
    check(
        length("logits.masked", 3, 2),
        [&good, &good, &good[1..]],
        three,
        0,
        1.0,
        1.0,
    );
    check(label(3, 3), [&good; 3], three, 3, 1.0, 1.0);
    check(
        length("gradients.clean", 3, 2),
        [&good; 3],
        [2, 3, 3],
        0,
        1.0,
        1.0,
    );
    check(
        length("gradients.adversarial", 3, 2),
        [&good; 3],
        [3, 2, 3],
        0,
        1.0,
        1.0,
    );
    check(
        length("gradients.masked", 3, 2),
        [&good; 3],
        [3, 3, 2],
        0,
        1.0,
        1.0,
    );
    check(range("lambda"), [&good; 3], three, 0, NAN, 1.0);
    check(range("scale"), [&good; 3], three, 0, 1.0, INFINITY);
}

fn linf(epsilon: f32, bounds: Bounds) -> Threat {
    Threat::linf(epsilon, bounds)
}

/// Threats outside their domain.
fn bad_threats() -> Vec<(Threat, Error)> {
    let mut threats = Vec::new();
    for epsilon in [NAN, INFINITY, -0.1] {
        threats.push((linf(epsilon, Bounds::UNIT), range("epsilon")));
    }
    let bounds = [
        (1.0, 0.0),
        (NAN, 1.0),
        (0.0, NAN),
        (INFINITY, INFINITY),
        (-INFINITY, -INFINITY),
    ];
    for (low, high) in bounds {
        threats.push((linf(0.1, Bounds { low, high }), range("bounds")));
    }
    threats
}

#[test]
fn fgsm_steps() {
    let good = [0.1, 0.2, 0.3];
    let threat = linf(0.1, Bounds::UNIT);
    for (threat, error) in bad_threats() {
        refused(error, 3, |out| fgsm(&threat, &good, &good, out));
    }
    refused(empty("x"), 0, |out| fgsm(&threat, &[], &[], out));
    refused(length("gradient", 3, 2), 3, |out| {
        fgsm(&threat, &good, &good[1..], out)
    });
    refused(length("out", 3, 2), 2, |out| {
        fgsm(&threat, &good, &good, out)
    });
    for bad in [NAN, INFINITY] {
        refused(non_finite("x", 0), 3, |out| {
            fgsm(&threat, &[bad, 0.0, 0.0], &good, out)
        });
        refused(non_finite("gradient", 2), 3, |out| {
            fgsm(&threat, &good, &[0.0, 0.0, bad], out)
        });
    }
}

/// Origin, gradient, α, the bad value that x starts with, and the error.
type BadStep<'c> = (&'c [f32], &'c [f32], f32, Option<f32>, Error);

#[test]
fn iterated_steps() {
    let good = [0.1, 0.2, 0.3];
    let norms = [Norm::Linf, Norm::L2];
    let poisoned = [0.0, NAN, 0.0];
    let endless = [0.0, 0.0, INFINITY];
    let cases: [BadStep<'_>; 10] = [
        (&[], &[], 0.1, None, empty("origin")),
        (&good[1..], &good[1..], 0.1, None, length("x", 2, 3)),
        (&good, &good[1..], 0.1, None, length("gradient", 3, 2)),
        (&poisoned, &good, 0.1, None, non_finite("origin", 1)),
        (&endless, &good, 0.1, None, non_finite("origin", 2)),
        (&good, &poisoned, 0.1, None, non_finite("gradient", 1)),
        (&good, &endless, 0.1, None, non_finite("gradient", 2)),
        (&good, &good, -0.1, None, range("alpha")),
        (&good, &good, NAN, None, range("alpha")),
        (&good, &good, 0.1, Some(NAN), non_finite("x", 0)),
    ];
    for (norm, (origin, gradient, alpha, bad_x, error)) in norms
        .into_iter()
        .flat_map(|norm| cases.map(|case| (norm, case)))
    {
        let threat = Threat {
            ball: Ball { norm, epsilon: 0.1 },
            bounds: Bounds::UNIT,
            goal: Goal::Untargeted,
        };
        let start = [bad_x.unwrap_or(0.5), 0.5, 0.5];
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let mut x = start;
        assert_eq!(
            pgd_step(&threat, origin, gradient, alpha, &mut x),
            Err(error)
        );
        assert_eq!(bits(&x), bits(&start));
        let mut momentum = [0.25; 3];
        let scale = MomentumScale::L1;
        let result = mi_fgsm_step(
            &threat,
            origin,
            gradient,
            alpha,
            1.0,
            scale,
            &mut momentum,
            &mut x,
        );
        assert_eq!(result, Err(error));
        assert_eq!(bits(&x), bits(&start));
        assert_eq!(momentum, [0.25; 3]);
    }
    for (threat, error) in bad_threats() {
        refused(error, 3, |x| pgd_step(&threat, &good, &good, 0.1, x));
        both_refused(error, (3, 3), |momentum, x| {
            let scale = MomentumScale::MeanAbsolute;
            mi_fgsm_step(&threat, &good, &good, 0.1, 1.0, scale, momentum, x)
        });
    }
    let threat = linf(0.1, Bounds::NONE);
    let scale = MomentumScale::MeanAbsolute;
    for decay in [NAN, INFINITY, -1.0] {
        both_refused(range("decay"), (3, 3), |momentum, x| {
            mi_fgsm_step(&threat, &good, &good, 0.1, decay, scale, momentum, x)
        });
    }
    both_refused(length("momentum", 3, 2), (2, 3), |momentum, x| {
        mi_fgsm_step(&threat, &good, &good, 0.1, 1.0, scale, momentum, x)
    });
    let mut momentum = [0.0, INFINITY, 0.0];
    refused(non_finite("momentum", 1), 3, |x| {
        mi_fgsm_step(&threat, &good, &good, 0.1, 1.0, scale, &mut momentum, x)
    });
    assert_eq!(momentum, [0.0, INFINITY, 0.0]);
}

#[test]
fn projections_and_random_steps() {
    let good = [0.1, 0.2, 0.3];
    for (threat, error) in bad_threats() {
        refused(error, 3, |x| project(&threat, &good, x));
        refused(error, 3, |x| random_start(&threat, &good, &mut rng(), x));
        refused(error, 3, |x| random_noise(&threat, &good, &mut rng(), x));
    }
    let threat = linf(0.1, Bounds::UNIT);
    let bad_origins: [(&[f32], Error); 3] = [
        (&[], empty("origin")),
        (&[0.0, NAN, 0.0], non_finite("origin", 1)),
        (&[INFINITY, 0.0, 0.0], non_finite("origin", 0)),
    ];
    for (origin, error) in bad_origins {
        refused(error, 3, |x| project(&threat, origin, x));
        refused(error, 3, |x| random_start(&threat, origin, &mut rng(), x));
        refused(error, 3, |x| random_noise(&threat, origin, &mut rng(), x));
    }
    refused(length("x", 3, 2), 2, |x| project(&threat, &good, x));
    refused(length("out", 3, 2), 2, |x| {
        random_start(&threat, &good, &mut rng(), x)
    });
    refused(length("out", 3, 4), 4, |x| {
        random_noise(&threat, &good, &mut rng(), x)
    });
    let mut x = [0.0, 0.0, NAN];
    assert_eq!(project(&threat, &good, &mut x), Err(non_finite("x", 2)));
    assert_eq!(x[..2], [0.0, 0.0]);
}

#[test]
fn metrics() {
    assert_eq!(comprehensiveness(0.5, &[]), Err(empty("removed")));
    assert_eq!(sufficiency(0.5, &[]), Err(empty("kept")));
    for bad in [NAN, INFINITY] {
        assert_eq!(comprehensiveness(bad, &[0.5]), Err(non_finite("full", 0)));
        assert_eq!(sufficiency(bad, &[0.5]), Err(non_finite("full", 0)));
        assert_eq!(
            comprehensiveness(0.5, &[0.5, bad]),
            Err(non_finite("removed", 1))
        );
        assert_eq!(sufficiency(0.5, &[0.5, bad]), Err(non_finite("kept", 1)));
        let area = accuracy_drop_area(&[0.0, bad], &[0.0, 0.0]);
        assert_eq!(area, Err(non_finite("fractions", 1)));
        let area = accuracy_drop_area(&[0.0, 1.0], &[bad, 0.0]);
        assert_eq!(area, Err(non_finite("accuracies", 0)));
        refused(non_finite("attribution", 1), 2, |scratch| {
            gini(&[0.0, bad], scratch)
        });
        assert_eq!(
            top_k_overlap(&[0.0, bad], &[0.0, 0.0], 1),
            Err(non_finite("a", 1))
        );
        assert_eq!(
            top_k_overlap(&[0.0, 0.0], &[bad, 0.0], 1),
            Err(non_finite("b", 0))
        );
    }
    assert_eq!(accuracy_drop_area(&[], &[]), Err(empty("fractions")));
    assert_eq!(accuracy_drop_area(&[0.0], &[1.0]), Err(empty("fractions")));
    let uneven = accuracy_drop_area(&[0.0, 1.0], &[1.0]);
    assert_eq!(uneven, Err(length("accuracies", 2, 1)));
    for fractions in [[0.0, 0.0], [1.0, 0.0]] {
        let area = accuracy_drop_area(&fractions, &[1.0, 1.0]);
        assert_eq!(area, Err(range("fractions")));
    }
    refused(empty("attribution"), 2, |scratch| gini(&[], scratch));
    refused(length("scratch", 2, 1), 1, |scratch| {
        gini(&[1.0; 2], scratch)
    });
    assert_eq!(top_k_overlap(&[], &[], 1), Err(empty("a")));
    assert_eq!(top_k_overlap(&[1.0; 2], &[1.0; 2], 0), Err(empty("k")));
    assert_eq!(
        top_k_overlap(&[1.0; 2], &[1.0; 3], 1),
        Err(length("b", 2, 3))
    );
    assert_eq!(top_k_overlap(&[1.0; 2], &[1.0; 2], 3), Err(too_many(3, 2)));
}
