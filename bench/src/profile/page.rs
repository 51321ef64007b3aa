//! The profiles as a page in Markdown: the three largest items of each scene in one table, then each scene in
//! detail. It computes nothing.

use std::fmt::Write as _;

use super::{Item, Profile, Profiles};

/// The whole page.
#[must_use]
pub fn page(profiles: &Profiles) -> String {
    let mut text = format!("{OPENING}{}\n", provenance(profiles));
    text.push_str("| scene | CPU | in user space | the three largest of user space |\n|---|---|---|---|\n");
    for profile in &profiles.profiles {
        let largest: Vec<String> = profile.user.iter().take(3).map(short).collect();
        let _ = writeln!(
            text,
            "| {} | {:.0} ns per {} | {} | {} |",
            profile.title,
            profile.cpu_ns,
            profile.unit,
            percent(profile.user_share),
            largest.join("<br>")
        );
    }
    profiles.profiles.iter().for_each(|profile| text.push_str(&detailed(profile)));
    text
}

/// One scene with all its items.
#[must_use]
pub fn detailed(profile: &Profile) -> String {
    let Profile { title, unit, cpu_ns, samples, user_share, .. } = profile;
    let mut text = format!(
        "\n## {title}\n\n{samples} samples, {cpu_ns:.0} ns per {unit}: {} in user space, {} in the kernel.\n\n",
        percent(*user_share),
        percent(1.0 - user_share)
    );
    let _ = writeln!(text, "| user space | of all | of user | ns per {unit} | where most | why |");
    text.push_str("|---|---|---|---|---|---|\n");
    for item in &profile.user {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {:.1} | {} | {} |",
            item.name,
            percent(item.of_all),
            percent(item.of_side),
            item.ns,
            item.line,
            item.reason
        );
    }
    let kernel: Vec<String> = profile.kernel.iter().map(short).collect();
    let _ = writeln!(text, "\nKernel: {}.", kernel.join(", "));
    text
}

fn short(item: &Item) -> String {
    format!("`{}` {}", item.name, percent(item.of_all))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn provenance(profiles: &Profiles) -> String {
    let known = |name: &str| profiles.provenance.machine.get(name).map_or("?", String::as_str);
    let commit = profiles.provenance.versions.get("commit").map_or("?", String::as_str);
    format!(
        "{}, commit {commit}: {} cores of {}, Linux {}, TCP by {}.\n",
        profiles.provenance.date,
        known("cores"),
        known("cpu"),
        known("kernel"),
        known("congestion control")
    )
}

const OPENING: &str = "# Where the time goes

Written by `cargo run --release -p socketville-bench --bin profile`, and never by hand: `perf` samples the server, on core 0, while the
swarm on core 1 plays the loads of the comparison. Shares are of all samples unless they say otherwise. A sample counts for the innermost
function of the engine that it is in; inlined ones are told apart. Sampling costs a few per cent itself: for what a server costs, see the comparison.

";

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Profiles {
        let item =
            |name: &str, of_all: f64| Item { name: name.into(), of_all, of_side: of_all, ..Item::default() };
        let profile = Profile {
            title: "50 a second".into(),
            unit: "delivery".into(),
            cpu_ns: 4000.0,
            samples: 100,
            user_share: 0.1,
            user: vec![item("a", 0.04), item("b", 0.03), item("c", 0.02), item("d", 0.01)],
            kernel: vec![item("tcp_ack", 0.2)],
            ..Profile::default()
        };
        Profiles { profiles: vec![profile], ..Profiles::default() }
    }

    #[test]
    fn the_page_names_the_three_largest_and_details_all() {
        let page = page(&made());
        assert!(
            page.contains(
                "| 50 a second | 4000 ns per delivery | 10.0 % | `a` 4.0 %<br>`b` 3.0 %<br>`c` 2.0 % |"
            ),
            "{page}"
        );
        assert!(page.contains("| `d` | 1.0 % |") && page.contains("Kernel: `tcp_ack` 20.0 %."), "{page}");
    }
}
