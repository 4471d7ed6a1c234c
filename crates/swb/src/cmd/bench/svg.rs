//! `--svg`: latency by percentile, drawn. To the right of the middle of a usual axis of percentiles
//! there is nothing to be seen; here each nine more has the same width.

use std::fmt::Write;

use hdrhistogram::Histogram;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
/// The field of the curves: its left, top, right and bottom edge.
const FIELD: [f64; 4] = [84.0, 104.0, 826.0, 416.0];

/// The most lines that the axis of times has.
const LINES_MAX: f64 = 6.0;

/// Points between one halving of the distance to 100 % and the next.
const TICKS: u32 = 10;

/// Light, and dark where the reader's screen is.
const STYLE: &str = "svg{background:#fff;font:13px system-ui,sans-serif;fill:#24292f}\
    .t{font-size:17px;font-weight:600}.s{fill:#59636e}.g{stroke:#d8dee4}\
    .c{fill:none;stroke-width:2;stroke-linejoin:round}.c0{stroke:#0969da}.c1{stroke:#bc4c00}\
    @media(prefers-color-scheme:dark){svg{background:#0d1117;fill:#e6edf3}.s{fill:#9198a1}\
    .g{stroke:#30363d}.c0{stroke:#58a6ff}.c1{stroke:#f0883e}}";

/// A drawing of some curves, each with its name.
pub(super) fn text(title: &str, below: &[String], curves: &[(&str, &Histogram<u64>)]) -> String {
    let count = curves.iter().map(|(_, histogram)| histogram.len()).max().unwrap_or(0);
    // So many nines as there are messages for: of ten thousand the slowest one is 99.99 %.
    let nines = (count.max(10) as f64).log10().ceil();
    let max = curves.iter().map(|(_, histogram)| histogram.max()).max().unwrap_or(0);
    let times = Times::new(max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n",
        title = escape(title)
    );
    let [left, top, right, bottom] = FIELD;
    let mut draw = Drawing { svg: &mut svg, nines, times };
    draw.words(left, 30.0, "start", "t", title);
    for (y, line) in [50.0, 68.0].into_iter().zip(below) {
        draw.words(left, y, "start", "s", line);
    }
    draw.grid();
    for (index, (name, histogram)) in curves.iter().enumerate() {
        draw.curve(index, histogram);
        let x = left + 100.0 * index as f64;
        draw.add(format_args!(
            "<path class=\"c c{index}\" d=\"M{x:.1} {y}h22\"/>\n",
            y = top - 16.0
        ));
        draw.words(x + 28.0, top - 12.0, "start", "", name);
    }
    draw.words((left + right) / 2.0, bottom + 46.0, "middle", "s", "percentile of the messages");
    svg.push_str("</svg>\n");
    svg
}

struct Drawing<'a> {
    svg: &'a mut String,
    nines: f64,
    times: Times,
}

impl Drawing<'_> {
    fn grid(&mut self) {
        let [left, top, right, bottom] = FIELD;
        for line in 0..=self.times.lines {
            let y = self.y(f64::from(line) * self.times.step);
            self.add(format_args!("<path class=\"g\" d=\"M{left} {y:.1}H{right}\"/>\n"));
            let text = self.times.label(line);
            self.words(left - 8.0, y + 4.0, "end", "s", &text);
        }
        let mut quantile = 0.0;
        for nine in 0..10_i32 {
            let x = self.x(quantile);
            if f64::from(nine) > self.nines {
                break;
            }
            self.add(format_args!("<path class=\"g\" d=\"M{x:.1} {top}V{bottom}\"/>\n"));
            let digits = usize::try_from(nine - 2).unwrap_or(0);
            self.words(x, bottom + 20.0, "middle", "s", &format!("{:.digits$}%", quantile * 100.0));
            quantile = 1.0 - 0.1_f64.powi(nine + 1);
        }
        let unit = format!("latency, {}", self.times.unit);
        let middle = (top + bottom) / 2.0;
        self.add(format_args!(
            "<text class=\"s\" text-anchor=\"middle\" transform=\"translate(22 {middle}) \
             rotate(-90)\">{unit}</text>\n"
        ));
    }

    fn curve(&mut self, index: usize, histogram: &Histogram<u64>) {
        let mut path = String::new();
        for point in histogram.iter_quantiles(TICKS) {
            let x = self.x(point.quantile_iterated_to());
            let y = self.y(point.value_iterated_to().min(histogram.max()) as f64);
            let verb = if path.is_empty() { 'M' } else { 'L' };
            path.push_str(&format!("{verb}{x:.1} {y:.1}"));
        }
        self.add(format_args!("<path class=\"c c{index}\" d=\"{path}\"/>\n"));
    }

    fn words(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">\
             {text}</text>\n"
        ));
    }

    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.svg.write_fmt(what);
    }

    fn x(&self, quantile: f64) -> f64 {
        let nines = -(1.0 - quantile).max(1e-12).log10();
        FIELD[0] + (FIELD[2] - FIELD[0]) * nines.min(self.nines) / self.nines
    }

    fn y(&self, nanoseconds: f64) -> f64 {
        let top = f64::from(self.times.lines) * self.times.step;
        FIELD[3] - (FIELD[3] - FIELD[1]) * nanoseconds / top
    }
}

/// The axis of times.
struct Times {
    unit: &'static str,
    /// Nanoseconds of the unit.
    scale: f64,
    /// Nanoseconds from one line to the next.
    step: f64,
    lines: u32,
}

impl Times {
    /// Lines at round numbers, the last at or above `max` nanoseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a few")]
    fn new(max: u64) -> Times {
        let (unit, scale) = match max {
            0..1_000_000 => ("microseconds", 1e3),
            1_000_000..1_000_000_000 => ("milliseconds", 1e6),
            _ => ("seconds", 1e9),
        };
        let max = (max as f64 / scale).max(1e-3);
        let rough = max / LINES_MAX;
        let ten = 10_f64.powf(rough.log10().floor());
        let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * ten);
        let step = round.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * ten);
        Times { unit, scale, step: step * scale, lines: (max / step).ceil() as u32 }
    }

    fn label(&self, line: u32) -> String {
        let value = f64::from(line) * self.step / self.scale;
        // Enough digits for a step of 0.25, and none that say nothing.
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_at_round_numbers_up_to_the_largest() {
        let labels = |max| {
            let times = Times::new(max);
            let labels = (0..=times.lines).map(|line| times.label(line)).collect::<Vec<_>>();
            (times.unit, labels.join(" "))
        };
        assert_eq!(labels(5_100_000), ("milliseconds", "0 1 2 3 4 5 6".to_owned()));
        assert_eq!(labels(250_000), ("microseconds", "0 50 100 150 200 250".to_owned()));
        assert_eq!(labels(1_400_000_000), ("seconds", "0 0.25 0.5 0.75 1 1.25 1.5".to_owned()));
        assert_eq!(labels(0).0, "microseconds");
    }

    #[test]
    fn a_drawing_has_its_curves_and_says_what_they_are() {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for value in 1..=10_000 {
            histogram.record(value * 1000).unwrap();
        }
        let below = ["one".to_owned(), "two".to_owned()];
        let text = text("a < b & c", &below, &[("latency", &histogram), ("service", &histogram)]);
        for part in [
            "a &lt; b &amp; c",
            ">one<",
            ">two<",
            ">99.99%<",
            "latency, milliseconds",
            "c c0",
            "c c1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("99.999%") && !text.contains("NaN") && !text.contains("inf"));
    }
}
