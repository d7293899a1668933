//! Wall-clock time of training and attack steps on the host's networks.

#[path = "common/workload.rs"]
mod workload;

use criterion::{Criterion, criterion_group, criterion_main};
use workload::{STEPS, Workload};

fn steps(criterion: &mut Criterion) {
    for model in ["mnist-cnn", "sensor-lstm"] {
        let mut group = criterion.benchmark_group(model);
        group.sample_size(20);
        let mut workload = Workload::new(model);
        for step in STEPS {
            group.bench_function(step, |bencher| bencher.iter(|| workload.run(step)));
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
