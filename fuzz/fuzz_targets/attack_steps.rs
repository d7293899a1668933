//! Attack steps: inside the ball and the bounds, finite, and untouched outputs when refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::{
    Ball, Bounds, Goal, MomentumScale, Norm, Pcg32, Threat, fgsm, mi_fgsm_step, pgd_step, project,
    random_noise, random_start,
};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_untouched, oracle};

fn assert_inside(threat: &Threat, origin: &[f32], x: &[f32]) {
    assert!(x.iter().all(|value| value.is_finite()), "{x:?}");
    let Bounds { low, high } = threat.bounds;
    if low < f32::INFINITY && high > f32::NEG_INFINITY {
        assert!(x.iter().all(|value| (low..=high).contains(value)));
    }
    if !origin.iter().all(|value| (low..=high).contains(value)) {
        return;
    }
    let epsilon = f64::from(threat.ball.epsilon);
    let rounding = |value: f32| {
        let unit = f64::from(f32::EPSILON);
        unit * (f64::from(value).abs() + epsilon) + f64::from(f32::MIN_POSITIVE)
    };
    match threat.ball.norm {
        Norm::Linf => {
            for (&moved, &centre) in x.iter().zip(origin) {
                let distance = (f64::from(moved) - f64::from(centre)).abs();
                assert!(
                    distance <= epsilon + rounding(centre),
                    "{distance} {epsilon}"
                );
            }
        }
        Norm::L2 => {
            let slack: f64 = origin.iter().map(|&value| 4.0 * rounding(value)).sum();
            let distance = oracle::distance(x, origin);
            assert!(
                distance <= epsilon * (1.0 + 1e-5) + slack,
                "{distance} {epsilon}"
            );
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let flags = bytes.byte();
    let wild = flags & 1 == 0;
    let number = |bytes: &mut Bytes<'_>| {
        if wild {
            bytes.float()
        } else {
            bytes.finite().abs()
        }
    };
    let threat = Threat {
        ball: Ball {
            norm: if flags & 2 == 0 { Norm::Linf } else { Norm::L2 },
            epsilon: number(&mut bytes),
        },
        bounds: match flags >> 2 & 3 {
            0 => Bounds::UNIT,
            1 => Bounds::NONE,
            _ => Bounds {
                low: bytes.float(),
                high: bytes.float(),
            },
        },
        goal: if flags & 16 == 0 {
            Goal::Untargeted
        } else {
            Goal::Targeted
        },
    };
    let scale = if flags & 32 == 0 {
        MomentumScale::L1
    } else {
        MomentumScale::MeanAbsolute
    };
    let (alpha, decay) = (number(&mut bytes), number(&mut bytes));
    let length = bytes.below(24);
    let origin = bytes.floats(length);
    let seed = u64::from(bytes.word());

    let mut x = vec![UNTOUCHED; bytes.length(length)];
    match random_start(&threat, &origin, &mut Pcg32::new(seed, 0), &mut x) {
        Err(_) => assert_untouched(&x),
        Ok(()) => assert_inside(&threat, &origin, &x),
    }
    let mut noise = vec![UNTOUCHED; bytes.length(length)];
    match random_noise(&threat, &origin, &mut Pcg32::new(seed, 1), &mut noise) {
        Err(_) => assert_untouched(&noise),
        Ok(()) => assert_inside(&threat, &origin, &noise),
    }
    let mut momentum = vec![0.0; bytes.length(length)];
    for step in 0..3 {
        let other = bytes.length(length);
        let gradient = bytes.floats(other);
        let mut out = vec![UNTOUCHED; bytes.length(length)];
        match fgsm(&threat, &origin, &gradient, &mut out) {
            Err(_) => assert_untouched(&out),
            Ok(()) => assert_inside(&threat, &origin, &out),
        }
        let before = (x.clone(), momentum.clone());
        let result = if step == 1 {
            pgd_step(&threat, &origin, &gradient, alpha, &mut x)
        } else {
            mi_fgsm_step(
                &threat,
                &origin,
                &gradient,
                alpha,
                decay,
                scale,
                &mut momentum,
                &mut x,
            )
        };
        match result {
            Err(_) => {
                assert_eq!(oracle::bits(&before.0), oracle::bits(&x));
                assert_eq!(oracle::bits(&before.1), oracle::bits(&momentum));
            }
            Ok(()) => assert_inside(&threat, &origin, &x),
        }
    }
    let mut far = bytes.floats(length);
    let before = far.clone();
    match project(&threat, &origin, &mut far) {
        Err(_) => assert_eq!(oracle::bits(&before), oracle::bits(&far)),
        Ok(()) => assert_inside(&threat, &origin, &far),
    }
});
