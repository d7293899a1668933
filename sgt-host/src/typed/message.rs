//! The compiler's messages about sizes that do not fit.

use crate::network::Shape;

/// Text put together while a program is compiled.
pub(super) struct Message {
    bytes: [u8; Message::CAPACITY],
    len: usize,
}

impl Message {
    /// Longer text is cut.
    const CAPACITY: usize = 240;

    /// The layer that the message is about.
    pub(super) const fn of(layer: &str) -> Self {
        let empty = Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        };
        empty.text(layer).text(": ")
    }

    const fn byte(mut self, byte: u8) -> Self {
        if self.len < Self::CAPACITY {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        self
    }

    /// Appends ASCII text.
    pub(super) const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self = self.byte(bytes[index]);
            index += 1;
        }
        self
    }

    pub(super) const fn number(mut self, number: usize) -> Self {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self = self.byte(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
        self
    }

    pub(super) const fn shape(self, shape: Shape) -> Self {
        match shape {
            Shape::Vector { features } => {
                self.text("a vector of ").number(features).text(" values")
            }
            Shape::Series { steps, channels } => self
                .text("a series of ")
                .number(steps)
                .text(" steps and ")
                .number(channels)
                .text(" channels"),
            Shape::Image {
                height,
                width,
                channels,
            } => self
                .text("an image of ")
                .number(height)
                .text(" x ")
                .number(width)
                .text(" pixels and ")
                .number(channels)
                .text(" channels"),
        }
    }

    /// Ends the compilation with the message.
    pub(super) const fn refuse(self) -> ! {
        let (text, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(text) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the sizes do not fit"),
        }
    }
}

/// Refuses a layer that reads other channels (values, of a vector) than `input` has.
pub(super) const fn check_inputs(layer: &str, inputs: usize, input: Shape) {
    if inputs != input.channels() {
        Message::of(layer)
            .number(inputs)
            .text(match input {
                Shape::Vector { .. } => " inputs",
                Shape::Series { .. } | Shape::Image { .. } => " input channels",
            })
            .text(", but the layer before gives ")
            .shape(input)
            .refuse();
    }
}

/// Refuses a size of 0.
pub(super) const fn check_size(layer: &str, what: &str, size: usize) {
    if size == 0 {
        let message = Message::of(layer).text("0 ").text(what);
        message.text(", expected 1 or more").refuse();
    }
}

/// The number of windows of `span` positions, `stride` apart, over `size` positions and `zeros`
/// around them.
pub(super) const fn windows(
    layer: &str,
    input: Shape,
    size: usize,
    span: usize,
    stride: usize,
    zeros: usize,
) -> usize {
    if size + zeros < span {
        Message::of(layer)
            .number(span)
            .text(" positions do not fit into ")
            .shape(input)
            .text(", ")
            .number(zeros)
            .text(" positions of padding along an axis")
            .refuse();
    }
    (size + zeros - span) / stride + 1
}
