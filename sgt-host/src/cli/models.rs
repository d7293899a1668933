//! `sgt models`.

use super::list::trimmed;
use super::output::Output;
use super::sample::SampleAxes;
use crate::evaluation::grouped;
use crate::network::named::{self, Named, NetworkSizes, Reads};
use crate::network::{Description, Gaps, InputShape, Layer, LayerSummary, SeriesOrder, Shape};
use crate::{Error, Result, file};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A network by name, or the TOML file of a description; the list of names without.
    #[arg(value_name = "NAME|FILE.toml")]
    network: Option<String>,
    /// One sample: 9x128 (channels x steps, tokens x dimensions) or 3x32x32 (channels x rows x
    /// columns) [default: 9x128, 50x100 or 1x28x28, as the network reads].
    #[arg(long, value_name = "SHAPE", requires = "network")]
    input: Option<SampleAxes>,
    /// The number of classes [default: 6 for series, 2 for text, 10 for images].
    #[arg(long, value_name = "N", requires = "network")]
    classes: Option<usize>,
    /// The sizes of a named network's hidden layers, 32,64 for example.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = trimmed::<usize>, requires = "network")]
    hidden: Vec<usize>,
    /// Print the description as TOML, to start a network of one's own from.
    #[arg(long, requires = "network")]
    toml: bool,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let Some(network) = &arguments.network else {
        let listing = Listing::new();
        output.print(&listing, || listing.text())?;
        return Ok(ExitCode::SUCCESS);
    };
    let description = if is_file(network) {
        from_file(network, arguments)?
    } else {
        by_name(network, arguments)?
    };
    if arguments.toml {
        let toml = description.to_toml()?;
        output.print(&description, || toml.trim_end().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let table = Table::new(&description)?;
    output.print(&table, || table.text())?;
    Ok(ExitCode::SUCCESS)
}

fn is_file(network: &str) -> bool {
    Path::new(network)
        .extension()
        .is_some_and(|ending| ending == "toml")
}

/// What a network is shown with when nothing else is said.
fn example(reads: Reads) -> (InputShape, usize) {
    match reads {
        Reads::Images => (InputShape::image(1, 28, 28), 10),
        Reads::Series(order) => (InputShape::series(128, 9).ordered(order), 6),
        Reads::Tokens => (InputShape::tokens(50, 100), 2),
    }
}

/// The input with these axes in files, for a network that reads `reads`.
fn input_shape(reads: Reads, axes: &[usize]) -> Result<InputShape> {
    Ok(match (reads, axes) {
        (Reads::Images, &[channels, height, width]) => InputShape::image(channels, height, width),
        (Reads::Series(order), &[channels, steps]) => {
            InputShape::series(steps, channels).ordered(order)
        }
        (Reads::Tokens, &[tokens, dim]) => InputShape::tokens(tokens, dim),
        _ => {
            let expected = match reads {
                Reads::Images => "channels x rows x columns, 3x32x32 for example",
                Reads::Series(_) => "channels x steps, 9x128 for example",
                Reads::Tokens => "tokens x dimensions, 50x100 for example",
            };
            return Err(Error::Argument {
                argument: "--input".into(),
                found: format!("{} axes", axes.len()),
                expected: expected.into(),
            });
        }
    })
}

fn by_name(name: &str, arguments: &Arguments) -> Result<Description> {
    let reads = named::find(name)?.reads;
    let (input, classes) = example(reads);
    let input = match &arguments.input {
        Some(axes) => input_shape(reads, &axes.0)?,
        None => input,
    };
    let sizes = NetworkSizes {
        input,
        classes: arguments.classes.unwrap_or(classes),
        hidden: arguments.hidden.clone(),
    };
    named::description(name, &sizes)
}

/// The description in a file, what it leaves to the data taken from the arguments.
fn from_file(name: &str, arguments: &Arguments) -> Result<Description> {
    if !arguments.hidden.is_empty() {
        return Err(Error::Argument {
            argument: "--hidden".into(),
            found: format!("{:?} for {name}", arguments.hidden),
            expected: "a network by name; the layers of a file have their own sizes".into(),
        });
    }
    let path = Path::new(name);
    let whole = Description::read(path, None);
    if arguments.input.is_none() && arguments.classes.is_none() && whole.is_ok() {
        return whole;
    }
    let Some(table) = table(path) else {
        return whole;
    };
    let own = table.get("input").cloned();
    let Ok(own) = own.map(toml::Value::try_into).transpose() else {
        return whole;
    };
    let input = match (&arguments.input, own) {
        (Some(axes), own) => {
            let reads = match (own, axes.0.len()) {
                (_, 3) => Reads::Images,
                (Some(InputShape::Tokens { .. }), _) => Reads::Tokens,
                _ => Reads::Series(SeriesOrder::StepsFirst),
            };
            input_shape(reads, &axes.0)?
        }
        (None, Some(own)) => own,
        (None, None) => {
            return Err(Error::Argument {
                argument: "--input".into(),
                found: format!("none, and no input in {name}"),
                expected: "the axes of a sample, 9x128 or 3x32x32 for example".into(),
            });
        }
    };
    let (_, usual) = example(match input {
        InputShape::Image { .. } => Reads::Images,
        InputShape::Series { order, .. } => Reads::Series(order),
        InputShape::Tokens { .. } => Reads::Tokens,
    });
    let own = whole.as_ref().ok().and_then(|own| own.classes().ok());
    let gaps = Gaps {
        input,
        classes: arguments.classes.or(own).unwrap_or(usual),
    };
    Description::read(path, Some(gaps))
}

/// The content of a TOML file, where it is one.
fn table(path: &Path) -> Option<toml::Table> {
    let text = String::from_utf8(file::read(path).ok()?).ok()?;
    text.parse().ok()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    models: Vec<Model>,
    layer_kinds: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Model {
    name: &'static str,
    reads: &'static str,
    layers: &'static str,
    hidden: &'static [usize],
    sizes: &'static str,
    any_length: bool,
}

impl Listing {
    fn new() -> Self {
        let model = |named: &Named| Model {
            name: named.name,
            reads: match named.reads {
                Reads::Images => "images",
                Reads::Series(_) => "series",
                Reads::Tokens => "embedded text",
            },
            layers: named.layers,
            hidden: named.hidden,
            sizes: named.sizes,
            any_length: named.any_length,
        };
        Self {
            models: named::ALL.iter().map(model).collect(),
            layer_kinds: Layer::KINDS,
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for model in &self.models {
            let hidden: Vec<String> = model.hidden.iter().map(usize::to_string).collect();
            let length = if model.any_length {
                "; any number of them"
            } else {
                ""
            };
            lines.push(format!(
                "{:<16} reads {}: {}",
                model.name, model.reads, model.layers
            ));
            lines.push(format!(
                "{:16} hidden {}: {}{length}",
                "",
                hidden.join(","),
                model.sizes
            ));
        }
        lines.push(String::new());
        lines.push(format!(
            "layers of a FILE.toml: {}",
            self.layer_kinds.join(", ")
        ));
        lines.push("sgt models NAME shows a network, --toml writes it as a FILE.toml.".into());
        lines.join("\n")
    }
}

/// A network, layer by layer.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Table<'d> {
    name: &'d str,
    input: InputShape,
    classes: usize,
    skip_padding: bool,
    layers: Vec<Row<'d>>,
    parameters: usize,
    multiplications: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'d> {
    number: usize,
    kind: &'static str,
    name: &'d str,
    /// Residual blocks around it.
    depth: usize,
    /// Positions, then channels.
    output: Vec<usize>,
    parameters: usize,
    multiplications: usize,
}

impl<'d> Table<'d> {
    fn new(description: &'d Description) -> Result<Self> {
        let summaries = description.summary()?;
        let rows = summaries.iter().enumerate();
        let layers: Vec<Row<'d>> = rows
            .map(|(index, summary)| Row::new(index, summary))
            .collect();
        Ok(Self {
            name: &description.name,
            input: description.input,
            classes: description.classes()?,
            skip_padding: description.skip_padding,
            parameters: layers.iter().map(|row| row.parameters).sum(),
            multiplications: layers.iter().map(|row| row.multiplications).sum(),
            layers,
        })
    }

    fn text(&self) -> String {
        let padding = if self.skip_padding {
            "; padding is skipped"
        } else {
            ""
        };
        let title = format!(
            "{}: {} to {} classes{padding}",
            self.name, self.input, self.classes
        );
        let heads = [
            "",
            "kind",
            "name",
            "positions × channels",
            "parameters",
            "multiplications",
        ];
        let mut cells = vec![heads.map(str::to_string)];
        cells.extend(self.layers.iter().map(Row::cells));
        cells.push([
            String::new(),
            "total".into(),
            String::new(),
            String::new(),
            grouped(self.parameters),
            grouped(self.multiplications),
        ]);
        let width = |column: usize| {
            let cells = cells.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut lines = vec![title];
        for row in &cells {
            let columns = row.iter().zip(widths).enumerate();
            let columns = columns.map(|(column, (cell, width))| match column {
                1 | 2 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let line = columns.collect::<Vec<_>>().join("  ");
            lines.push(line.trim_end().to_string());
        }
        lines.join("\n")
    }
}

impl<'d> Row<'d> {
    fn new(index: usize, summary: &LayerSummary<'d>) -> Self {
        Self {
            number: index + 1,
            kind: summary.layer.kind(),
            name: summary.layer.name(),
            depth: summary.depth,
            output: match summary.output {
                Shape::Vector { features } => vec![features],
                Shape::Series { steps, channels } => vec![steps, channels],
                Shape::Image {
                    height,
                    width,
                    channels,
                } => vec![height, width, channels],
            },
            parameters: summary.parameter_count(),
            multiplications: summary.cost.operations,
        }
    }

    fn cells(&self) -> [String; 6] {
        let output: Vec<String> = self.output.iter().map(usize::to_string).collect();
        [
            self.number.to_string(),
            format!("{}{}", "  ".repeat(self.depth), self.kind),
            self.name.to_string(),
            output.join(" × "),
            grouped(self.parameters),
            grouped(self.multiplications),
        ]
    }
}
