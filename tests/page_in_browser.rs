//! The page in a browser: its script by clicks and keys, what shows without it, at which widths, and
//! how fast it opens. Each test needs Chromium: `cargo test --test page_in_browser -- --ignored`.

#[path = "common/browser.rs"]
mod browser;
#[path = "common/study.rs"]
mod study;
#[path = "common/tolerance.rs"]
mod tolerance;

use browser::Browser;
use sgt_host::report::page;
use std::path::{Path, PathBuf};
use std::time::Instant;
use study::{METHODS, REGIMES, Study, images, report, series, text};

/// What the page may weigh.
const MOST_BYTES: usize = 2_000_000;
/// How long it may take to open.
const MOST_MILLISECONDS: f64 = 1000.0;
const WIDTHS: [u32; 3] = [1280, 800, 400];
const RIGHT: (&str, u32) = ("ArrowRight", 39);
const DOWN: (&str, u32) = ("ArrowDown", 40);
const SPACE: (&str, u32) = (" ", 32);
const ESCAPE: (&str, u32) = ("Escape", 27);

/// A class and a channel that would like to be markup.
const HOSTILE: &str = "</script><img src=x onerror='window.reached=1'>";

fn hostile() -> Study {
    let mut study = series();
    study.classes[0] = HOSTILE.into();
    study.names[0] = HOSTILE.into();
    study
}

fn written(name: &str, study: &Study, seeds: u64) -> PathBuf {
    let (comparison, samples) = report(study, seeds);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, page(&comparison, &samples).unwrap()).unwrap();
    path
}

fn opened(path: &Path) -> Browser {
    let mut browser = Browser::start();
    browser.window(1280, false, true);
    browser.open(path);
    assert_eq!(browser.text("document.body.dataset.script"), "ready");
    browser
}

/// An expression for the number of visible elements.
fn visible(selector: &str) -> String {
    format!(
        "Array.from(document.querySelectorAll('{selector}'))\
         .filter((part) => part.getClientRects().length > 0).length"
    )
}

const SAID: &str = "document.querySelector('#values').innerText";
const IS_SAID: &str = "!document.querySelector('#values').hidden";

#[test]
#[ignore = "needs Chromium"]
fn regimes_samples_and_methods_are_chosen_by_clicks_and_keys() {
    let mut browser = opened(&written("choices.html", &hostile(), 1));
    // The first sample and method are shown, and all regimes.
    assert_eq!(browser.value(&visible("article")), 1);
    assert_eq!(
        browser.value(&visible("article .maps figure")),
        REGIMES.len()
    );
    // A regime that is left out shows nowhere.
    assert_ne!(browser.value(&visible("[data-regime=\"1\"]")), 0);
    browser.click("#choose-regimes input[value=\"1\"]");
    assert_eq!(browser.value(&visible("[data-regime=\"1\"]")), 0);
    assert_eq!(browser.value(&visible("[data-other=\"1\"]")), 0);
    assert_ne!(browser.value(&visible("[data-regime=\"2\"]")), 0);
    let figures = REGIMES.len() - 1;
    assert_eq!(browser.value(&visible("article .maps figure")), figures);
    browser.key(SPACE);
    assert_eq!(
        browser.value(&visible("article .maps figure")),
        REGIMES.len()
    );
    // Samples, one and all.
    browser.click("#choose-sample input[value=\"1\"]");
    assert_eq!(browser.value(&visible("article")), 1);
    assert_eq!(browser.value(&visible("article[data-sample=\"1\"]")), 1);
    browser.key(RIGHT);
    assert_eq!(browser.value(&visible("article[data-sample=\"2\"]")), 1);
    browser.click("#choose-sample input[value=\"all\"]");
    assert_eq!(browser.value(&visible("article")), 3);
    // Methods.
    browser.click("#choose-sample input[value=\"0\"]");
    browser.value("document.querySelector('#choose-method').focus()");
    browser.key(DOWN);
    assert_eq!(
        browser.text("document.querySelector('#choose-method').value"),
        "1"
    );
    assert_eq!(browser.value(&visible("[data-method=\"0\"]")), 0);
    assert_eq!(browser.value(&visible("[data-method=\"1\"]")), 1);
    for _ in 0..METHODS.len() {
        browser.key(DOWN);
    }
    assert_eq!(
        browser.value(&visible("article [data-method]")),
        METHODS.len()
    );
}

#[test]
#[ignore = "needs Chromium"]
fn values_show_under_the_pointer_and_the_arrow_keys() {
    let mut browser = opened(&written("values.html", &hostile(), 2));
    browser.point_at("#robustness .chart", (0.5, 0.5));
    let said = browser.text(SAID);
    assert!(said.starts_with("ε in "), "{said}");
    for (regime, _) in REGIMES {
        assert!(said.contains(&format!("\n{regime}: ")), "{said}");
    }
    // A regime that is left out is not said.
    browser.click("#choose-regimes input[value=\"0\"]");
    browser.point_at("#robustness .chart", (0.5, 0.5));
    assert!(!browser.text(SAID).contains("\nstandard: "));
    // The middle of the sample: its first channel, at a second.
    let width = "document.querySelector('.original .cell').viewBox.baseVal.width";
    let left = "Number(document.querySelector('.original .cell').dataset.left)";
    let share = browser.value(&format!("({left} + 0.505 * ({width} - {left})) / {width}"));
    browser.point_at(".original .cell", (share.as_f64().unwrap(), 0.03));
    let said = browser.text(SAID);
    assert!(
        said.starts_with(&format!("{HOSTILE} at 1 s\nvalue ")),
        "{said}"
    );
    assert!(said.ends_with(" g"), "{said}");
    assert_eq!(browser.value(&visible("article .cursor")), REGIMES.len());
    // A map says its saliency too; keys go on from there.
    browser.point_at(".maps .cell", (0.505, 0.03));
    let said = browser.text(SAID);
    assert!(
        said.contains(" at 1 s\n") && said.contains("\nsaliency "),
        "{said}"
    );
    browser.value(
        "Array.from(document.querySelectorAll('.maps .cell'))\
         .find((cell) => cell.getClientRects().length > 0).focus()",
    );
    browser.key(RIGHT);
    assert!(browser.text(SAID).contains(" at 1.02 s\n"));
    browser.key(DOWN);
    let said = browser.text(SAID);
    assert!(said.starts_with("acc y at 1.02 s\nvalue "), "{said}");
    browser.key(ESCAPE);
    assert!(!browser.holds(IS_SAID));
    // Names stay text.
    assert!(browser.holds("window.reached === undefined && document.images.length === 0"));
}

#[test]
#[ignore = "needs Chromium"]
fn values_of_images_are_those_of_the_data() {
    let study = images();
    let (comparison, samples) = report(&study, 1);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image-values.html");
    std::fs::write(&path, page(&comparison, &samples).unwrap()).unwrap();
    let mut browser = opened(&path);
    let side = samples[0].shape.dims()[2];
    let pixel = side / 2;
    let middle = (pixel as f64 + 0.5) / side as f64;
    browser.point_at(".original .cell", (middle, middle));
    let said = browser.text(SAID);
    let value = samples[0].values[pixel * side + pixel];
    let shown: f32 = said.split(' ').next_back().unwrap().parse().unwrap();
    let place = format!("row {0}, column {0}\nvalue ", pixel + 1);
    assert!(said.starts_with(&place), "{said}");
    assert!(
        (shown - value).abs() <= tolerance::SAID,
        "{said}, expected {value}"
    );
}

#[test]
#[ignore = "needs Chromium"]
fn everything_shows_without_a_script() {
    let mut browser = Browser::start();
    let path = written("plain.html", &hostile(), 1);
    browser.window(1280, false, false);
    browser.open(&path);
    assert_eq!(
        browser.value("document.body.dataset.script ?? null"),
        serde_json::Value::Null
    );
    assert_eq!(browser.value(&visible("form")), 0);
    assert_eq!(browser.value(&visible("article")), 3);
    let maps = 3 * METHODS.len() * REGIMES.len();
    assert_eq!(browser.value(&visible("article .maps figure")), maps);
}

#[test]
#[ignore = "needs Chromium"]
fn nothing_is_cut_off_at_any_width() {
    for (name, study) in [("image", images()), ("series", hostile()), ("text", text())] {
        let path = written(&format!("widths-{name}.html"), &study, 1);
        let mut browser = opened(&path);
        let mut grounds = Vec::new();
        for dark in [false, true] {
            for width in WIDTHS {
                browser.window(width, dark, true);
                browser.open(&path);
                let page = browser.value("document.documentElement.scrollWidth");
                assert_eq!(page, width, "{name}");
            }
            grounds.push(browser.text("getComputedStyle(document.body).backgroundColor"));
        }
        assert_ne!(grounds[0], grounds[1]);
        // Every control has a name, and the keys reach it.
        assert!(browser.holds(
            "Array.from(document.querySelectorAll('input, select'))\
             .every((control) => control.labels.length > 0 && control.tabIndex === 0)"
        ));
    }
}

#[test]
#[ignore = "needs Chromium"]
fn a_page_of_24_runs_opens_in_a_second() {
    const OPENINGS: usize = 3;
    let path = written("runs-24.html", &series(), 24 / REGIMES.len() as u64);
    let bytes = std::fs::metadata(&path).unwrap().len() as usize;
    let mut browser = Browser::start();
    browser.window(1280, false, true);
    let mut times = Vec::new();
    for _ in 0..OPENINGS {
        let start = Instant::now();
        browser.open(&path);
        // Until two frames are drawn.
        browser.value(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
    println!("24 runs, {bytes} bytes: drawn after {times:.0?} ms, the first in a new browser");
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    assert!(fastest < MOST_MILLISECONDS, "{fastest} ms");
}
