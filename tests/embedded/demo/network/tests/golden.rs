//! The golden windows: the same bits on every machine.

use wrist_firmware::golden::{GOLDEN, Golden};
use wrist_firmware::sgt_core::Pcg32;
use wrist_firmware::sgt_core::network::{Learner, Parameters, Sgd, SgtScratch};
use wrist_firmware::{
    CLASSES, INDICES_LEN, INFERENCE_LEN, INPUT_LEN, PARAMETER_LEN, SALIENCY_LEN, SGT_LEN, WEIGHTS,
    infer, saliency, sgt_step, standardize,
};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn standardized(golden: &Golden) -> [f32; INPUT_LEN] {
    let mut window = golden.window;
    standardize(&mut window).unwrap();
    window
}

#[test]
fn logits_and_saliency() {
    let weights = Parameters::all(&WEIGHTS);
    for golden in &GOLDEN {
        let window = standardized(golden);
        let mut logits = [0.0; CLASSES];
        infer(weights, &window, &mut vec![0.0; INFERENCE_LEN], &mut logits).unwrap();
        assert_eq!(bits(&logits), bits(&golden.logits));
        let (mut again, mut map) = ([0.0; CLASSES], [0.0; INPUT_LEN]);
        let mut scratch = vec![0.0; SALIENCY_LEN];
        saliency(
            weights,
            &window,
            golden.label,
            &mut scratch,
            &mut again,
            &mut map,
        )
        .unwrap();
        assert_eq!(bits(&again), bits(&golden.logits));
        assert_eq!(bits(&map), bits(&golden.saliency));
    }
}

#[test]
fn training() {
    for golden in &GOLDEN {
        let window = standardized(golden);
        let (mut trained, mut gradient) = (WEIGHTS.to_vec(), vec![0.0; PARAMETER_LEN]);
        let mut learner = Learner {
            frozen: &[],
            trained: &mut trained,
            gradient: &mut gradient,
            optimizer: Sgd::new(0.01),
            state: &mut [],
        };
        let mut rng = Pcg32::new(2021, 0);
        for _ in 0..3 {
            let mut scratch = SgtScratch {
                values: &mut vec![0.0; SGT_LEN],
                indices: &mut vec![0_u16; INDICES_LEN],
            };
            sgt_step(&mut learner, &window, golden.label, &mut rng, &mut scratch).unwrap();
        }
        let bytes = trained.iter().flat_map(|value| value.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(hash, golden.trained);
    }
}

#[test]
fn integers() {
    use wrist_firmware::{QUANTIZED_LEN, infer_quantized};
    for golden in &GOLDEN {
        let window = standardized(golden);
        let mut logits = [0.0; CLASSES];
        infer_quantized(&window, &mut vec![0; QUANTIZED_LEN], &mut logits).unwrap();
        assert_eq!(bits(&logits), bits(&golden.quantized));
    }
}
