//! A block with a way around it.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Form;
use crate::typed::message::Message;
use dfdx::prelude::{Device, Dtype};

/// body(x) + shortcut(x): the ways `B` and `S`.
#[derive(Clone, Debug)]
pub struct Residual<B, S> {
    body: B,
    shortcut: S,
}

impl<B, S> Residual<B, S> {
    pub(crate) const fn new(body: B, shortcut: S) -> Self {
        Self { body, shortcut }
    }
}

const fn sum(body: Shape, shortcut: Shape) -> Shape {
    let [height, width] = body.size();
    let [shortcut_height, shortcut_width] = shortcut.size();
    let same = height == shortcut_height
        && width == shortcut_width
        && body.channels() == shortcut.channels();
    let same_form = matches!(
        (body, shortcut),
        (Shape::Vector { .. }, Shape::Vector { .. })
            | (Shape::Series { .. }, Shape::Series { .. })
            | (Shape::Image { .. }, Shape::Image { .. })
    );
    if !(same && same_form) {
        Message::of("residual")
            .text("the body gives ")
            .shape(body)
            .text(", but the shortcut gives ")
            .shape(shortcut)
            .refuse();
    }
    body
}

impl<N: Chain, F: Form, B: Chain, S: Chain> Step<N, F> for Residual<B, S> {
    type Form = B::Form;
    type Weights<E: Dtype, D: Device<E>> = (B::Weights<E, D>, S::Weights<E, D>);
    const OUTPUT: Shape = sum(B::SHAPE, S::SHAPE);

    fn describe(&self, name: String) -> Layer {
        let (mut body, mut shortcut) = (Vec::new(), Vec::new());
        self.body.layers(&mut body);
        self.shortcut.layers(&mut shortcut);
        let residual = layer::Residual {
            name,
            body,
            shortcut,
        };
        residual.into()
    }
}
