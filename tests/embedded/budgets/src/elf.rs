//! The sizes of a linked 32-bit or 64-bit little-endian ELF file.

/// Bytes that a program takes.
pub(crate) struct Size {
    /// Code, constants and the initial values of variables.
    pub(crate) flash: u64,
    /// Variables.
    pub(crate) ram: u64,
}

const PROGBITS: u64 = 1;
const NOBITS: u64 = 8;
const WRITE: u64 = 1;
const ALLOC: u64 = 2;

/// Adds up the sections that are loaded. ARM's unwinding index has a type of its own and is left
/// out, as `cortex-m-rt` leaves it out.
pub(crate) fn size(file: &[u8]) -> Result<Size, String> {
    let wide = match file.get(..5) {
        Some([0x7f, b'E', b'L', b'F', class @ (1 | 2)]) => *class == 2,
        _ => return Err("linked file: not ELF".into()),
    };
    let word = if wide { 8 } else { 4 };
    let number = |offset: usize, length: usize| -> Result<u64, String> {
        let bytes = file.get(offset..offset + length);
        let bytes = bytes.ok_or("linked file: too short")?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    };
    // Of the file's header: the offset of the section headers, the size and number of them.
    let (offset_at, entry_at) = if wide { (40, 58) } else { (32, 46) };
    let start = number(offset_at, word)? as usize;
    let entry = number(entry_at, 2)? as usize;
    let sections = number(entry_at + 2, 2)? as usize;
    let mut size = Size { flash: 0, ram: 0 };
    for section in 0..sections {
        // Name and type are 4 bytes each, then flags, address, offset, size of a word each.
        let header = start + section * entry;
        let kind = number(header + 4, 4)?;
        let flags = number(header + 8, word)?;
        let bytes = number(header + 8 + 3 * word, word)?;
        if flags & ALLOC == 0 {
            continue;
        }
        if kind == PROGBITS {
            size.flash += bytes;
        }
        if flags & WRITE != 0 && (kind == PROGBITS || kind == NOBITS) {
            size.ram += bytes;
        }
    }
    Ok(size)
}
