//! What names stand for, under the help of `sgt`.

use crate::config::{DataKind, Preset, Regime, RunConfig};
use crate::limits;
use crate::network::named;
use std::fmt::Write;

/// Models, presets, regimes, defaults and limits, a line each.
pub(super) fn overview() -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<(String, String)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}:");
        for (name, meaning) in lines {
            let _ = writeln!(text, "  {name:<16} {meaning}");
        }
        text.push('\n');
    };
    let owned = |(name, meaning): (&str, &str)| (name.to_string(), meaning.to_string());
    let models = named::ALL.iter();
    let models = models.map(|model| (model.name, model.layers)).map(owned);
    section("Models (--model; sgt models says more)", models.collect());
    let regimes = Regime::ALL.map(Regime::recipe);
    let regimes = regimes.map(|recipe| owned((recipe.name, recipe.about)));
    section("Regimes (--regime, --regimes)", regimes.to_vec());
    let presets = Preset::ALL.map(|preset| owned((preset.name(), preset.about())));
    section("Presets (--preset)", presets.to_vec());
    let defaults = [DataKind::Series, DataKind::Image].map(|kind| {
        let config = RunConfig::defaults(kind);
        let name = match kind {
            DataKind::Series => "series",
            DataKind::Image => "images",
        };
        let meaning = format!(
            "{} on {}, regime {}, {} epochs of batches of {}, seed {}",
            config.model,
            config.data.source,
            config.regime,
            config.training.epochs,
            config.training.batch,
            config.seed
        );
        (name.to_string(), meaning)
    });
    section(
        "What sgt train does by default (sgt config --explain has every key)",
        defaults.to_vec(),
    );
    let limits = [
        (
            "memory",
            format!(
                "{} GiB for what one file becomes (--memory-limit)",
                limits::MEMORY / limits::GIB
            ),
        ),
        (
            "steps",
            format!("{} of an attack, points of an attribution", limits::STEPS),
        ),
        ("seeds", format!("{} of a comparison", limits::SEEDS)),
        ("trials", format!("{} of a sweep", limits::TRIALS)),
        ("threads", limits::THREADS.to_string()),
    ];
    let limits = limits.map(|(name, meaning)| (name.to_string(), meaning));
    section("Limits", limits.to_vec());
    text.trim_end().to_string()
}
