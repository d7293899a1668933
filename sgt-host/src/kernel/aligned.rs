//! A reusable buffer whose values start on a cache line.

/// Bytes of a cache line, and of the widest vector register.
const ALIGNMENT: usize = 64;

/// Values that may lie in front of the first aligned one.
const SLACK: usize = ALIGNMENT / size_of::<f32>();

/// `f32` values that start at a multiple of 64 bytes, so that no vector load crosses a cache line.
#[derive(Debug, Default)]
pub(super) struct AlignedBuffer {
    storage: Vec<f32>,
    len: usize,
}

impl AlignedBuffer {
    /// Makes it `len` values long. Values are unspecified (old ones or zeros); memory only grows.
    pub(super) fn resize(&mut self, len: usize) {
        if self.storage.len() < len + SLACK {
            self.storage = vec![0.0; len + SLACK];
        }
        self.len = len;
    }

    /// Values in front of the first aligned one.
    fn offset(&self) -> usize {
        // The standard allows `align_offset` to give up; an unaligned buffer is slower, not wrong.
        let offset = self.storage.as_ptr().align_offset(ALIGNMENT);
        if offset <= SLACK { offset } else { 0 }
    }

    /// The values.
    pub(super) fn values(&self) -> &[f32] {
        let offset = self.offset();
        self.storage.get(offset..offset + self.len).unwrap_or(&[])
    }

    /// The values, to be changed.
    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        let offset = self.offset();
        let range = offset..offset + self.len;
        self.storage.get_mut(range).unwrap_or(&mut [])
    }
}

impl Clone for AlignedBuffer {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.resize(self.len);
        copy.values_mut().copy_from_slice(self.values());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuffer;

    #[test]
    fn values_are_aligned_and_survive_a_clone() {
        for len in [0, 1, 15, 16, 1000] {
            let mut buffer = AlignedBuffer::default();
            buffer.resize(len);
            for (index, value) in buffer.values_mut().iter_mut().enumerate() {
                *value = index as f32;
            }
            let copy = buffer.clone();
            assert_eq!(copy.values().len(), len);
            assert_eq!(copy.values(), buffer.values());
            if len > 0 {
                assert_eq!(copy.values().as_ptr().align_offset(64), 0);
            }
        }
    }
}
