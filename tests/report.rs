//! The page and the pictures: self-contained, well-formed, accessible, and true to their data.

#[path = "common/golden.rs"]
mod golden;

use sgt_core::{Bounds, Pcg32, Random};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::compare::{
    ClassCount, Comparison, Evidence, MeasuredRun, RegimeRuns, SampleMap, SampleMaps, compare,
    verdict, warnings,
};
use sgt_host::config::Difference;
use sgt_host::data::{DataKind, Dataset, InputUnit};
use sgt_host::evaluation::{EvaluationConfig, evaluate};
use sgt_host::metrics::Fill;
use sgt_host::network::{
    Classifier, ClassifierPass, InputShape, Labelled, Mode, Model, Network, SeriesOrder, named,
};
use sgt_host::report::picture::{Picture, strongest};
use sgt_host::report::{
    drop_charts, gradient_boxes, map, markdown, page, robustness_charts, table,
};
use std::path::PathBuf;

/// Names that only look like regimes: golden weights with growing noise.
const REGIMES: [(&str, f32); 4] = [
    ("standard", 0.0),
    ("sgt", 0.02),
    ("adversarial", 0.05),
    ("asgt", 0.1),
];
/// Runs a regime.
const SEEDS: u64 = 2;
const METHODS: [&str; 4] = [
    "gradient",
    "integrated-gradients",
    "smoothgrad-squared",
    "random",
];

/// A method with few steps: the pictures' content is not the subject.
fn method(name: &str) -> Method {
    Method::named(name).unwrap().with_steps(5)
}

struct Study {
    name: &'static str,
    input: Option<InputShape>,
    bounds: Option<Bounds>,
    classes: Vec<String>,
    names: Vec<String>,
}

fn network(study: &Study, noise: f32, seed: u64) -> Classifier {
    let (weights, _) = golden::golden(study.name).unwrap();
    let shapes: Vec<(&str, &[usize])> = weights
        .iter()
        .map(|(name, (shape, _))| (name.as_str(), shape.as_slice()))
        .collect();
    let sizes = named::infer_sizes(study.name, &shapes, study.input).unwrap();
    let description = named::description(study.name, &sizes).unwrap();
    let mut network = Network::new(&description, 0).unwrap();
    let mut rng = Pcg32::new(seed, 0);
    for entry in network.parameters().entries().to_vec() {
        let values = &mut network.parameters_mut().values_mut()[entry.range];
        for (value, golden) in values.iter_mut().zip(&weights[&entry.name].1) {
            *value = golden + noise * rng.standard_normal();
        }
    }
    let classifier = Classifier::new(network, study.classes.clone()).unwrap();
    match study.bounds {
        Some(bounds) => classifier.with_bounds(bounds).unwrap(),
        None => classifier,
    }
}

/// The golden samples as a data set holds them.
fn dataset(study: &Study, input: InputShape, labels: &[usize]) -> Dataset {
    let (_, cases) = golden::golden(study.name).unwrap();
    let shape = input.ordered(SeriesOrder::ChannelsFirst);
    let samples = cases["x"].1.chunks(input.len());
    let samples = samples
        .flat_map(|sample| input.reorder(sample, shape))
        .collect();
    let (classes, labels) = (study.classes.clone(), labels.to_vec());
    Dataset::new(study.name, classes, shape, samples, labels, study.bounds).unwrap()
}

/// The comparison of made-up regimes, and the maps of two samples.
fn report(study: &Study) -> (Comparison, Vec<SampleMaps>) {
    let (_, cases) = golden::golden(study.name).unwrap();
    let x = &cases["x"].1;
    let labels: Vec<usize> = cases["y"].1.iter().map(|&label| label as usize).collect();
    let config = EvaluationConfig {
        methods: METHODS.iter().map(|name| method(name)).collect(),
        fills: vec![Fill::Zero, Fill::Uniform],
        stability_samples: 1,
        ..EvaluationConfig::thorough(DataKind::Image)
    };
    let test = dataset(study, network(study, 0.0, 0).input(), &labels);
    let mut regimes = Vec::new();
    let mut samples = Vec::new();
    for (name, noise) in REGIMES {
        let run = |seed: u64| {
            let network = network(study, noise + 0.003, seed);
            MeasuredRun {
                seed,
                folder: Some(PathBuf::from(format!("{name}-{seed}"))),
                evaluation: evaluate(&network, &test, &config).unwrap(),
                config: format!(
                    "model = \"{}\"\nregime = \"{name}\"\nseed = {seed}\n",
                    study.name
                ),
                seconds: 12.3,
            }
        };
        regimes.push(RegimeRuns {
            name: name.into(),
            runs: (0..SEEDS).map(run).collect(),
        });
    }
    for sample in [0, 3] {
        let shape = network(study, 0.0, 0).input();
        let values = x[sample * shape.len()..][..shape.len()].to_vec();
        let mut maps = Vec::new();
        for name_of_method in METHODS {
            for (name, noise) in REGIMES {
                let network = network(study, noise, 1);
                let mut pass = ClassifierPass::default();
                let logits = network
                    .forward(&values, Mode::Evaluation, &mut pass)
                    .unwrap();
                let predicted = (0..logits.len())
                    .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
                    .unwrap();
                let (label, method) = (&labels[sample..=sample], method(name_of_method));
                let settings = Settings::default();
                let found =
                    attribute(&network, Labelled::new(&values, label), &method, &settings).unwrap();
                maps.push(SampleMap {
                    regime: name.into(),
                    method: method.name().into(),
                    predicted: study.classes[predicted].clone(),
                    values: found.values,
                });
            }
        }
        samples.push(SampleMaps {
            shape,
            class: study.classes[labels[sample]].clone(),
            values,
            names: study.names.clone(),
            maps,
        });
    }
    let rows = compare(&regimes, &config).unwrap();
    let classes: Vec<ClassCount> = study
        .classes
        .iter()
        .zip(test.class_counts())
        .map(|(class, test)| ClassCount {
            class: class.clone(),
            training: 10,
            test,
        })
        .collect();
    let warnings = warnings(&classes, &regimes, &rows);
    let evidence = Evidence {
        regimes: &REGIMES.map(|(name, _)| name.to_string()),
        rows: &rows,
        warnings: &warnings,
    };
    for run in regimes.iter_mut().flat_map(|regime| &mut regime.runs) {
        run.evaluation.by_sample = Vec::new();
    }
    let comparison = Comparison {
        verdict: verdict(&evidence),
        warnings: warnings.clone(),
        classes,
        data: format!("made up: {}, <not> trained & such", study.name),
        model: study.name.into(),
        training_samples: 0,
        test_samples: labels.len(),
        unit: InputUnit::Recorded(study.bounds),
        rows: rows.clone(),
        evaluation: config,
        regimes,
        settings: vec![Difference {
            key: "masking.importance".into(),
            values: vec![None, Some("signed".into()), None, Some("absolute".into())],
        }],
    };
    (comparison, samples)
}

fn images() -> Study {
    Study {
        name: "small-cnn",
        input: None,
        bounds: Some(Bounds::UNIT),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        names: Vec::new(),
    }
}

fn series() -> Study {
    Study {
        name: "sensor-lstm",
        input: Some(InputShape::Series {
            steps: 100,
            channels: 6,
            order: SeriesOrder::StepsFirst,
        }),
        bounds: None,
        classes: ["standing", "running", "walking", "badminton"]
            .map(Into::into)
            .to_vec(),
        names: ["acc x", "acc y", "acc z", "gyro x", "gyro y", "gyro z"]
            .map(Into::into)
            .to_vec(),
    }
}

fn text() -> Study {
    let words = "the film is not as bad as its <b>title</b> would suggest";
    Study {
        name: "text-bilstm",
        input: Some(InputShape::Tokens {
            tokens: 12,
            dim: 20,
        }),
        bounds: None,
        classes: ["negative", "positive"].map(Into::into).to_vec(),
        names: words.split(' ').map(Into::into).collect(),
    }
}

/// Elements that HTML closes by themselves.
const VOID: [&str; 3] = ["meta", "br", "!doctype"];

/// Asserts that every element is closed in order and every attribute is quoted.
#[track_caller]
fn assert_well_formed(markup: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "unescaped < before {tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in {tag}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "style" && !tag.starts_with('/') {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn keep(file: &str, content: &str) {
    // For a person to look at.
    std::fs::write(
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file),
        content,
    )
    .unwrap();
}

#[test]
fn pages_are_self_contained_well_formed_and_say_what_they_show() {
    for study in [images(), series(), text()] {
        let (comparison, samples) = report(&study);
        let html = page(&comparison, &samples).unwrap();
        keep(&format!("report-{}.html", study.name), &html);
        assert_well_formed(&html);
        let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!without_namespace.contains(outside), "{outside}");
        }
        assert!(html.contains("lang=\"en\"") && html.contains("width=device-width"));
        assert!(html.contains("prefers-color-scheme: dark"));
        // Every picture has words, every table has heads and a caption.
        let pictures = html.matches("role=\"img\"").count();
        assert_eq!(pictures, html.matches("role=\"img\"><title>").count());
        let charts = 4 + 2 * comparison.regimes[0].runs[0].evaluation.maps.len() + 1;
        let maps = samples.len() * (1 + METHODS.len() * REGIMES.len());
        assert_eq!(pictures, charts + maps);
        assert_eq!(
            html.matches("<table>").count(),
            html.matches("<caption>").count()
        );
        assert_eq!(
            html.matches("<table>").count(),
            html.matches("<thead>").count()
        );
        for (regime, _) in REGIMES {
            assert!(html.contains(&format!("<th scope=\"col\">{regime}</th>")));
            assert!(html.contains(&format!("sgt train --config {regime}-1/config.toml")));
        }
        assert!(html.contains("&lt;not&gt; trained &amp; such with"));
        assert!(!html.contains("<b>title"));
        let starred = comparison
            .rows
            .iter()
            .flat_map(|row| (1..REGIMES.len()).filter(move |&column| row.is_starred(column)));
        let starred = starred.count();
        let headline = comparison.rows.iter().filter(|row| row.is_headline());
        let starred_headline: usize = headline
            .map(|row| (1..REGIMES.len()).filter(|&c| row.is_starred(c)).count())
            .sum();
        let stars = |text: &str| {
            let rows = text.lines().filter(|line| line.starts_with("<tr>"));
            rows.map(|line| line.matches('*').count()).sum::<usize>()
        };
        let (tables, differences) = html.split_once("<summary>The differences").unwrap();
        assert_eq!(stars(tables), starred + starred_headline);
        let differing = comparison.rows.iter().filter(|row| row.is_headline());
        let differing = differing.flat_map(|row| &row.pairs);
        let differing = differing.filter(|pair| pair.contrast.differs()).count();
        assert_eq!(stars(differences), differing);
        let written = markdown(&comparison);
        let rows = written.lines().filter(|line| line.starts_with("| "));
        let marked: usize = rows.map(|line| line.matches("\\*").count()).sum();
        assert_eq!(marked, starred);
        let text = table::text(&comparison, |_| true);
        let mut lines = text.lines();
        let body = lines
            .by_ref()
            .skip_while(|line| !line.contains("samples  "));
        let body = body.take_while(|line| !line.is_empty());
        let marked: usize = body.map(|line| line.matches('*').count()).sum();
        assert_eq!(marked, starred);
        for words in &comparison.verdict.words {
            assert!(html.contains(&words.replace('\'', "&#39;")), "{words}");
        }
        for warning in &comparison.warnings {
            let said = warning.sentence();
            assert!(html.contains(&said.replace('\'', "&#39;")), "{said}");
        }
        let json = serde_json::to_string(&comparison).unwrap();
        assert!(serde_json::from_str::<Comparison>(&json).unwrap() == comparison);
    }
}

#[test]
fn the_tables_as_markdown_hold_every_row_once() {
    let (comparison, _) = report(&images());
    let text = markdown(&comparison);
    keep("report.md", &text);
    let (training, measured) = text.split_once("\n## Accuracy\n").unwrap();
    let tables = |text: &str, columns: usize| {
        let lines = text.lines().filter(|line| line.starts_with('|'));
        let check = |line: &str| assert_eq!(line.matches(" |").count(), columns, "{line}");
        lines.inspect(|line| check(line)).count()
    };
    // Heading and rule of each table; seeds and one setting in the first.
    let (training, classes) = training.split_once("\n## Classes\n").unwrap();
    assert_eq!(tables(training, 1 + REGIMES.len()), 2 + 2);
    let counted = comparison.classes.len();
    assert_eq!(tables(classes, 3 + REGIMES.len()), 2 + counted);
    let metrics = 1 + measured.matches("\n## ").count();
    let rows = comparison.rows.len();
    assert_eq!(tables(measured, 2 + REGIMES.len()), rows + 2 * metrics);
    assert!(text.contains("| masking.importance | – | signed | – | absolute |\n"));
    assert!(text.contains("| seeds | 0, 1 | 0, 1 | 0, 1 | 0, 1 |\n"));
    assert!(text.contains("\\<not\\> trained & such with"));
    assert_eq!(text.matches("\nWith the ").count(), 1, "zeros stay zero");
    let best = comparison.rows.iter().filter(|row| row.best().is_some());
    assert_eq!(text.matches("**").count(), 2 * best.count());
}

#[test]
fn charts_and_panels_stand_alone() {
    let (image, images) = report(&images());
    let (_, series) = report(&series());
    let mut drawn = Vec::new();
    for (index, chart) in robustness_charts(&image).iter().enumerate() {
        assert_eq!(chart.lines.len(), REGIMES.len());
        assert_eq!(chart.lines[0].points.len(), 5, "clean and four radii");
        let mean = image.regimes[0]
            .runs
            .iter()
            .map(|run| run.evaluation.drawn_accuracy)
            .sum::<f64>();
        assert!((chart.lines[0].points[0].y - mean / SEEDS as f64).abs() < 1e-9);
        drawn.push((format!("robustness-{index}.svg"), chart.standalone()));
    }
    let drops = drop_charts(&image);
    assert_eq!(
        drops.len(),
        2 * image.regimes[0].runs[0].evaluation.maps.len()
    );
    drawn.push(("drop.svg".into(), drops[0].1.standalone()));
    drawn.push(("gradients.svg".into(), gradient_boxes(&image).standalone()));
    drawn.push((
        "panel-image.svg".into(),
        map::panel(&images, "gradient").unwrap(),
    ));
    drawn.push((
        "panel-series.svg".into(),
        map::panel(&series, "gradient").unwrap(),
    ));
    for (file, svg) in drawn {
        assert_well_formed(&svg);
        assert!(svg.contains("<title>") && svg.contains("<desc>") && svg.contains("<style>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{file}");
        keep(&file, &svg);
    }
    let error = map::panel(&images, "lime").unwrap_err().to_string();
    assert_eq!(
        error,
        "method: found lime, expected a method whose maps the samples have"
    );
}

#[test]
fn maps_draw_sign_as_colour_and_magnitude_as_opacity() {
    let values = [0.0, 1.0, -2.0, 0.5, 2.0, -1.0];
    assert_eq!(strongest(&values), 2.0);
    let png = Picture::saliency(&values, 3, 2).unwrap().png().unwrap();
    let decoder = png::Decoder::new(std::io::Cursor::new(png));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height), (3, 2));
    let opacity: Vec<u8> = pixels.chunks(4).map(|pixel| pixel[3]).collect();
    assert_eq!(opacity, [0, 128, 255, 64, 255, 128]);
    assert_eq!(pixels[4..7], pixels[16..19]);
    assert_eq!(pixels[8..11], pixels[20..23]);
    assert_ne!(pixels[4..7], pixels[8..11]);
    // One value in a thousand is drawn, too; an outlier does not hide the rest.
    let mut single = vec![0.0; 1000];
    single[3] = -4.0;
    assert_eq!(strongest(&single), 4.0);
    let mut outlier = vec![1.0; 1000];
    outlier[3] = 1e9;
    assert_eq!(strongest(&outlier), 1.0);
    assert!(Picture::saliency(&values, 4, 2).is_err() && Picture::saliency(&[], 0, 0).is_err());
    let grey = Picture::image(&values, 1, 3, 2, (-2.0, 2.0)).unwrap();
    assert!(
        grey.data_uri()
            .unwrap()
            .starts_with("data:image/png;base64,iVBORw0KGgo")
    );
}

#[test]
fn a_map_of_another_shape_is_refused_in_one_line() {
    let (comparison, mut samples) = report(&images());
    samples[0].maps[0].values.pop();
    assert_eq!(
        page(&comparison, &samples).unwrap_err().to_string(),
        "picture of a sample: found shape 255 values, expected shape [1, 16, 16]"
    );
}
