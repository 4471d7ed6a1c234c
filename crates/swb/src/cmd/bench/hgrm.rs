//! `--hgrm`: latencies by percentile in the text that HdrHistogram writes and its plotters read.
//!
//! ```text
//!        Value     Percentile TotalCount 1/(1-Percentile)
//!
//!     0.063000 0.000000000000          1           1.00
//!     0.180735 0.500000000000       5000           2.00
//! #[Mean    =     0.201300, StdDeviation   =     0.080000]
//! ```
//!
//! Values are in milliseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Points between one halving of the distance to 100 % and the next, as HdrHistogram has them.
const TICKS: u32 = 5;

/// Nanoseconds of a millisecond.
const MILLISECOND: f64 = 1e6;

/// Values that are told apart within a power of two: of three digits.
const SUB_BUCKETS: u32 = 2048;

/// The whole text.
pub(super) fn text(histogram: &Histogram<u64>) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut add = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = text.write_fmt(line);
    };
    let mut total = 0;
    for point in histogram.iter_quantiles(TICKS) {
        total += point.count_since_last_iteration();
        let (value, quantile) = (point.value_iterated_to() as f64, point.quantile_iterated_to());
        let value = value / MILLISECOND;
        if quantile < 1.0 {
            let rest = 1.0 / (1.0 - quantile);
            add(format_args!("{value:>12.6} {quantile:.12} {total:>10} {rest:>14.2}\n"));
        } else {
            add(format_args!("{value:>12.6} {quantile:.12} {total:>10}\n"));
        }
    }
    let (mean, deviation) = (histogram.mean() / MILLISECOND, histogram.stdev() / MILLISECOND);
    let (max, count) = (histogram.max() as f64 / MILLISECOND, histogram.len());
    let buckets = histogram.buckets();
    add(format_args!("#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]\n"));
    add(format_args!("#[Max     = {max:>12.6}, Total count    = {count:>12}]\n"));
    add(format_args!("#[Buckets = {buckets:>12}, SubBuckets     = {SUB_BUCKETS:>12}]\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_what_a_plotter_looks_for() {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for value in 1..=1000 {
            histogram.record(value * 1_000_000).unwrap();
        }
        let text = text(&histogram);
        let lines: Vec<&str> = text.lines().collect();
        let (head, rest) = lines.split_at(2);
        assert_eq!(head[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        let points = rest.iter().take_while(|line| !line.starts_with('#'));
        let points: Vec<Vec<f64>> = points
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        let half = points.iter().find(|point| point[1] == 0.5).unwrap();
        assert!((half[0] - 500.0).abs() < 0.5 && half[2] == 500.0 && half[3] == 2.0, "{half:?}");
        assert!(points.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]));
        let last = points.last().unwrap();
        assert!(last.len() == 3 && last[1] == 1.0 && last[2] == 1000.0, "{last:?}");
        assert!(lines[lines.len() - 2].contains("Total count    =         1000]"), "{text}");
    }
}
