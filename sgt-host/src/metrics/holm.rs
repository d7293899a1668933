//! Correction for several comparisons at a time.

/// Holm's adjusted p-values (1979), in the order of `p_values`: compared with one level, they keep
/// the chance of any false finding among all of them below it. The k-th smallest of m is
/// multiplied by m − k + 1, and none is smaller than the one before it.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (place, &index) in order.iter().enumerate() {
        let factor = (p_values.len() - place) as f64;
        least = least.max((factor * p_values[index]).min(1.0));
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::holm;

    #[test]
    fn the_textbook_steps_down() {
        // 0.01·4, 0.02·3 (then 0.03·2 is not smaller), 0.04·1 is lifted to what came before.
        let found = holm(&[0.04, 0.01, 0.03, 0.02]);
        let expected = [0.06, 0.04, 0.06, 0.06];
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
    }
}
