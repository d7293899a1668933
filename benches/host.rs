//! Wall-clock time of training and attack steps on the host's networks.

#[path = "common/workload.rs"]
mod workload;

use criterion::{Criterion, criterion_group, criterion_main};
use workload::{STEPS, Workload};

const MODELS: [&str; 4] = ["mnist-cnn", "sensor-cnn", "sensor-lstm", "text-bilstm"];

fn steps(criterion: &mut Criterion) {
    for model in MODELS {
        let mut group = criterion.benchmark_group(model);
        group.sample_size(20);
        for step in STEPS {
            let mut workload = Workload::new(model, step);
            group.bench_function(step, |bencher| bencher.iter(|| workload.run()));
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
