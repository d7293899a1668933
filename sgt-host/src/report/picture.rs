//! PNG pictures of samples and of saliency maps.

use crate::{Error, Result};

/// The colour of values that raise the score, on any background.
pub const POSITIVE: [u8; 3] = [0xe3, 0x49, 0x48];
/// The colour of values that lower it.
pub const NEGATIVE: [u8; 3] = [0x2a, 0x78, 0xd6];

/// The share of the largest magnitudes that are drawn at full strength: a single outlier would
/// otherwise hide the rest of a map.
const SATURATED: f32 = 0.01;

/// Red, green, blue and opacity, row after row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A map `[height, width]`: colour tells the sign, opacity the magnitude relative to the
    /// strongest of the map. It can lie on any background.
    ///
    /// # Errors
    /// [`Error::Shape`] when the values are not `width · height`.
    pub fn saliency(values: &[f32], width: usize, height: usize) -> Result<Self> {
        Self::saliency_on_scale(values, width, height, strongest(values))
    }

    /// As [`Picture::saliency`], with the magnitude that is drawn at full strength given, so that
    /// parts of one map share a scale.
    ///
    /// # Errors
    /// As [`Picture::saliency`].
    pub fn saliency_on_scale(
        values: &[f32],
        width: usize,
        height: usize,
        full: f32,
    ) -> Result<Self> {
        check(values.len(), width * height)?;
        let mut pixels = Vec::with_capacity(4 * values.len());
        for &value in values {
            let share = if full > 0.0 {
                (value.abs() / full).min(1.0)
            } else {
                0.0
            };
            pixels.extend(if value < 0.0 { NEGATIVE } else { POSITIVE });
            pixels.push(byte(share));
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// A sample `[channels, height, width]` with values from `low` (black) to `high`: grey for
    /// one channel, red, green and blue for three, the channel mean in grey otherwise.
    ///
    /// # Errors
    /// [`Error::Shape`] when the values are not `channels · width · height`.
    pub fn image(
        values: &[f32],
        channels: usize,
        width: usize,
        height: usize,
        (low, high): (f32, f32),
    ) -> Result<Self> {
        check(values.len(), channels * width * height)?;
        let span = if high > low { high - low } else { 1.0 };
        let plane = width * height;
        let mut pixels = Vec::with_capacity(4 * plane);
        for place in 0..plane {
            let at = |channel: usize| byte((values[channel * plane + place] - low) / span);
            if channels == 3 {
                pixels.extend([at(0), at(1), at(2)]);
            } else {
                let sum: f32 = (0..channels).map(|c| values[c * plane + place]).sum();
                pixels.extend([byte((sum / channels as f32 - low) / span); 3]);
            }
            pixels.push(u8::MAX);
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// [`Error::Shape`] for a picture without pixels.
    pub fn png(&self) -> Result<Vec<u8>> {
        let refused = |reason: png::EncodingError| Error::Shape {
            operation: "PNG",
            found: format!("{} × {} pixels ({reason})", self.width, self.height),
            expected: "at least one pixel".into(),
        };
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(refused)?;
        writer.write_image_data(&self.pixels).map_err(refused)?;
        writer.finish().map_err(refused)?;
        Ok(file)
    }

    /// The picture as a `data:` address, to be put into a page.
    ///
    /// # Errors
    /// As [`Picture::png`].
    pub fn data_uri(&self) -> Result<String> {
        Ok(format!(
            "data:image/png;base64,{}",
            super::text::base64(&self.png()?)
        ))
    }
}

/// The magnitude that only the share `SATURATED` of the values exceeds.
pub fn strongest(values: &[f32]) -> f32 {
    let mut magnitudes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    magnitudes.sort_by(f32::total_cmp);
    let cut = (SATURATED * magnitudes.len() as f32) as usize;
    let strong = magnitudes.iter().rev().nth(cut).copied().unwrap_or(0.0);
    // A map with fewer nonzero values than that share is drawn by its largest.
    if strong > 0.0 {
        strong
    } else {
        magnitudes.last().copied().unwrap_or(0.0)
    }
}

fn byte(share: f32) -> u8 {
    (255.0 * share.clamp(0.0, 1.0)).round() as u8
}

fn check(found: usize, expected: usize) -> Result<()> {
    if found == expected && found > 0 {
        return Ok(());
    }
    Err(Error::Shape {
        operation: "picture",
        found: format!("{found} values"),
        expected: format!("{expected}, at least one"),
    })
}
