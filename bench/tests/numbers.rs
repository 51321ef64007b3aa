//! The README and the plot say what the results say: whoever measures again writes both with `compare numbers`.

use socketville_bench::numbers::{self, Numbers};

#[test]
fn the_readme_and_the_plot_have_the_numbers_of_the_results() {
    let is_current = numbers::make(Numbers::Check).expect("results, README, markers");
    assert!(is_current, "run `cargo run --release -p socketville-bench --bin compare -- numbers`");
}
