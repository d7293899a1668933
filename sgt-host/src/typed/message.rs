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

    /// Appends `1 channel`, `2 channels`, ….
    pub(super) const fn count(self, number: usize, noun: &str) -> Self {
        let message = self.number(number).text(" ").text(noun);
        if number == 1 {
            message
        } else {
            message.text("s")
        }
    }

    pub(super) const fn shape(self, shape: Shape) -> Self {
        match shape {
            Shape::Vector { features } => self.text("a vector of ").count(features, "value"),
            Shape::Series { steps, channels } => self
                .text("a series of ")
                .count(steps, "step")
                .text(" and ")
                .count(channels, "channel"),
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
                .count(channels, "channel"),
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
        let noun = match input {
            Shape::Vector { .. } => "input",
            Shape::Series { .. } | Shape::Image { .. } => "input channel",
        };
        Message::of(layer)
            .count(inputs, noun)
            .text(", but the layer before gives ")
            .shape(input)
            .refuse();
    }
}

/// Refuses a size of 0.
pub(super) const fn check_size(layer: &str, noun: &str, size: usize) {
    if size == 0 {
        let message = Message::of(layer).count(size, noun);
        message.text(", expected 1 or more").refuse();
    }
}

/// The number of windows of `span` positions, `stride` apart, along an axis of `input` that has
/// `size` positions, with `padding` around them.
pub(super) const fn windows(
    layer: &str,
    input: Shape,
    size: usize,
    span: usize,
    stride: usize,
    padding: usize,
) -> usize {
    if size + padding < span {
        let message = Message::of(layer)
            .text("a window of ")
            .count(span, "position")
            .text(" does not fit into ")
            .shape(input);
        if padding == 0 {
            message.refuse();
        }
        message
            .text(" with ")
            .count(padding, "position")
            .text(" of padding along an axis")
            .refuse();
    }
    (size + padding - span) / stride + 1
}
