//! How few features an attribution points at.

use crate::{Error, Result};

/// Mean over samples of the Gini index of each sample's importances: 0 for a flat map, towards 1
/// for a single feature (Chalasani et al. 2020, arXiv 1810.06583).
///
/// # Errors
/// [`Error::Core`] on empty or non-finite importances.
pub fn sparseness(importance: &[Vec<f32>]) -> Result<f64> {
    sparseness_by_sample(importance).map(|values| mean_of(&values))
}

/// The Gini index of each sample's importances.
pub(crate) fn sparseness_by_sample(importance: &[Vec<f32>]) -> Result<Vec<f32>> {
    let mut scratch = Vec::new();
    let mut values = Vec::with_capacity(importance.len());
    for row in importance {
        scratch.resize(sgt_core::gini_len(row.len()), 0.0);
        values.push(sgt_core::gini(row, &mut scratch)?);
    }
    Ok(values)
}

fn mean_of(values: &[f32]) -> f64 {
    super::mean(values.iter().map(|&value| f64::from(value)))
}

/// Mean over samples of `−Σ q ln q / ln n` with `q = importance / Σ importance`: 1 for a flat
/// map, 0 for a single feature. A map of zeros counts as flat.
///
/// # Errors
/// [`Error::Argument`] on negative or non-finite importances.
pub fn entropy(importance: &[Vec<f32>]) -> Result<f64> {
    entropy_by_sample(importance).map(|values| super::mean(values.into_iter()))
}

/// The entropy of each sample's importances.
pub(crate) fn entropy_by_sample(importance: &[Vec<f32>]) -> Result<Vec<f64>> {
    let mut values = Vec::with_capacity(importance.len());
    for row in importance {
        if let Some(value) = row.iter().find(|value| !value.is_finite() || **value < 0.0) {
            return Err(Error::Argument {
                argument: "importance".into(),
                found: value.to_string(),
                expected: "finite magnitudes".into(),
            });
        }
        let total: f64 = row.iter().map(|&value| f64::from(value)).sum();
        values.push(if row.len() < 2 {
            0.0
        } else if total == 0.0 {
            1.0
        } else {
            let shares = row.iter().map(|&value| f64::from(value) / total);
            let nats: f64 = shares.filter(|&q| q > 0.0).map(|q| -q * q.ln()).sum();
            nats / (row.len() as f64).ln()
        });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::{entropy, sparseness};

    #[test]
    fn flat_and_single_maps_are_the_ends_of_both_scales() {
        let flat = [vec![2.0; 50]];
        let mut single = vec![0.0; 50];
        single[7] = 3.0;
        let single = [single];
        assert!(sparseness(&flat).unwrap().abs() < 1e-6);
        assert!((sparseness(&single).unwrap() - 0.98).abs() < 1e-6);
        assert!((entropy(&flat).unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(entropy(&single).unwrap(), 0.0);
        let half = [[vec![1.0; 25], vec![0.0; 25]].concat()];
        let expected = 25.0_f64.ln() / 50.0_f64.ln();
        assert!((entropy(&half).unwrap() - expected).abs() < 1e-9);
        assert!(entropy(&[vec![f32::NAN]]).is_err() && entropy(&[vec![-1.0, 2.0]]).is_err());
    }
}
