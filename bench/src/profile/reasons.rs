//! Why an item is where it is: one sentence for each that was among the largest when the profiles were read. Who
//! reads new profiles and finds a large item without a reason looks for one, and writes it here.

/// The reason for an item, or nothing.
pub(super) fn reason(name: &str) -> &'static str {
    REASONS.iter().find(|(known, _)| name == *known).map_or("", |(_, reason)| reason)
}

const REASONS: &[(&str, &str)] = &[];
