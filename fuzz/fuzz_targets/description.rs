//! A network's description is refused in one line or costs what it says: a small one runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::network::{Description, Gaps, InputShape, Mode, Model, Network, NetworkPass};

/// Multiplications, parameters and values a sample of a network that is run.
const SMALL: usize = 1 << 16;

/// The samples at hand where the text leaves the input out.
const DATA: Gaps = Gaps {
    input: InputShape::series(9, 3),
    classes: 2,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let from_json = serde_json::from_str::<Description>(text).ok();
    let from_toml = text.parse().ok().and_then(|table: toml::Table| {
        let description = Description::from_table("x", table.clone(), None);
        let filled = Description::from_table("x", table, Some(DATA));
        for refused in [&description, &filled]
            .into_iter()
            .flat_map(|read| read.as_ref().err())
        {
            let message = refused.to_string();
            assert!(!message.contains('\n'), "{message:?}");
        }
        description.or(filled).ok()
    });
    for description in from_json.into_iter().chain(from_toml) {
        let Ok(summary) = description.summary() else {
            continue;
        };
        let small = summary.iter().all(|layer| {
            let sizes = [
                layer.cost.operations,
                layer.cost.values,
                layer.parameter_count(),
            ];
            sizes.iter().all(|&size| size <= SMALL)
        });
        if small && summary.len() <= 64 {
            run(&description);
        }
    }
});

/// One forward and backward pass of two samples.
fn run(description: &Description) {
    let mut network = Network::new(description, 1).expect("a description with a summary");
    let values = 2 * network.input().len();
    let x: Vec<f32> = (0..values).map(|place| (place % 7) as f32 * 0.1).collect();
    let mut pass = NetworkPass::default();
    for mode in [
        Mode::InputGradient,
        Mode::Evaluation,
        Mode::Training { seed: 1 },
    ] {
        let logits = network.forward(&x, mode, &mut pass).expect("two samples");
        let dlogits = vec![1.0; logits.len()];
        let mut dx = vec![0.0; values];
        let mut gradient = vec![0.0; network.parameters().values().len()];
        let wanted = (mode != Mode::InputGradient).then_some(&mut gradient[..]);
        network
            .backward(&mut pass, &dlogits, Some(&mut dx), wanted)
            .expect("a pass of this network");
    }
    network.absorb_statistics(&pass);
    let text = description.to_toml().expect("sizes that TOML holds");
    let table = text.parse().expect("TOML of its own writer");
    let again = Description::from_table("x", table, None);
    assert_eq!(&again.expect("what was read before"), description);
}
