//! Rows of a table: `out[i] = table[tokens[i]]`.

use super::expect_len;
use crate::{Error, Result};

/// Copies the row of each token: `table` is `[vocabulary, dim]`, `out` `[tokens, dim]`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit, [`Error::Argument`] on a token outside the table.
pub(crate) fn embedding_forward(
    dim: usize,
    table: &[f32],
    tokens: &[usize],
    out: &mut [f32],
) -> Result<()> {
    check(dim, table.len(), tokens, out.len())?;
    for (out, &token) in out.chunks_exact_mut(dim).zip(tokens) {
        out.copy_from_slice(&table[token * dim..(token + 1) * dim]);
    }
    Ok(())
}

/// Adds each row of `dout` `[tokens, dim]` to its token's row of `dtable`, in the order of the
/// tokens. (The gradient with respect to the embedded vectors is `dout` itself.)
///
/// # Errors
/// As [`embedding_forward`].
pub(crate) fn embedding_backward(
    dim: usize,
    tokens: &[usize],
    dout: &[f32],
    dtable: &mut [f32],
) -> Result<()> {
    check(dim, dtable.len(), tokens, dout.len())?;
    for (dout, &token) in dout.chunks_exact(dim).zip(tokens) {
        let row = &mut dtable[token * dim..(token + 1) * dim];
        row.iter_mut().zip(dout).for_each(|(row, d)| *row += d);
    }
    Ok(())
}

fn check(dim: usize, table: usize, tokens: &[usize], out: usize) -> Result<()> {
    if dim == 0 || !table.is_multiple_of(dim) {
        return Err(Error::Shape {
            operation: "embedding",
            found: format!("table of {table} values"),
            expected: format!("rows of {dim} values, at least one"),
        });
    }
    expect_len("embedding", "out", out, tokens.len() * dim)?;
    let vocabulary = table / dim;
    match tokens.iter().find(|&&token| token >= vocabulary) {
        None => Ok(()),
        Some(token) => Err(Error::Argument {
            argument: "token".into(),
            found: token.to_string(),
            expected: format!("a row below {vocabulary}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::levels::values;

    #[test]
    fn rows_are_copied_and_their_gradients_added() {
        let (dim, tokens) = (4, [2, 0, 2, 5, 1, 2]);
        let table = values(6 * dim, 1);
        let mut out = vec![f32::NAN; tokens.len() * dim];
        embedding_forward(dim, &table, &tokens, &mut out).unwrap();
        let dout = values(out.len(), 2);
        let mut expected = vec![1.0; table.len()];
        for (place, token) in tokens.iter().enumerate() {
            assert_eq!(out[place * dim..][..dim], table[token * dim..][..dim]);
            for value in 0..dim {
                expected[token * dim + value] += dout[place * dim + value];
            }
        }
        let mut dtable = vec![1.0; table.len()];
        embedding_backward(dim, &tokens, &dout, &mut dtable).unwrap();
        assert_eq!(dtable, expected);
    }

    #[test]
    fn a_token_outside_of_the_table_is_refused_in_one_line() {
        let error = embedding_forward(2, &[0.0; 12], &[6], &mut [0.0; 2]).unwrap_err();
        assert_eq!(error.to_string(), "token: found 6, expected a row below 6");
        let error = embedding_forward(5, &[0.0; 12], &[1], &mut [0.0; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "embedding: found shape table of 12 values, expected rows of 5 values, at least one"
        );
    }
}
