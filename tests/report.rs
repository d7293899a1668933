//! The page and the pictures: self-contained, well-formed, accessible, and true to their data.

#[path = "common/study.rs"]
mod study;

use sgt_host::compare::Comparison;
use sgt_host::network::{InputShape, SeriesOrder};
use sgt_host::report::picture::{Picture, strongest};
use sgt_host::report::{
    drop_charts, gradient_boxes, learning_charts, map, markdown, page, robustness_charts, table,
};
use study::{METHODS, REGIMES, SEEDS, images, report, series, text};

/// Elements that HTML closes by themselves.
const VOID: [&str; 4] = ["meta", "br", "input", "!doctype"];

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
        if ["style", "script"].contains(&name) && !tag.starts_with('/') {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
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
        let (comparison, samples) = report(&study, SEEDS);
        let html = page(&comparison, &samples).unwrap();
        keep(&format!("report-{}.html", study.name), &html);
        assert_well_formed(&html);
        let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "<script ", "<link", "@import", "url("] {
            assert!(!without_namespace.contains(outside), "{outside}");
        }
        assert!(html.contains("lang=\"en\"") && html.contains("width=device-width"));
        assert!(html.contains("prefers-color-scheme: dark"));
        // Every picture has words, every table has heads and a caption.
        let pictures = html.matches("role=\"img\"").count();
        assert_eq!(pictures, html.matches("role=\"img\"><title>").count());
        // Robustness, drops, gradients, learning.
        let charts = 4 + 2 * comparison.regimes[0].runs[0].evaluation.maps.len() + 1 + 2;
        let maps = samples.len() * (1 + METHODS.len() * REGIMES.len());
        assert_eq!(pictures, charts + maps);
        assert_eq!(
            html.matches("<table").count(),
            html.matches("<caption>").count()
        );
        assert_eq!(
            html.matches("<table").count(),
            html.matches("<thead>").count()
        );
        for (regime, _) in REGIMES {
            assert!(html.contains(&format!(">{regime}</th>")));
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
            let rows = text.lines().filter(|line| line.starts_with("<tr"));
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
    let (comparison, _) = report(&images(), SEEDS);
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
    let (image, images) = report(&images(), SEEDS);
    let (_, series) = report(&series(), SEEDS);
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
    let (comparison, mut samples) = report(&images(), SEEDS);
    samples[0].maps[0].values.pop();
    assert_eq!(
        page(&comparison, &samples).unwrap_err().to_string(),
        "picture of a sample: found shape 255 values, expected shape [1, 16, 16]"
    );
}

/// What a page may weigh, so that it opens at once.
const PAGE_BYTES: usize = 2_000_000;

#[test]
fn a_page_of_large_samples_stays_small_and_says_that_they_are_drawn_smaller() {
    let noise = |values: usize, seed: u64| -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / 16_777_216.0 - 0.5
        };
        (0..values).map(|_| next()).collect()
    };
    let large_image = InputShape::Image {
        channels: 3,
        height: 224,
        width: 224,
    };
    let long_series = InputShape::Series {
        steps: 20_000,
        channels: 9,
        order: SeriesOrder::ChannelsFirst,
    };
    let words = ["a pixel is the mean", "in columns of 72 steps"];
    for ((study, shape), words) in [(images(), large_image), (series(), long_series)]
        .into_iter()
        .zip(words)
    {
        let (comparison, mut samples) = report(&study, SEEDS);
        for (place, sample) in (1..).zip(&mut samples) {
            sample.shape = shape;
            sample.names.clear();
            sample.units.clear();
            sample.values = noise(shape.len(), place);
            for map in &mut sample.maps {
                map.values = noise(shape.len(), 100 + place);
            }
        }
        let html = page(&comparison, &samples).unwrap();
        assert!(html.len() < PAGE_BYTES, "{} bytes", html.len());
        assert!(html.contains(words));
    }
}

#[test]
fn a_page_says_where_its_samples_come_from_and_when() {
    let (comparison, samples) = report(&series(), SEEDS);
    let html = page(&comparison, &samples).unwrap();
    for words in [
        "<h3>Right: standing, test sample 0</h3>",
        ">Wrong: ",
        ">Least certain: ",
        ">gyro x</text>",
        "°/s</text>",
        ">1</text>",
        "data-rate=\"50\"",
        "data-units=\"[&quot;g&quot;,",
        "training cross-entropy",
        "id=\"metric-accuracy\"",
        "href=\"#metric-accuracy\"",
    ] {
        assert!(html.contains(words), "{words}");
    }
    // The traces are there once a sample, and every map uses them.
    let maps = METHODS.len() * REGIMES.len();
    for number in 0..samples.len() {
        assert_eq!(html.matches(&format!("id=\"traces-{number}\"")).count(), 1);
        let uses = html.matches(&format!("href=\"#traces-{number}\"")).count();
        assert_eq!(uses, maps);
    }
}

#[test]
fn names_from_data_stay_text() {
    let mut study = series();
    let hostile = "</script><img src=x onerror='window.reached=1'>\"";
    study.classes[0] = hostile.into();
    study.names[0] = hostile.into();
    let (comparison, samples) = report(&study, 1);
    let html = page(&comparison, &samples).unwrap();
    assert_well_formed(&html);
    assert!(!html.contains("<img"));
    assert_eq!(html.matches("</script>").count(), 1);
    let panel = map::panel(&samples, "gradient").unwrap();
    assert_well_formed(&panel);
    assert!(!panel.contains("<img"));
}

#[test]
fn learning_curves_are_means_over_seeds() {
    let (mut comparison, _) = report(&images(), SEEDS);
    let charts = learning_charts(&comparison);
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    assert_eq!(titles, ["training accuracy", "training cross-entropy"]);
    let places: Vec<f64> = charts[1].lines[0].points.iter().map(|p| p.x).collect();
    assert_eq!(places, [1.0, 2.0, 3.0]);
    // The seeds 0 and 1: 1.5 and 1.51 in the first epoch.
    assert!((charts[1].lines[0].points[0].y - 1.505).abs() < 1e-6);
    assert!(charts[1].standalone().contains(">2</text>"));
    for run in comparison.regimes.iter_mut().flat_map(|r| &mut r.runs) {
        run.epochs = Vec::new();
    }
    assert!(learning_charts(&comparison).is_empty());
    let html = page(&comparison, &[]).unwrap();
    assert!(!html.contains("id=\"learning\"") && !html.contains("href=\"#learning\""));
}
