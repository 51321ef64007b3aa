//! Latencies in a fixed table: 32 steps per power of two, so that a quantile is at most 3 % too high. Not a
//! general histogram library.

/// Counts of durations in ns.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        if let Some(count) = self.counts.get_mut(bucket(ns)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// How many were counted.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The duration in ns that `share` (0 to 1) of all do not exceed; 0 if there are none.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> u64 {
        let goal = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        for (index, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= goal {
                return upper_ns(index);
            }
        }
        0
    }
}

/// Steps per power of two, as a power of two.
const STEP_BITS: u32 = 5;
const STEPS: u64 = 1 << STEP_BITS;
/// Enough for every u64.
const BUCKETS: usize = ((64 - STEP_BITS as usize) + 1) << STEP_BITS;

#[inline]
fn bucket(ns: u64) -> usize {
    let shift = (64 - ns.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (ns >> shift)) as usize
}

/// The largest duration of a bucket.
fn upper_ns(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / STEPS).saturating_sub(1);
    let step = index - shift * STEPS;
    ((step + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_a_bucket_that_is_at_most_3_percent_wide() {
        for ns in (0..100_000u64).chain([1 << 30, (1 << 40) + 12_345, u64::MAX]) {
            let upper = upper_ns(bucket(ns));
            assert!(upper >= ns, "{ns} above {upper}");
            assert!((upper - ns) as f64 <= ns as f64 / 31.0, "{ns} far below {upper}");
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::default();
        (1..=1000u64).for_each(|us| histogram.record(us * 1000));
        let p50 = histogram.quantile_ns(0.5);
        assert!((500_000..=516_000).contains(&p50), "{p50}");
        let p99 = histogram.quantile_ns(0.99);
        assert!((990_000..=1_023_000).contains(&p99), "{p99}");
        histogram.clear();
        assert!(histogram.is_empty());
        assert_eq!(histogram.quantile_ns(0.5), 0);
    }
}
