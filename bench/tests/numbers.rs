//! The README and the plot say what the results say: whoever measures again writes both with `numbers`.

use socketville_bench::contestants::bench_folder;
use socketville_bench::results::Results;
use socketville_bench::{plot, readme};

fn results() -> Results {
    Results::read(&bench_folder().join(readme::RESULTS)).expect("the results that the project quotes")
}

#[test]
fn the_readme_has_the_numbers_of_the_results() {
    let text = std::fs::read_to_string(bench_folder().join("../README.md")).expect("a README");
    let made = readme::with_numbers(&text, &results()).expect("markers");
    assert!(text == made, "run `cargo run --release -p socketville-bench --bin numbers`");
}

#[test]
fn the_plot_is_of_the_results() {
    let text = std::fs::read_to_string(bench_folder().join(readme::PLOT)).expect("a plot");
    assert!(text == plot::svg(&results()), "run `cargo run --release -p socketville-bench --bin numbers`");
}
