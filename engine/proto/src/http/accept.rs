//! What a request accepts (RFC 9110 section 12.5.3): which of the codings on offer it likes best.
//!
//! Not what they are: names in, a place among them out.

/// The place of the offered coding that `Accept-Encoding` likes best: the heaviest; of equal ones a named one before
/// `*`, then in the order of the header, then in that of the offer. `None` if it accepts none of them.
pub fn preferred_coding(accept: &str, offered: &[&str]) -> Option<usize> {
    let likings = offered.iter().enumerate().filter_map(|(place, coding)| {
        let Liking { weight, is_named, position } = Liking::of(accept, coding)?;
        (weight > 0).then_some(((weight, is_named, usize::MAX - position, usize::MAX - place), place))
    });
    likings.max().map(|(_, place)| place)
}

/// What a header says of one coding.
struct Liking {
    /// In thousandths; 0 if it is not acceptable.
    weight: u32,
    /// By its own name, not by `*`.
    is_named: bool,
    /// Where in the header.
    position: usize,
}

impl Liking {
    fn of(accept: &str, coding: &str) -> Option<Self> {
        let mut found = None;
        for (position, element) in accept.split(',').enumerate() {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_named = name.eq_ignore_ascii_case(coding);
            if !is_named && name != "*" {
                continue;
            }
            let quality =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            let weight = quality.map_or(0, |q: f32| (q.clamp(0.0, 1.0) * 1000.0) as u32);
            let liking = Self { weight, is_named, position };
            if is_named {
                return Some(liking);
            }
            found = Some(liking);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(accept: &str) -> Option<&'static str> {
        let offered = ["br", "gzip", "deflate"];
        preferred_coding(accept, &offered).map(|place| offered[place])
    }

    #[test]
    fn the_heaviest_is_taken() {
        assert_eq!(best("gzip;q=0.2, br;q=0.8"), Some("br"));
        assert_eq!(best("*;q=0.5, gzip;q=0.4"), Some("br"));
        assert_eq!(best("gzip;q=0.1, identity"), Some("gzip"));
    }

    #[test]
    fn of_equal_ones_the_first_named_is_taken() {
        assert_eq!(best("gzip, deflate, br"), Some("gzip"));
        assert_eq!(best("deflate, gzip"), Some("deflate"));
        assert_eq!(best("*, gzip"), Some("gzip"));
        assert_eq!(best("*"), Some("br"));
        assert_eq!(best("GZip"), Some("gzip"));
    }

    #[test]
    fn what_is_not_accepted_is_not_taken() {
        for none in ["", "identity", "zstd", "gzip;q=0", "gzip;q=x", "*;q=0"] {
            assert_eq!(best(none), None, "{none}");
        }
        assert_eq!(best("*, br;q=0"), Some("gzip"));
    }
}
