//! Numbers and missing values in the fields of a CSV file.

/// What pandas takes for missing, and the mark of ARFF and `.ts` files.
const MISSING: [&[u8]; 15] = [
    b"", b"?", b"NA", b"N/A", b"n/a", b"NaN", b"nan", b"-NaN", b"-nan", b"null", b"NULL", b"None",
    b"<NA>", b"#N/A", b"#NA",
];

/// Powers of ten that an `f64` holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// The largest whole number up to which an `f64` holds every one.
const EXACT: u64 = 1 << 53;
/// Digits that a `u64` always holds.
const DIGITS: u32 = 19;

/// True for a field that says that its value is missing.
pub(super) fn is_missing(field: &[u8]) -> bool {
    MISSING.contains(&field)
}

/// The number that `field` writes with the decimal mark `mark`, NaN where it says that it is
/// missing, `None` where it is neither. Blanks around it are passed over.
pub(super) fn parse(field: &[u8], mark: u8) -> Option<f64> {
    if let Some(value) = plain(field, mark) {
        return Some(value);
    }
    let field = field.trim_ascii();
    if is_missing(field) {
        return Some(f64::NAN);
    }
    // Names of numbers (inf, infinity) and everything that is long.
    let mut text = std::str::from_utf8(field).ok()?.to_string();
    if mark != b'.' {
        if text.contains('.') {
            return None;
        }
        text = text.replace(char::from(mark), ".");
    }
    let first = text.trim_start_matches(['+', '-']);
    if !first.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Numbers of up to 19 digits whose value one multiplication or division rounds correctly (Clinger's
/// fast path): the mantissa and the power of ten are exact.
fn plain(field: &[u8], mark: u8) -> Option<f64> {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, field),
    };
    let mut mantissa = 0_u64;
    let mut count = 0_u32;
    let mut decimals = 0_i32;
    let mut after_mark = false;
    let mut rest = digits;
    while let [byte, tail @ ..] = rest {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            count += 1;
            decimals += i32::from(after_mark);
        } else if *byte == mark && !after_mark {
            after_mark = true;
        } else {
            break;
        }
        rest = tail;
    }
    if count == 0 || count > DIGITS || mantissa > EXACT {
        return None;
    }
    let exponent = exponent(rest)?.checked_sub(decimals)?;
    let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
    let value = mantissa as f64;
    let value = if exponent < 0 {
        value / power
    } else {
        value * power
    };
    Some(if negative { -value } else { value })
}

/// The exponent that `rest` of a number writes, 0 for nothing.
fn exponent(rest: &[u8]) -> Option<i32> {
    let [b'e' | b'E', exponent @ ..] = rest else {
        return rest.is_empty().then_some(0);
    };
    let (negative, digits) = match exponent {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits
        .iter()
        .fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_the_standard_library_reads() {
        let texts = [
            "0",
            "-0",
            "1",
            "-1.5",
            "+2.25",
            "3.",
            ".5",
            "1e3",
            "1E-3",
            "-1.25e+2",
            "123456789.123",
            "0.1",
            "0.30000000000000004",
            "9007199254740993",
            "1e22",
            "1e23",
            "1.7976931348623157e308",
            "2.2250738585072014e-308",
            "4.9e-324",
            "12345678901234567890",
            "0.0000000000000000001",
            "1606420800000000",
            "1000000000000000000000",
        ];
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            let found = parse(text.as_bytes(), b'.').unwrap();
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
            let comma = parse(text.replace('.', ",").as_bytes(), b',').unwrap();
            assert_eq!(comma.to_bits(), expected.to_bits(), "{text}");
        }
        assert_eq!(parse(b"  1.5 ", b'.'), Some(1.5));
        for missing in MISSING {
            assert!(parse(missing, b'.').unwrap().is_nan());
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [
            "x",
            "1.5.2",
            "1e",
            "--1",
            "1,5",
            "inf",
            "-Infinity",
            "0x10",
            "1_000",
            "e5",
            "1e999",
            "12:30",
        ] {
            assert_eq!(parse(bad.as_bytes(), b'.'), None, "{bad}");
        }
        assert_eq!(parse(b"1.5", b','), None);
        assert_eq!(parse(b".", b'.'), None);
    }
}
