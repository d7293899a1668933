//! The samples, and what each regime's networks see in them.

use super::super::map::{self, answer};
use super::super::text::escape;
use super::section;
use crate::Result;
use crate::compare::{SampleMap, SampleMaps};
use std::fmt::Write;

/// The samples with their saliency, a regime beside the other. Every part says by attributes which
/// sample, method and regime it is of, so that a script can show one; without it all are there.
pub(super) fn samples(samples: &[SampleMaps], regimes: &[String]) -> Result<String> {
    let mut methods: Vec<&str> = Vec::new();
    for map in samples.iter().flat_map(|sample| &sample.maps) {
        if !methods.contains(&map.method.as_str()) {
            methods.push(&map.method);
        }
    }
    let mut body = String::from(
        "<p>Red raises the score of the sample's class, blue lowers it; the strength is relative to \
         the strongest value of each map. Methods that give magnitudes are red alone. The networks \
         are those of every regime's first seed, and a rule chose the samples.</p>\n",
    );
    if samples.is_empty() {
        body += "<p>No sample was chosen.</p>\n";
    } else {
        body += &choices(samples, &methods);
    }
    for (number, sample) in samples.iter().enumerate() {
        body += &article(sample, number, &methods, regimes)?;
    }
    Ok(section("saliency", "Samples and their saliency", &body))
}

/// The controls, for the script to show.
fn choices(samples: &[SampleMaps], methods: &[&str]) -> String {
    let mut html = String::from(
        "<form class=\"choices\" hidden>\n<fieldset id=\"choose-sample\"><legend>Sample</legend>",
    );
    for (number, sample) in samples.iter().enumerate() {
        let _ = write!(
            html,
            "<label><input type=\"radio\" name=\"sample\" value=\"{number}\"{}> {}</label>",
            if number == 0 { " checked" } else { "" },
            sample.rule.name()
        );
    }
    html += "<label><input type=\"radio\" name=\"sample\" value=\"all\"> all</label></fieldset>\n\
             <label>Method <select id=\"choose-method\">";
    for (place, method) in methods.iter().enumerate() {
        let _ = write!(
            html,
            "<option value=\"{place}\">{}</option>",
            escape(method)
        );
    }
    html + "<option value=\"all\">all methods</option></select></label>\n</form>\n"
}

fn article(
    sample: &SampleMaps,
    number: usize,
    methods: &[&str],
    regimes: &[String],
) -> Result<String> {
    let id = format!("traces-{number}");
    let mut about = String::new();
    let hidden = map::hidden_lanes(sample);
    if hidden > 0 {
        let _ = write!(
            about,
            "; {hidden} more channels with less saliency are not drawn"
        );
    }
    if let Some(words) = map::reduction_words(sample) {
        let _ = write!(about, "; {words}");
    }
    let mut html = format!(
        "<article class=\"{}\" data-sample=\"{number}\"{}>\n<h3>{}: {}, test sample {}</h3>\n\
         <p class=\"fine\">{} Samples are counted from 0, in the order of the data.</p>\n\
         <div class=\"sample\">\n<figure class=\"original\">{}{}<figcaption>the sample{about}</figcaption>\
         </figure>\n<div class=\"methods\">\n",
        sample.shape.noun(),
        map::value_attributes(sample),
        capitalised(sample.rule.name()),
        escape(&sample.class),
        sample.index,
        sample.rule.sentence(),
        map::plain_words(sample),
        map::sample(sample, &id)?
    );
    for (place, method) in methods.iter().enumerate() {
        let maps = sample.maps.iter().filter(|map| map.method == *method);
        let maps: Vec<&SampleMap> = maps.collect();
        if maps.is_empty() {
            continue;
        }
        let _ = write!(
            html,
            "<div data-method=\"{place}\">\n<h4>{}</h4>\n<div class=\"maps\" style=\"--columns:{}\">\n",
            escape(method),
            maps.len()
        );
        for shown in maps {
            html += &figure(sample, shown, &id, regimes)?;
        }
        html += "</div>\n</div>\n";
    }
    Ok(html + "</div>\n</div>\n</article>\n")
}

/// One map, and what its network says.
fn figure(sample: &SampleMaps, shown: &SampleMap, id: &str, regimes: &[String]) -> Result<String> {
    let regime = regimes.iter().position(|name| *name == shown.regime);
    let regime = regime.map_or(String::new(), |place| format!(" data-regime=\"{place}\""));
    let wrong = if shown.predicted == sample.class {
        ""
    } else {
        " class=\"wrong\""
    };
    Ok(format!(
        "<figure{regime}>{}{}<figcaption><strong>{}</strong><br><span{wrong}>{}</span></figcaption>\
         </figure>\n",
        map::words(sample, shown)?,
        map::saliency(sample, shown, id)?,
        escape(&shown.regime),
        escape(&answer(shown))
    ))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
