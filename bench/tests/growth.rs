//! SCALE.md and its picture say what the results say: whoever measures again writes both with `growth numbers`.

use socketville_bench::growth::numbers;
use socketville_bench::numbers::Numbers;

#[test]
fn the_page_and_the_plot_have_the_numbers_of_the_results() {
    let is_current = numbers::make(Numbers::Check).expect("results, page, markers");
    assert!(is_current, "run `cargo run --release -p socketville-bench --bin growth -- numbers`");
}
