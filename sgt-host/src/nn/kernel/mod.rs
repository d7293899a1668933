//! Forward and backward passes of single layers, as plain functions over slices.

mod aligned;
pub mod attention;
pub mod layer_norm;
pub mod lstm;
mod matrix;
mod request;
mod transcendental;

/// The instruction sets that this machine can run, the plainest first.
#[cfg(test)]
fn instructions() -> Vec<pulp::Arch> {
    let mut all = vec![pulp::Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    all.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
    let best = pulp::Arch::new();
    if std::mem::discriminant(&best) != std::mem::discriminant(all.last().unwrap_or(&best)) {
        all.push(best);
    }
    all
}
