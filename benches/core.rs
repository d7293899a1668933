//! Wall-clock benchmarks of the core at the sizes of real samples: a small sensor window, MNIST,
//! a UCI HAR window, CIFAR-10 and a 64 × 64 RGB image.
//!
//! `cargo bench --bench core`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sgt_core::{
    Bounds, End, Layout, Masking, MomentumScale, Norm, Pcg32, Policy, Random, SgtRows, Threat,
    fgsm, mask_sample, mask_sample_small, mi_fgsm_step, pgd_step, select_fast, select_small,
    sgt_objective, softmax,
};
use std::hint::black_box;

const SIZES: [usize; 5] = [64, 784, 1_152, 3_072, 12_288];

fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(seed, 0);
    (0..count).map(|_| rng.standard_normal()).collect()
}

fn selection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select half");
    for size in SIZES {
        let importance = normal(size, 1);
        let mut scratch = vec![0; size];
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("fast", size), |bencher| {
            bencher.iter(|| {
                let importance = black_box(&importance[..]);
                select_fast(importance, size / 2, End::Lowest, &mut scratch)
            });
        });
        group.bench_function(BenchmarkId::new("small", size), |bencher| {
            bencher.iter(|| select_small(black_box(&importance[..]), size / 2, End::Lowest));
        });
    }
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask half");
    for size in SIZES {
        let (gradient, sample) = (normal(size, 2), normal(size, 3));
        let mut scratch = vec![0_u32; size];
        let mut indices = vec![0_u16; size];
        let mut masked = vec![0.0; size];
        group.throughput(Throughput::Elements(size as u64));
        for policy in [
            Policy::Uniform,
            Policy::Zero,
            Policy::Mean,
            Policy::Gaussian {
                mean: 0.0,
                std: 1.0,
            },
        ] {
            let masking = Masking {
                policy,
                ..Masking::reference(Layout::flat(size).expect("a size above zero"))
            };
            let mut rng = Pcg32::new(4, 0);
            let name = match policy {
                Policy::Uniform => "uniform",
                Policy::Zero => "zero",
                Policy::Mean => "mean",
                _ => "gaussian",
            };
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    let gradient = black_box(&gradient[..]);
                    let scratch = &mut scratch[..];
                    mask_sample(
                        &masking,
                        gradient,
                        &sample,
                        None,
                        &mut rng,
                        scratch,
                        &mut masked,
                    )
                    .map(|selected| selected.count())
                });
            });
        }
        let masking = Masking::reference(Layout::flat(size).expect("a size above zero"));
        let mut rng = Pcg32::new(4, 0);
        group.bench_function(BenchmarkId::new("uniform, small", size), |bencher| {
            bencher.iter(|| {
                let gradient = black_box(&gradient[..]);
                let indices = &mut indices[..];
                mask_sample_small(
                    &masking,
                    gradient,
                    &sample,
                    None,
                    &mut rng,
                    indices,
                    &mut masked,
                )
                .map(<[u16]>::len)
            });
        });
    }
}

fn losses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("losses");
    for classes in [2, 10, 100] {
        let (clean, masked) = (normal(classes, 5), normal(classes, 6));
        let (mut clean_gradient, mut masked_gradient) = (vec![0.0; classes], vec![0.0; classes]);
        group.bench_function(BenchmarkId::new("sgt objective", classes), |bencher| {
            bencher.iter(|| {
                let logits = SgtRows {
                    clean: black_box(&clean[..]),
                    masked: &masked,
                };
                let mut gradients = SgtRows {
                    clean: &mut clean_gradient[..],
                    masked: &mut masked_gradient,
                };
                sgt_objective(&logits, 1, 1.0, 1.0, &mut gradients)
            });
        });
        group.bench_function(BenchmarkId::new("softmax", classes), |bencher| {
            bencher.iter(|| softmax(black_box(&clean[..]), &mut masked_gradient));
        });
    }
}

fn attack_steps(criterion: &mut Criterion) {
    const EPSILON: f32 = 0.1;
    const ALPHA: f32 = 0.025;
    let mut group = criterion.benchmark_group("attack step");
    for size in SIZES {
        let (gradient, origin) = (normal(size, 7), normal(size, 8));
        let mut x = origin.clone();
        let mut momentum = vec![0.0; size];
        let linf = Threat::linf(EPSILON, Bounds::NONE);
        let mut l2 = linf;
        l2.ball.norm = Norm::L2;
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("fgsm", size), |bencher| {
            bencher.iter(|| fgsm(&linf, &origin, black_box(&gradient[..]), &mut x));
        });
        group.bench_function(BenchmarkId::new("pgd linf", size), |bencher| {
            bencher.iter(|| pgd_step(&linf, &origin, black_box(&gradient[..]), ALPHA, &mut x));
        });
        group.bench_function(BenchmarkId::new("pgd l2", size), |bencher| {
            bencher.iter(|| pgd_step(&l2, &origin, black_box(&gradient[..]), ALPHA, &mut x));
        });
        group.bench_function(BenchmarkId::new("mi-fgsm", size), |bencher| {
            bencher.iter(|| {
                mi_fgsm_step(
                    &linf,
                    &origin,
                    black_box(&gradient[..]),
                    ALPHA,
                    1.0,
                    MomentumScale::MeanAbsolute,
                    &mut momentum,
                    &mut x,
                )
            });
        });
    }
}

criterion_group!(benches, selection, masking, losses, attack_steps);
criterion_main!(benches);
