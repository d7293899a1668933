//! Rows of a table for the words of a text.

use super::{Cost, Misfit, Rule, Tensor, check_size};
use crate::network::Shape;
use crate::network::engine::Place;
use crate::network::start::Start;
use serde::{Deserialize, Serialize};

/// A table of vectors, one a word. The first layer of a network that reads tokens.
///
/// The network itself reads embedded vectors, so that saliency, attacks and masks are in the space
/// of the embedding: [`crate::network::Network::embed`] makes them from the words' numbers, and
/// [`crate::network::Network::add_embedding_gradient`] takes their gradient back to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Embedding {
    /// Its name: `NAME.weight` `[vocabulary, dim]`.
    pub name: String,
    /// Words.
    pub vocabulary: usize,
    /// Values of a vector.
    pub dim: usize,
}

impl Rule for Embedding {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        check_size("vocabulary", self.vocabulary)?;
        check_size("dim", self.dim)?;
        match input {
            Shape::Series { channels, .. } if channels == self.dim => Ok(input),
            _ => {
                let expected = format!("tokens of {} dimensions", self.dim);
                Err(Misfit::new(input, expected))
            }
        }
    }

    fn tensors(&self, _input: Shape) -> Vec<Tensor> {
        let shape = [self.vocabulary, self.dim];
        vec![Tensor::new("weight", shape, Start::Normal)]
    }

    fn cost(&self, _input: Shape, _output: Shape) -> Cost {
        Cost::default()
    }

    /// The vectors are looked up in front of the network.
    fn lower(&self, place: &mut Place<'_, '_>) {
        place.parameter();
    }
}
