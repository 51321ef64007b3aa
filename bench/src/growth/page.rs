//! The tables of bench/SCALE.md, written between markers from the results, and never by hand. It knows no other part of
//! the page.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::results::{ClientsPoint, Growth, Load, MembershipsPoint, RoomsPoint};
use super::sums;

/// The page with its tables and sums made anew.
///
/// # Errors
/// When markers are missing.
pub fn with_numbers(page: &str, growth: &Growth) -> Result<String> {
    let page = between(page, "tables", &tables(growth))?;
    between(&page, "sums", &sums::table(growth)?)
}

fn between(page: &str, name: &str, text: &str) -> Result<String> {
    let begin = format!("<!-- {name}: written by `growth numbers`, from bench/results -->");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = page.split_once(&begin).with_context(|| format!("SCALE.md lacks {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("SCALE.md lacks {end}"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

/// All tables.
#[must_use]
pub fn tables(growth: &Growth) -> String {
    let mut text = provenance(growth);
    let _ = write!(
        text,
        "\n**Clients.** One broadcast to all, paced; about as many deliveries a second at each size.\n\n{CLIENTS_HEAD}"
    );
    growth.clients.iter().for_each(|point| text.push_str(&clients_row(point)));
    let _ = write!(
        text,
        "\nA ping and its pong cost the server {} us ({} clients, one each {} ms).\n",
        number(growth.heartbeat.cpu_us),
        growth.heartbeat.clients,
        growth.heartbeat.interval_ms
    );
    let _ = write!(text, "\n**Rooms.** One room after another hears a message.\n\n{ROOMS_HEAD}");
    growth.rooms.iter().for_each(|point| text.push_str(&rooms_row(point)));
    let _ = write!(text, "\n**Rooms of a client.** All clients are in the same rooms.\n\n{MEMBERSHIPS_HEAD}");
    growth.memberships.iter().for_each(|point| text.push_str(&memberships_row(point)));
    text
}

fn provenance(growth: &Growth) -> String {
    let machine = |name: &str| growth.machine.get(name).map_or("?", String::as_str);
    let versions: Vec<String> =
        growth.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "Measured {}: {} cores of {}, {}, Linux {}; {}. Again: `{}`.\n",
        growth.date,
        machine("cores"),
        machine("cpu"),
        machine("memory"),
        machine("kernel"),
        versions.join(", "),
        growth.command
    )
}

fn clients_row(point: &ClientsPoint) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        grouped(point.clients),
        point.name,
        point.rings,
        cost(&point.load),
        number(point.load.rate),
        ages(point),
        number(point.connect_us),
        number(point.user_bytes),
        point.kernel_bytes.map_or_else(|| "–".to_owned(), number),
        point.descriptors
    )
}

/// Median and 99th percentile: where the first is above the time between two messages, some left in one send.
fn ages(point: &ClientsPoint) -> String {
    let ms = |us: Option<f64>| us.map_or_else(|| "–".to_owned(), |us| number(us / 1e3));
    format!("{} / {}", ms(point.p50_us), ms(point.p99_us))
}

fn rooms_row(point: &RoomsPoint) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        grouped(point.rooms),
        grouped(point.members),
        point.rooms_each,
        cost(&point.load),
        point.same.as_ref().map_or_else(|| "–".to_owned(), cost),
        if point.load.quotable().is_some() { number(point.message_us) } else { "–".to_owned() },
        number(point.join_us),
        number(point.room_bytes),
        number(point.membership_bytes)
    )
}

fn memberships_row(point: &MembershipsPoint) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        grouped(point.rooms_each),
        cost(&point.all),
        cost(&point.room),
        cost(&point.union),
        number(point.join_us),
        number(point.leave_us),
        number(point.membership_bytes)
    )
}

/// CPU per delivery, or why there is none.
fn cost(load: &Load) -> String {
    load.quotable().map_or_else(|| format!("({})", load.verdict), number)
}

/// Three digits that count.
#[must_use]
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 && value < 0.0 => format!("-{}", grouped(size.round() as usize)),
        size if size >= 1000.0 => grouped(size.round() as usize),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Digits in threes.
#[must_use]
pub(super) fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

const CLIENTS_HEAD: &str = "\
| clients | server | rings | CPU us per delivery | deliveries/s | age ms, p50 / p99 | CPU us per connect | user B per client | kernel B per client | descriptors |
|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|
";
const ROOMS_HEAD: &str = "\
| rooms | clients of a room | rooms of a client | CPU us per delivery | to the first room only | CPU us per message | CPU us per join | B per room | B per membership |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";
const MEMBERSHIPS_HEAD: &str = "\
| rooms of a client | to all: CPU us per delivery | to one room | to the union of all | CPU us per join | CPU us per leaving client | B per membership |
|---:|---:|---:|---:|---:|---:|---:|
";

#[cfg(test)]
mod tests {
    use super::super::results::tests::made;
    use super::*;

    const PAGE: &str = "# Top\n<!-- tables: written by `growth numbers`, from bench/results -->\nold\n<!-- end of tables -->\nmiddle\n\
                        <!-- sums: written by `growth numbers`, from bench/results -->\n<!-- end of sums -->\nbottom\n";

    #[test]
    fn numbers_are_written_between_the_markers_and_twice_is_once() {
        let once = with_numbers(PAGE, &made()).expect("markers");
        assert!(once.starts_with("# Top\n") && once.contains("\nmiddle\n") && once.ends_with("\nbottom\n"));
        assert!(!once.contains("old") && once.contains("| 57 000 | ours | 1 | 11.0 |"));
        assert!(once.contains("(void)"), "what was void has no figure");
        assert_eq!(with_numbers(&once, &made()).expect("markers"), once);
        assert!(with_numbers("# Top\n", &made()).is_err());
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!(
            [0, 999, 1000, 57_000, 1_000_000].map(grouped),
            ["0", "999", "1 000", "57 000", "1 000 000"]
        );
        assert_eq!(
            [0.123, 12.34, 456.7, 2345.6, -1234.0].map(number),
            ["0.12", "12.3", "457", "2 346", "-1 234"]
        );
    }
}
