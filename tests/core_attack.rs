//! Attack steps equal their formulas and stay in the ball and the bounds.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{
    Ball, Bounds, Error, Goal, MomentumScale, Norm, Pcg32, Threat, fgsm, mi_fgsm_step, pgd_step,
    project, random_noise, random_start,
};

fn threat() -> impl Strategy<Value = Threat> {
    let norm = prop::sample::select(vec![Norm::Linf, Norm::L2]);
    let goal = prop::sample::select(vec![Goal::Untargeted, Goal::Targeted]);
    let bounds = prop::sample::select(vec![
        Bounds::UNIT,
        Bounds::NONE,
        Bounds {
            low: -0.25,
            high: 1.5,
        },
    ]);
    (norm, goal, bounds, samples::between(0.0, 2.0)).prop_map(|(norm, goal, bounds, epsilon)| {
        Threat {
            ball: Ball { norm, epsilon },
            bounds,
            goal,
        }
    })
}

/// A sample inside every bounds above, and gradients for three steps.
fn case() -> impl Strategy<Value = (Vec<f32>, [Vec<f32>; 3])> {
    (1_usize..30).prop_flat_map(|length| {
        let value =
            prop_oneof![4 => samples::between(0.0, 1.0), 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(1.0)];
        let gradient = || prop::collection::vec(samples::gradient_value(), length);
        let gradients = [gradient(), gradient(), gradient()];
        (prop::collection::vec(value, length), gradients)
    })
}

fn assert_inside(threat: &Threat, origin: &[f32], x: &[f32]) {
    let Bounds { low, high } = threat.bounds;
    assert!(x.iter().all(|value| (low..=high).contains(value)), "{x:?}");
    let epsilon = f64::from(threat.ball.epsilon);
    let distance = match threat.ball.norm {
        Norm::Linf => x
            .iter()
            .zip(origin)
            .map(|(&x, &centre)| (f64::from(x) - f64::from(centre)).abs())
            .fold(0.0, f64::max),
        Norm::L2 => oracle::distance(x, origin),
    };
    let slack = tolerance::STEP * (1.0 + epsilon);
    assert!(
        distance <= epsilon + slack,
        "{distance} from the origin, {epsilon} allowed"
    );
}

fn sign(value: f32) -> f64 {
    if value == 0.0 {
        0.0
    } else {
        f64::from(value.signum())
    }
}

/// The direction of a step along `gradient` in the threat's norm.
fn direction(threat: &Threat, gradient: &[f32]) -> Vec<f64> {
    let towards = if threat.goal == Goal::Targeted {
        -1.0
    } else {
        1.0
    };
    let length = oracle::wide(gradient)
        .iter()
        .map(|g| g * g)
        .sum::<f64>()
        .sqrt();
    gradient
        .iter()
        .map(|&value| match threat.ball.norm {
            Norm::Linf => towards * sign(value),
            Norm::L2 if length == 0.0 => 0.0,
            Norm::L2 => towards * f64::from(value) / length,
        })
        .collect()
}

/// `x` projected onto the ball and then the bounds.
fn projected(threat: &Threat, origin: &[f32], x: &[f64]) -> Vec<f64> {
    let epsilon = f64::from(threat.ball.epsilon);
    let (low, high) = (f64::from(threat.bounds.low), f64::from(threat.bounds.high));
    let moves: Vec<f64> = x
        .iter()
        .zip(origin)
        .map(|(x, &centre)| x - f64::from(centre))
        .collect();
    let length = moves.iter().map(|by| by * by).sum::<f64>().sqrt();
    let shrink = if length > epsilon {
        epsilon / length
    } else {
        1.0
    };
    let moved = moves
        .iter()
        .zip(origin)
        .map(|(&by, &centre)| match threat.ball.norm {
            Norm::Linf => f64::from(centre) + by.clamp(-epsilon, epsilon),
            Norm::L2 => f64::from(centre) + by * shrink,
        });
    moved.map(|value| value.clamp(low, high)).collect()
}

fn assert_close(found: &[f32], expected: &[f64], scale: f64) {
    for (&found, expected) in found.iter().zip(expected) {
        let slack = tolerance::STEP * (1.0 + scale);
        assert!(
            (f64::from(found) - expected).abs() <= slack,
            "{found}, expected {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn steps_stay_in_the_ball_and_the_bounds(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 3.0),
        decay in samples::between(0.0, 1.5),
        seed in any::<u64>(),
    ) {
        let mut x = vec![f32::NAN; origin.len()];
        let mut rng = Pcg32::new(seed, 0);
        random_noise(&threat, &origin, &mut rng, &mut x)?;
        assert_inside(&threat, &origin, &x);
        fgsm(&threat, &origin, &gradients[0], &mut x)?;
        assert_inside(&threat, &origin, &x);
        random_start(&threat, &origin, &mut rng, &mut x)?;
        assert_inside(&threat, &origin, &x);
        for gradient in &gradients {
            pgd_step(&threat, &origin, gradient, alpha, &mut x)?;
            assert_inside(&threat, &origin, &x);
        }
        let mut momentum = vec![0.0; origin.len()];
        for gradient in &gradients {
            let scale = MomentumScale::default();
            mi_fgsm_step(&threat, &origin, gradient, alpha, decay, scale, &mut momentum, &mut x)?;
            assert_inside(&threat, &origin, &x);
        }
    }

    #[test]
    fn an_empty_ball_is_the_identity(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 3.0),
        far in samples::between(-3.0, 3.0),
        seed in any::<u64>(),
    ) {
        let threat = Threat { ball: Ball { epsilon: 0.0, ..threat.ball }, ..threat };
        let mut x = vec![f32::NAN; origin.len()];
        fgsm(&threat, &origin, &gradients[0], &mut x)?;
        prop_assert_eq!(&x, &origin);
        let mut rng = Pcg32::new(seed, 0);
        random_start(&threat, &origin, &mut rng, &mut x)?;
        prop_assert_eq!(&x, &origin);
        random_noise(&threat, &origin, &mut rng, &mut x)?;
        prop_assert_eq!(&x, &origin);
        x.fill(far);
        project(&threat, &origin, &mut x)?;
        prop_assert_eq!(&x, &origin);
        let mut momentum = vec![0.0; origin.len()];
        for gradient in &gradients {
            pgd_step(&threat, &origin, gradient, alpha, &mut x)?;
            prop_assert_eq!(&x, &origin);
            let scale = MomentumScale::L1;
            mi_fgsm_step(&threat, &origin, gradient, alpha, 1.0, scale, &mut momentum, &mut x)?;
            prop_assert_eq!(&x, &origin);
        }
    }

    #[test]
    fn fgsm_and_pgd_equal_their_formulas(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 3.0),
    ) {
        let mut x = vec![f32::NAN; origin.len()];
        fgsm(&threat, &origin, &gradients[0], &mut x)?;
        let step = |from: &[f32], gradient: &[f32], length: f32| -> Vec<f64> {
            let direction = direction(&threat, gradient);
            let moved = from.iter().zip(direction);
            let moved: Vec<f64> = moved
                .map(|(&x, by)| f64::from(x) + f64::from(length) * by)
                .collect();
            projected(&threat, &origin, &moved)
        };
        assert_close(&x, &step(&origin, &gradients[0], threat.ball.epsilon), 2.0);
        for gradient in &gradients {
            let expected = step(&x, gradient, alpha);
            pgd_step(&threat, &origin, gradient, alpha, &mut x)?;
            assert_close(&x, &expected, 5.0);
        }
    }

    #[test]
    fn momentum_adds_up_normalised_gradients(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 1.0),
        decay in samples::between(0.0, 1.5),
    ) {
        let length = origin.len() as f64;
        for (scale, divisor) in [(MomentumScale::MeanAbsolute, length), (MomentumScale::L1, 1.0)] {
            let mut x = origin.clone();
            let mut momentum = vec![0.0; origin.len()];
            let mut expected = vec![0.0; origin.len()];
            for gradient in &gradients {
                let sum = oracle::wide(gradient).iter().map(|g| g.abs()).sum::<f64>();
                for (slot, &value) in expected.iter_mut().zip(gradient) {
                    let added = if sum > 0.0 { f64::from(value) / (sum / divisor) } else { 0.0 };
                    *slot = f64::from(decay) * *slot + added;
                }
                let before = x.clone();
                mi_fgsm_step(
                    &threat, &origin, gradient, alpha, decay, scale, &mut momentum, &mut x,
                )?;
                assert_close(&momentum, &expected, 4.0 * divisor);
                // The step goes along the momentum as it now is.
                let direction = direction(&threat, &momentum);
                let moved = before.iter().zip(direction);
                let moved: Vec<f64> = moved
                    .map(|(&x, by)| f64::from(x) + f64::from(alpha) * by)
                    .collect();
                assert_close(&x, &projected(&threat, &origin, &moved), 5.0);
            }
        }
    }

    #[test]
    fn both_momentum_scales_step_alike(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 1.0),
        decay in samples::between(0.0, 1.5),
    ) {
        let threat = Threat { ball: Ball { norm: Norm::Linf, ..threat.ball }, ..threat };
        let mut moved = [origin.clone(), origin.clone()];
        let mut momenta = [vec![0.0; origin.len()], vec![0.0; origin.len()]];
        for gradient in &gradients {
            let scales = [MomentumScale::MeanAbsolute, MomentumScale::L1];
            for ((scale, x), momentum) in scales.into_iter().zip(&mut moved).zip(&mut momenta) {
                mi_fgsm_step(&threat, &origin, gradient, alpha, decay, scale, momentum, x)?;
            }
            for (&of_mean, &of_sum) in momenta[0].iter().zip(&momenta[1]) {
                // Gradients that cancel leave nothing but rounding, whose sign means nothing.
                if of_mean.abs() < 1e-4 && of_mean != of_sum {
                    return Ok(());
                }
                prop_assert_eq!(sign(of_mean), sign(of_sum));
            }
            prop_assert_eq!(&moved[0], &moved[1]);
        }
    }

    #[test]
    fn targeted_is_the_opposite_direction(
        threat in threat(),
        (origin, gradients) in case(),
        alpha in samples::between(0.0, 3.0),
        decay in samples::between(0.0, 1.5),
    ) {
        let targeted = Threat { goal: Goal::Targeted, ..threat };
        let untargeted = Threat { goal: Goal::Untargeted, ..threat };
        let negated = |gradient: &[f32]| gradient.iter().map(|g| -g).collect::<Vec<_>>();
        let (mut a, mut b) = (origin.clone(), origin.clone());
        fgsm(&targeted, &origin, &gradients[0], &mut a)?;
        fgsm(&untargeted, &origin, &negated(&gradients[0]), &mut b)?;
        prop_assert_eq!(&a, &b);
        let (mut of_a, mut of_b) = (vec![0.0; a.len()], vec![0.0; a.len()]);
        for gradient in &gradients {
            let opposite = negated(gradient);
            pgd_step(&targeted, &origin, gradient, alpha, &mut a)?;
            pgd_step(&untargeted, &origin, &opposite, alpha, &mut b)?;
            let scale = MomentumScale::MeanAbsolute;
            mi_fgsm_step(&targeted, &origin, gradient, alpha, decay, scale, &mut of_a, &mut a)?;
            mi_fgsm_step(&untargeted, &origin, &opposite, alpha, decay, scale, &mut of_b, &mut b)?;
            prop_assert_eq!(&a, &b);
        }
    }

    #[test]
    fn projection_is_the_nearest_point(
        threat in threat(),
        (origin, _) in case(),
        by in prop::collection::vec(samples::between(-3.0, 3.0), 30),
    ) {
        let mut x: Vec<f32> = origin.iter().zip(&by).map(|(x, by)| x + by).collect();
        let before = x.clone();
        project(&threat, &origin, &mut x)?;
        assert_inside(&threat, &origin, &x);
        assert_close(&x, &projected(&threat, &origin, &oracle::wide(&before)), 3.0);
        // What is inside stays; a second projection moves nothing but rounding.
        let once = oracle::wide(&x);
        project(&threat, &origin, &mut x)?;
        assert_close(&x, &once, 3.0);
        let wide = Threat { ball: Ball { epsilon: 1e3, ..threat.ball }, bounds: Bounds::NONE, ..threat };
        let mut kept = before.clone();
        project(&wide, &origin, &mut kept)?;
        prop_assert_eq!(kept, before);
    }

    #[test]
    fn unbounded_noise_has_the_full_norm(
        threat in threat(),
        (origin, _) in case(),
        seed in any::<u64>(),
    ) {
        let threat = Threat { bounds: Bounds::NONE, ..threat };
        let epsilon = f64::from(threat.ball.epsilon);
        let mut x = vec![f32::NAN; origin.len()];
        random_noise(&threat, &origin, &mut Pcg32::new(seed, 1), &mut x)?;
        match threat.ball.norm {
            Norm::Linf => {
                for (&x, &centre) in x.iter().zip(&origin) {
                    let distance = (f64::from(x) - f64::from(centre)).abs();
                    prop_assert!((distance - epsilon).abs() <= tolerance::STEP * (1.0 + epsilon));
                }
            }
            Norm::L2 => {
                let distance = oracle::distance(&x, &origin);
                prop_assert!((distance - epsilon).abs() <= 4.0 * tolerance::STEP * (1.0 + epsilon));
            }
        }
    }
}

#[test]
fn random_starts_fill_the_box() -> Result<(), Error> {
    const N: usize = 40_000;
    let threat = Threat::linf(0.5, Bounds::NONE);
    let mut x = vec![0.0; N];
    random_start(&threat, &vec![1.0; N], &mut Pcg32::new(3, 3), &mut x)?;
    let moves: Vec<f64> = x.iter().map(|&x| f64::from(x) - 1.0).collect();
    let mean = moves.iter().sum::<f64>() / N as f64;
    let square = moves.iter().map(|by| by * by).sum::<f64>() / N as f64;
    let standard_error = 1.0 / (12.0 * N as f64).sqrt();
    assert!(mean.abs() < tolerance::STANDARD_ERRORS * standard_error);
    assert!((square - 1.0 / 12.0).abs() < tolerance::STANDARD_ERRORS * standard_error);
    Ok(())
}

#[test]
fn samples_outside_their_bounds_are_clipped() -> Result<(), Error> {
    let threat = Threat::linf(0.0, Bounds::UNIT);
    let mut x = [0.0; 2];
    fgsm(&threat, &[-1.0, 2.0], &[0.0, 0.0], &mut x)?;
    assert_eq!(x, [0.0, 1.0]);
    Ok(())
}

#[test]
fn huge_values_stay_finite_and_in_the_ball() -> Result<(), Error> {
    for norm in [Norm::Linf, Norm::L2] {
        let ball = Ball {
            norm,
            epsilon: f32::MAX,
        };
        let threat = Threat {
            ball,
            bounds: Bounds::NONE,
            goal: Goal::Untargeted,
        };
        let mut x = [0.0; 2];
        fgsm(&threat, &[f32::MAX, f32::MIN], &[1.0, -1.0], &mut x)?;
        assert!(x.iter().all(|value| value.is_finite()), "{norm:?}: {x:?}");
        // The difference of the first values is no f32.
        let near = Threat {
            ball: Ball { norm, epsilon: 1.0 },
            ..threat
        };
        let mut x = [f32::MAX, 1.0];
        project(&near, &[f32::MIN, 1.0], &mut x)?;
        assert_eq!(x, [f32::MIN, 1.0]);
        let mut x = [1e38, 0.0];
        project(&near, &[0.0, 0.0], &mut x)?;
        assert_eq!(x, [1.0, 0.0]);
        // The share of a tiny ball in a huge step is no normal number.
        let tiny = Threat {
            ball: Ball {
                norm,
                epsilon: 2.7e-6,
            },
            ..threat
        };
        let mut x = [1e38, 0.0];
        project(&tiny, &[0.0, 0.0], &mut x)?;
        assert_eq!(x, [2.7e-6, 0.0]);
    }
    Ok(())
}

#[test]
fn vanishing_gradients_keep_their_direction() -> Result<(), Error> {
    let threat = Threat {
        ball: Ball {
            norm: Norm::L2,
            epsilon: 5.0,
        },
        bounds: Bounds::NONE,
        goal: Goal::Untargeted,
    };
    let mut x = [0.0; 2];
    fgsm(&threat, &[0.0; 2], &[3e-45, -4e-45], &mut x)?;
    // The nearest denormals are 2 and 3 times the smallest one.
    assert_close(&x, &[10.0 / 13.0_f64.sqrt(), -15.0 / 13.0_f64.sqrt()], 5.0);
    Ok(())
}

#[test]
fn a_growing_momentum_stays_finite() -> Result<(), Error> {
    for norm in [Norm::Linf, Norm::L2] {
        let threat = Threat {
            ball: Ball { norm, epsilon: 1.0 },
            bounds: Bounds::NONE,
            goal: Goal::Untargeted,
        };
        let scale = MomentumScale::L1;
        let (mut momentum, mut x) = ([0.0; 2], [0.0; 2]);
        for _ in 0..4 {
            mi_fgsm_step(
                &threat,
                &[0.0; 2],
                &[1.0, -1.0],
                1.0,
                1e30,
                scale,
                &mut momentum,
                &mut x,
            )?;
            assert!(
                momentum.iter().chain(&x).all(|value| value.is_finite()),
                "{x:?}"
            );
            assert!(x[0] > 0.7 && x[1] < -0.7, "{x:?}");
        }
    }
    Ok(())
}
