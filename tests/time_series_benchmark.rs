//! The time-series benchmark: the same numbers whatever the threads and interruptions, and archives
//! that others can score.

use sgt_host::attribution::Method;
use sgt_host::benchmark::time_series::store::Store;
use sgt_host::benchmark::time_series::{
    CellRecord, Extras, Grid, NetworkChoice, Notice, Scaling, Summary, archive, markdown, page,
    profile,
};
use sgt_host::config::{ConfigDraft, DataKind, Guide, RunConfig};
use sgt_host::network::{InputShape, Model, Network};
use sgt_host::npz::{self, Member};
use sgt_host::run::Session;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn grid() -> Grid {
    let named = |name: &str| (name.to_string(), Method::named(name).unwrap().with_steps(3));
    Grid {
        sets: vec![
            "middle-gaussian?steps=20&channels=4&train=60&test=12"
                .parse()
                .unwrap(),
            "freq-shapes?steps=20&train=60&test=12".parse().unwrap(),
        ],
        networks: vec!["lstm".parse().unwrap(), "cnn?hidden=4x4x4".parse().unwrap()],
        trainings: vec!["standard".parse().unwrap(), "sgt-per-step".parse().unwrap()],
        methods: ["gradient", "integrated-gradients", "random"]
            .map(named)
            .to_vec(),
        seeds: 2,
        settings: vec![("training.epochs".into(), 2.into())],
        scaling: Scaling::default(),
        extras: Extras {
            samples: 8,
            removal: true,
            path_cells: 4,
            enough: 2.0,
        },
        keeps_maps: true,
    }
}

/// Without what a clock says.
fn numbers(cells: &[CellRecord]) -> Vec<CellRecord> {
    let timeless = cells.iter().cloned().map(|mut cell| {
        cell.training_seconds = 0.0;
        for method in &mut cell.methods {
            method.seconds = 0.0;
        }
        cell
    });
    timeless.collect()
}

fn run(grid: &Grid, folder: &Path, threads: usize) -> Vec<CellRecord> {
    let store = Store::open(folder, false).unwrap();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let dump = folder.join("dump");
    pool.install(|| grid.run(&store, Some(&dump), &AtomicBool::new(false), |_| {}))
        .unwrap()
}

#[test]
fn the_grid_has_the_same_bits_on_any_threads_and_after_an_interruption() {
    let (first, second, third) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let grid = grid();
    grid.check().unwrap();
    let one = run(&grid, first.path(), 1);
    assert_eq!(one.len(), grid.jobs().len());
    assert_eq!(numbers(&one), numbers(&run(&grid, second.path(), 2)));

    // Stopped after three cells; the next run goes on with the others.
    let store = Store::open(third.path(), false).unwrap();
    let stop = AtomicBool::new(false);
    let count = AtomicUsize::new(0);
    let stopped = grid.run(&store, None, &stop, |_| {
        if count.fetch_add(1, Ordering::Relaxed) == 2 {
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert!(stopped.unwrap().len() < grid.jobs().len());
    let found = AtomicUsize::new(0);
    let whole = grid.run(&store, None, &AtomicBool::new(false), |notice| {
        found.fetch_add(
            usize::from(matches!(notice, Notice::Found(_))),
            Ordering::Relaxed,
        );
    });
    assert_eq!(numbers(&whole.unwrap()), numbers(&one));
    assert!(found.into_inner() >= 3);

    // Other settings are another grid's cells.
    let mut other = grid.clone();
    other.settings.push(("lambda".into(), 0.5.into()));
    let refused = other.run(&store, None, &AtomicBool::new(false), |_| {});
    assert!(refused.unwrap_err().to_string().contains("other settings"));
    // Archives have the maps that were scored: scored again they give the same numbers.
    let scored = archive::score(&first.path().join("dump")).unwrap();
    assert_eq!(scored.len(), one.len() * grid.methods.len());
    for maps in &scored {
        let name = maps.file.display().to_string();
        let cell = one.iter().find(|cell| {
            let set = cell.set.split('?').next().unwrap();
            let network = cell.network.replace(['?', '='], "-");
            let file = format!("{network}-{}-{}.npz", cell.training, cell.seed);
            name.contains(&format!("/{set}-")) && name.ends_with(&format!("/{file}"))
        });
        let methods = &cell.unwrap().methods;
        let record = methods.iter().find(|record| record.method == maps.method);
        assert_eq!(record.unwrap().scores.unwrap(), maps.scores, "{name}");
    }

    let summary = Summary::new(&one, 0.0).unwrap();
    assert_eq!((summary.sets.len(), summary.seeds.len()), (2, 2));
    let text = markdown::markdown(&summary);
    for part in [
        "## Accuracy",
        "## AUP: difference",
        "| lstm | gradient |",
        "## freq-shapes",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let row = summary
        .row(None, "lstm", "standard", Some("gradient"), "AP")
        .unwrap();
    let of = |seed: u64, set: &str, method: &str| {
        let cell = one.iter().find(|cell| {
            cell.seed == seed
                && cell.set.starts_with(set)
                && cell.network == "lstm"
                && cell.training == "standard"
        });
        let methods = &cell.unwrap().methods;
        let record = methods
            .iter()
            .find(|record| record.method == method)
            .unwrap();
        record.scores.unwrap().average_precision.mean
    };
    let seeds = [0, 1].map(|seed| {
        let sets = ["middle", "freq"];
        sets.map(|set| of(seed, set, "gradient") - of(seed, set, "random"))
            .iter()
            .sum::<f64>()
            / 2.0
    });
    let to_random = row.to_random.unwrap();
    assert!((to_random.mean - f64::midpoint(seeds[0], seeds[1])).abs() < 1e-12);
    let spread = (seeds[0] - seeds[1]).abs() / 2.0_f64.sqrt();
    assert!((to_random.deviation.unwrap() - spread).abs() < 1e-12);
    // Nobody is that accurate.
    assert!(Summary::new(&one, 2.0).is_err());
    let html = page(&summary, &one);
    assert_eq!(
        html.matches("<section>").count(),
        html.matches("</section>").count()
    );
    assert!(html.contains("<svg") && html.contains("AUP: difference to the random map"));
    let charts = profile::charts(&one, "gradient");
    assert_eq!(charts.len(), 4);
    assert!(charts.iter().all(|(_, chart)| chart.lines.len() == 2));
}

#[test]
fn networks_of_the_benchmark_read_their_names_and_have_the_published_sizes() {
    let input = InputShape::series(50, 50);
    for (name, parameters) in [
        ("lstm", 1_152),
        ("input-cell-lstm", 4_192),
        ("tcn", 13_197),
        ("transformer", 305_302),
    ] {
        let choice: NetworkChoice = name.parse().unwrap();
        let network = Network::new(&choice.description(input, 2).unwrap(), 0).unwrap();
        assert_eq!(network.parameters().trainable_count(), parameters, "{name}");
    }
    for name in NetworkChoice::names() {
        let choice: NetworkChoice = name.parse().unwrap();
        assert_eq!(choice.to_string(), name);
        choice.description(InputShape::series(30, 1), 4).unwrap();
    }
    let sized: NetworkChoice = "tcn?hidden=4x8".parse().unwrap();
    assert_eq!(sized.to_string(), "tcn?hidden=4x8");
    for (text, said) in [
        ("lsmt", "lstm"),
        ("lstm?hidden=a", "hidden=SIZE"),
        ("lstm?width=3", "hidden=SIZE"),
    ] {
        let error = text.parse::<NetworkChoice>().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn forget_gates_start_as_the_name_says() {
    let input = InputShape::series(40, 3);
    let bias = |name: &str| {
        let choice: NetworkChoice = name.parse().unwrap();
        let mut network = Network::new(&choice.description(input, 2).unwrap(), 7).unwrap();
        choice.start(&mut network, 7);
        let parameters = network.parameters();
        let entry = parameters
            .entries()
            .iter()
            .find(|entry| entry.name == "lstm.bias_ih_l0");
        parameters.values()[entry.unwrap().range.clone()].to_vec()
    };
    let usual = bias("lstm?hidden=6");
    let forgetful = bias("lstm-forget-bias?hidden=6");
    for gate in 0..4 {
        let added = if gate == 1 { 1.0 } else { 0.0 };
        for unit in gate * 6..gate * 6 + 6 {
            assert_eq!(forgetful[unit], usual[unit] + added);
        }
    }
    let chrono = bias("lstm-chrono?hidden=6");
    for unit in 0..6 {
        assert_eq!(chrono[unit], -chrono[6 + unit]);
        assert!((0.0..=39.0_f32.ln()).contains(&chrono[6 + unit]));
    }
    assert_eq!(chrono[12..], usual[12..]);
}

#[test]
fn generated_data_is_data_for_every_command() {
    let mut draft = ConfigDraft::new();
    draft.set("data.source", "synthetic:lowvar?steps=40&train=24&test=8");
    draft.set("training.epochs", 1);
    let session = Session::open(&draft).unwrap();
    assert_eq!(session.test().len(), 8);
    session.train(|_| {}).unwrap();
    draft.set("data.length", "shortest");
    assert!(Session::open(&draft).is_err());
    let mut draft = ConfigDraft::new();
    draft.set("data.source", "synthetic:lowva");
    let error = Session::open(&draft).unwrap_err().to_string();
    assert!(error.contains("nearest: lowvar"), "{error}");
}

#[test]
fn guides_rank_what_is_masked() {
    let config = |guide: Option<toml::Value>| {
        let mut draft = ConfigDraft::new();
        draft.set("data.source", "synthetic:lowvar?steps=40&train=24&test=8");
        draft.set("training.epochs", 1);
        draft.set("masking.importance", "absolute");
        if let Some(guide) = guide {
            draft.set("masking.guide", guide);
        }
        draft.finish(DataKind::Series)
    };
    let count = |key: &str, count: i64| {
        toml::Value::Table([(key.to_string(), count.into())].into_iter().collect())
    };
    let weights = |config: RunConfig| {
        let session = Session::new(config).unwrap();
        session
            .train(|_| {})
            .unwrap()
            .parameters()
            .values()
            .to_vec()
    };
    let plain = config(None).unwrap();
    assert!(!plain.to_toml().unwrap().contains("guide"));
    let named = config(Some("gradient".into())).unwrap();
    assert_eq!(plain, named);
    let mut found = vec![weights(plain)];
    for (key, guide) in [
        ("integrated-gradients", Guide::IntegratedGradients(3)),
        ("time-rescaled", Guide::TimeRescaled(3)),
    ] {
        let config = config(Some(count(key, 3))).unwrap();
        assert_eq!(config.masking.guide, guide);
        let text = config.to_toml().unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config);
        let weights = weights(config);
        assert!(!found.contains(&weights));
        found.push(weights);
    }
    let error = config(Some(count("time-rescaled", 0)))
        .unwrap_err()
        .to_string();
    assert!(error.contains("masking.guide"), "{error}");
}

#[test]
fn archives_are_read_back_and_damaged_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("maps.npz");
    let maps = [0.5, -1.0, 2.0, 0.0];
    let members = [
        Member::floats("map_own", &[1, 2, 2], maps.to_vec()),
        Member::flags("truth", &[1, 2, 2], &[true, false, false, true]),
        Member::labels("y", &[1], &[3]),
    ];
    npz::write(&path, &members).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    npz::write(&path, &members).unwrap();
    assert_eq!(bytes, std::fs::read(&path).unwrap());
    let arrays = npz::read_all(&path).unwrap();
    assert_eq!(arrays["map_own"].values, maps);
    assert_eq!(arrays["truth"].values, [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        (&arrays["y"].shape[..], &arrays["y"].values[..]),
        (&[1][..], &[3.0][..])
    );
    for cut in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(npz::read_all(&path).is_err());
    }
    assert!(npz::write(&path, &[Member::floats("x", &[3], maps.to_vec())]).is_err());
    std::fs::write(&path, bytes).unwrap();
    let scored = archive::score(folder.path()).unwrap();
    assert_eq!((scored.len(), &scored[0].method[..]), (1, "own"));
    npz::write(&path, &members[1..]).unwrap();
    let error = archive::score(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no array map_METHOD"), "{error}");
}
