//! Array files: what `numpy.save` writes is read, what is written reads back, the rest is
//! refused.

use proptest::prelude::*;
use sgt_host::npy::{self, Array};
use std::path::Path;

fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
    let length = header.len() + 1;
    if version == 1 {
        bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
    } else {
        bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    }
    bytes.extend(header.bytes().chain([b'\n']).chain(data.iter().copied()));
    bytes
}

fn header(descriptor: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{descriptor}', 'fortran_order': {fortran}, 'shape': {shape}, }}")
}

fn parse(bytes: &[u8]) -> sgt_host::Result<Array> {
    npy::parse(Path::new("x.npy"), bytes)
}

fn refusal(bytes: &[u8]) -> String {
    let error = parse(bytes).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.len() < 250, "{error:?}");
    error.strip_prefix("x.npy: found ").unwrap().to_string()
}

#[test]
fn element_types_and_byte_orders_become_f32() {
    let cases: [(&str, Vec<u8>); 13] = [
        (
            "<f4",
            [1.0_f32, 2.0]
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect(),
        ),
        (
            ">f4",
            [1.0_f32, 2.0]
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect(),
        ),
        (
            "<f8",
            [1.0_f64, 2.0]
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect(),
        ),
        (
            ">f8",
            [1.0_f64, 2.0]
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect(),
        ),
        ("|u1", vec![1, 2]),
        ("|i1", vec![1, 2]),
        ("<u2", vec![1, 0, 2, 0]),
        (">i2", vec![0, 1, 0, 2]),
        ("<u4", vec![1, 0, 0, 0, 2, 0, 0, 0]),
        (">i4", vec![0, 0, 0, 1, 0, 0, 0, 2]),
        (
            "<u8",
            [1_u64, 2].iter().flat_map(|v| v.to_le_bytes()).collect(),
        ),
        (
            "<i8",
            [1_i64, 2].iter().flat_map(|v| v.to_le_bytes()).collect(),
        ),
        (
            ">i8",
            [1_i64, 2].iter().flat_map(|v| v.to_be_bytes()).collect(),
        ),
    ];
    for (descriptor, data) in cases {
        for version in [1, 2, 3] {
            let array = parse(&file(version, &header(descriptor, "False", "(2,)"), &data)).unwrap();
            assert_eq!(
                (array.shape, array.values),
                (vec![2], vec![1.0, 2.0]),
                "{descriptor}"
            );
        }
    }
    let negative = parse(&file(1, &header("|i1", "False", "(1, 1)"), &[0xff])).unwrap();
    assert_eq!(negative.values, [-1.0]);
}

#[test]
fn fortran_order_becomes_c_order() {
    // [[1, 2, 3], [4, 5, 6]] lies column after column.
    let bytes = file(1, &header("|u1", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]);
    let array = parse(&bytes).unwrap();
    assert_eq!(array.shape, [2, 3]);
    assert_eq!(array.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn a_scalar_has_no_axis() {
    let array = parse(&file(1, &header("|u1", "False", "()"), &[7])).unwrap();
    assert_eq!((array.shape, array.values), (vec![], vec![7.0]));
}

#[test]
fn hostile_files_are_refused_in_one_line() {
    let u1 = |shape: &str, data: &[u8]| refusal(&file(1, &header("|u1", "False", shape), data));
    assert_eq!(refusal(b""), "an empty file, expected a NumPy array (.npy)");
    assert!(refusal(b"PK\x03\x04").starts_with(r#"a file that begins with "PK\x03\x04""#));
    let header_refused = |bytes: &[u8]| {
        let error = refusal(bytes);
        assert!(error.contains("a damaged npy header"), "{error}");
    };
    let whole = file(1, &header("|u1", "False", "(2,)"), &[1, 2]);
    for cut in [6, 8, 9, 10, 40] {
        header_refused(&whole[..cut]);
    }
    header_refused(&file(4, "", &[]));
    header_refused(&file(1, "", &[]));
    header_refused(&file(1, "{'descr': '<f4'}", &[]));
    header_refused(&file(
        1,
        "{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}",
        &[],
    ));
    header_refused(&file(1, &header("|u1", "False", "(-1,)"), &[1]));
    header_refused(&file(
        1,
        &header("|u1", "False", "(99999999999999999999999,)"),
        &[1],
    ));
    header_refused(&file(
        2,
        &header("|u1", "False", &format!("({})", "1,".repeat(9000))),
        &[1],
    ));
    // A parser that recurses would overflow its stack.
    header_refused(&file(1, &"(".repeat(9_000), &[]));
    let mut declared = file(2, "", &[]);
    declared[8..12].fill(0xff);
    header_refused(&declared);

    assert_eq!(
        u1("(3,)", &[1, 2]),
        r#"2 bytes of values, expected those of shape [3] and type "|u1""#
    );
    assert!(u1("(1,)", &[1, 2]).starts_with("2 bytes of values"));
    assert!(u1("(4611686018427387904, 4)", &[1]).starts_with("1 bytes of values"));
    assert!(u1("(9223372036854775807,)", &[1]).starts_with("1 bytes of values"));
    assert_eq!(
        u1("(0, 3)", &[]),
        "shape [0, 3], expected at least one value"
    );
    assert!(u1("(9223372036854775807, 0, 9223372036854775807)", &[]).starts_with("shape"));
    let typed = |descriptor, size| {
        refusal(&file(
            1,
            &header(descriptor, "False", "(1,)"),
            &vec![0; size],
        ))
    };
    assert_eq!(
        typed("<c8", 8),
        r#"complex numbers (type "<c8"), expected numbers: f4, f8 or integers, as numpy.save writes them after .astype("f4")"#
    );
    assert_eq!(
        typed("|b1", 1),
        r#"truth values (type "|b1"), expected numbers: f4, f8 or integers, as numpy.save writes them after .astype("f4")"#
    );
    let structured = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}";
    assert_eq!(
        refusal(&file(1, structured, &[0; 4])),
        "a structured array, expected an array of numbers"
    );
    let nan = file(1, &header("<f4", "False", "(1,)"), &f32::NAN.to_le_bytes());
    assert_eq!(refusal(&nan), "NaN at value 0, expected finite values");
    let huge = file(1, &header("<f8", "False", "(1,)"), &1e300_f64.to_le_bytes());
    assert_eq!(refusal(&huge), "inf at value 0, expected finite values");
}

#[test]
fn labels_are_classes() {
    let labels = |shape: &str, data: &[u8]| {
        let bytes = file(1, &header("|i1", "False", shape), data);
        npy::parse_labels(Path::new("y.npy"), &bytes, 3)
    };
    assert_eq!(labels("(3,)", &[2, 0, 1]).unwrap(), [2, 0, 1]);
    let refused = |shape, data: &[u8]| labels(shape, data).unwrap_err().to_string();
    assert_eq!(
        refused("(2,)", &[0, 3]),
        "y.npy: found label 3 at 1, expected a class below 3"
    );
    assert!(refused("(1,)", &[0xff]).contains("label -1 at 0"));
    assert_eq!(
        refused("(1, 1)", &[0]),
        "y.npy: found shape [1, 1], expected labels of shape [samples]"
    );
    let half = file(1, &header("<f4", "False", "(1,)"), &0.5_f32.to_le_bytes());
    npy::parse_labels(Path::new("y.npy"), &half, 3).unwrap_err();
}

#[test]
fn a_written_file_has_numpys_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, &[2, 1], &[1.0, -2.5]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8_lossy(&bytes[10..128]);
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    assert!(
        text.contains("'descr': '<f4'") && text.contains("'fortran_order': False"),
        "{text}"
    );
    assert!(text.contains("'shape': (2, 1)"), "{text}");
    assert_eq!(bytes[bytes.len() - 8..], [0, 0, 128, 63, 0, 0, 32, 192]);

    npy::write_labels(&path, &[3, 0]).unwrap();
    assert_eq!(npy::read_labels(&path, 4).unwrap(), [3, 0]);
    let error = npy::write(&path, &[3], &[1.0]).unwrap_err().to_string();
    assert_eq!(
        error,
        "write npy: found shape 1 values, expected the shape [3]"
    );
    assert_eq!(
        npy::read_labels(&path, 4).unwrap(),
        [3, 0],
        "the old file is untouched"
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back(rows in 1_usize..5, values in prop::collection::vec(-1e30_f32..1e30, 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let kept = values.len() / rows * rows;
        prop_assume!(kept > 0);
        let array = Array { shape: vec![rows, kept / rows], values: values[..kept].to_vec() };
        npy::write(&path, &array.shape, &array.values).unwrap();
        prop_assert_eq!(npy::read(&path).unwrap(), array);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flips in prop::collection::vec((0_usize..90, any::<u8>()), 1..6)) {
        let _ = parse(&bytes);
        let mut damaged = file(1, &header("<f4", "False", "(2, 1)"), &[0; 8]);
        for (place, byte) in flips {
            let place = place % damaged.len();
            damaged[place] = byte;
        }
        let _ = parse(&damaged);
    }
}
