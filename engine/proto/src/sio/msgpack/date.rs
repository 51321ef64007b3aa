//! Dates as the clients' language writes them: `2012-04-23T18:25:43.511Z`, there and back. It is not a calendar: one form.

use std::io::Write;

/// Milliseconds from 1970 that the clients' dates reach, either way (ECMA-262, "Time Values and Time Range").
const MS_MAX: i128 = 8_640_000_000_000_000;

const MS_PER_DAY: i128 = 86_400_000;

/// Appends a moment as a JSON string; null if the clients' dates do not reach it.
pub(super) fn write_date(out: &mut Vec<u8>, ms: i128) {
    if ms.abs() > MS_MAX {
        return out.extend_from_slice(b"null");
    }
    let (days, ms) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let written = match year {
        0..=9999 => write!(out, "\"{year:04}"),
        10_000.. => write!(out, "\"+{year:06}"),
        _ => write!(out, "\"-{:06}", -year),
    };
    let rest = write!(out, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z\"");
    debug_assert!(written.is_ok() && rest.is_ok(), "memory takes everything");
}

/// The moment of a text that [`write_date`] has written, without its quotes; `None` for any other.
pub(super) fn read_date(text: &[u8]) -> Option<i128> {
    let number = |digits: &[u8]| str::from_utf8(digits).ok()?.parse::<i128>().ok();
    let (year, rest) = text.split_at_checked(if matches!(text.first()?, b'+' | b'-') { 7 } else { 4 })?;
    let [b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', ms @ .., b'Z'] = rest
    else {
        return None;
    };
    let days = day_of(number(year)?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let minutes = number(&[*h1, *h2])? * 60 + number(&[*n1, *n2])?;
    let moment = days * MS_PER_DAY + (minutes * 60 + number(&[*s1, *s2])?) * 1000 + number(ms)?;
    let mut written = Vec::new();
    write_date(&mut written, moment);
    (written.get(1..written.len() - 1) == Some(text)).then_some(moment)
}

/// The day of a date, counted from 1970-01-01: the way back of [`civil`].
const fn day_of(year: i128, month: i128, day: i128) -> i128 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) }; // from March
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar: by eras of 400 years that begin in March, so that
/// a leap day is the last of its year.
const fn civil(days: i128) -> (i128, i128, i128) {
    let shifted = days + 719_468; // days from 0000-03-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153; // counted from March
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ECMA-262, "Date Time String Format"; the expected texts are `new Date(ms).toISOString()`.
    #[test]
    fn dates_are_written_as_the_clients_language_writes_them() {
        let dates = [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (1_335_205_543_511, "\"2012-04-23T18:25:43.511Z\""),
            (951_782_400_000, "\"2000-02-29T00:00:00.000Z\""),
            (-1, "\"1969-12-31T23:59:59.999Z\""),
            (-62_198_755_200_000, "\"-000001-01-01T00:00:00.000Z\""),
            (-62_167_219_200_000, "\"0000-01-01T00:00:00.000Z\""),
            (253_402_300_800_000, "\"+010000-01-01T00:00:00.000Z\""),
            (MS_MAX, "\"+275760-09-13T00:00:00.000Z\""),
            (-MS_MAX, "\"-271821-04-20T00:00:00.000Z\""),
            (MS_MAX + 1, "null"),
            (-MS_MAX - 1, "null"),
        ];
        for (ms, text) in dates {
            let mut out = Vec::new();
            write_date(&mut out, ms);
            assert_eq!(String::from_utf8(out).unwrap(), text, "{ms}");
            let inside = text.trim_matches('"').as_bytes();
            assert_eq!(read_date(inside), Some(ms).filter(|_| text != "null"), "{text}");
        }
        for text in [
            "",
            "null",
            "2012-04-23",
            "2012-13-01T00:00:00.000Z",
            "2012-02-30T00:00:00.000Z",
            "02012-01-01T00:00:00.000Z",
            "2012-01-01T24:00:00.000Z",
            "2012-01-01T00:00:00.0Z",
            "+02012-01-01T00:00:00.000Z",
            "2012-01-01T00:00:00.000Z ",
        ] {
            assert_eq!(read_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_day_is_there_and_back() {
        for days in (-200_000..200_000).step_by(7).chain(-800..800) {
            let (year, month, day) = civil(days);
            assert_eq!(day_of(year, month, day), days);
        }
    }
}
