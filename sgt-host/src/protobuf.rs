//! Protocol buffers, written: the fields of a message one after another.

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message(Vec<u8>);

/// How a field is encoded.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Double = 1,
    Bytes = 2,
    Float = 5,
}

impl Message {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The encoded message.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u8, wire: Wire) {
        self.number(u64::from(field) << 3 | wire as u64);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A whole number.
    pub(crate) fn int(&mut self, field: u8, value: i64) {
        self.key(field, Wire::Varint);
        self.number(value.cast_unsigned());
    }

    pub(crate) fn double(&mut self, field: u8, value: f64) {
        self.key(field, Wire::Double);
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn float(&mut self, field: u8, value: f32) {
        self.key(field, Wire::Float);
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, field: u8, content: &[u8]) {
        self.key(field, Wire::Bytes);
        self.number(content.len() as u64);
        self.0.extend(content);
    }

    pub(crate) fn text(&mut self, field: u8, content: &str) {
        self.bytes(field, content.as_bytes());
    }

    pub(crate) fn message(&mut self, field: u8, content: &Self) {
        self.bytes(field, &content.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        let encoded = |value| {
            let mut message = Message::new();
            message.number(value);
            message.into_bytes()
        };
        assert_eq!(encoded(1), [1]);
        assert_eq!(encoded(300), [0xac, 0x02]);
        assert_eq!(encoded(u64::MAX).len(), 10);
    }

    #[test]
    fn fields_are_keys_and_contents() {
        let mut inner = Message::new();
        inner.int(1, 150);
        let mut message = Message::new();
        message.message(3, &inner);
        message.text(2, "testing");
        message.float(20, 1.0);
        let expected = b"\x1a\x03\x08\x96\x01\x12\x07testing\xa5\x01\x00\x00\x80\x3f";
        assert_eq!(message.into_bytes(), expected);
    }
}
