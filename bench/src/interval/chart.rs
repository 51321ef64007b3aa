//! Three panels of lines, for eyes in light and in the dark. Not a plotting library: it knows these three panels, and
//! that a line is named where it ends.

use std::fmt::Write as _;

use super::{Point, Series, expected};
use crate::plot::{FONT, escaped};
use crate::results::Results;

/// What a panel shows.
struct Panel {
    title: &'static str,
    note: &'static str,
    value: fn(&Point) -> f64,
    digits: usize,
    extra: Extra,
}

/// What a panel shows beside the measured lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    /// What arithmetic says, dashed.
    Expected,
    /// The floor with a send a frame, dotted.
    Floor,
    /// Up to the ninety-ninth percentile, a thin bar.
    P99,
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "Sends per frame",
        note: "dashed: 1/(1+rT)",
        value: |point| point.sends_per_frame,
        digits: 2,
        extra: Extra::Expected,
    },
    Panel {
        title: "CPU per delivery, us",
        note: "dotted: the kernel's floor, a send a frame",
        value: |point| point.cpu_us,
        digits: 1,
        extra: Extra::Floor,
    },
    Panel {
        title: "Age on arrival, ms",
        note: "dots: median, bars: up to p99",
        value: |point| point.p50_ms,
        digits: 0,
        extra: Extra::P99,
    },
];

/// The whole picture.
pub(super) fn draw(all: &[Series], results: &Results) -> String {
    let mut body = String::new();
    text(&mut body, (MARGIN, 44.0), "title", "start", "What a message saves that may wait");
    let words = "1000 clients, 128 B, one core; r messages a second, each allowed to wait T. Lines are named by their rate.";
    text(&mut body, (MARGIN, 66.0), "faint", "start", words);
    for (column, panel) in PANELS.iter().enumerate() {
        let frame = Frame::new(MARGIN + column as f64 * (FRAME_WIDTH + GAP), panel, all);
        frame.draw(&mut body, panel, all);
    }
    let machine: Vec<String> =
        results.machine.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let words = format!("{} · {}", results.date, machine.join(" · "));
    text(&mut body, (MARGIN, HEIGHT - 16.0), "small", "start", &words);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"{FONT}\">\n<style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"12\"/>\n{body}</svg>\n"
    )
}

/// Where a panel lies, and how high its values go.
struct Frame {
    x: f64,
    most: f64,
}

impl Frame {
    fn new(x: f64, panel: &Panel, all: &[Series]) -> Frame {
        let highest = |point: &Point| match panel.extra {
            Extra::P99 => point.p99_ms,
            Extra::Expected | Extra::Floor => (panel.value)(point),
        };
        let points = all.iter().flat_map(|series| &series.points).map(highest);
        let floors =
            all.iter().filter_map(|series| series.floor_cpu_us.filter(|_| panel.extra == Extra::Floor));
        let most = match panel.extra {
            Extra::Expected => 1.0, // a send a frame
            Extra::Floor | Extra::P99 => rounded_up(points.chain(floors).fold(0.0, f64::max)),
        };
        Frame { x, most }
    }

    fn draw(&self, body: &mut String, panel: &Panel, all: &[Series]) {
        let _ = writeln!(
            body,
            "<rect class=\"panel\" x=\"{:.0}\" y=\"{TOP}\" width=\"{FRAME_WIDTH}\" height=\"{FRAME_HEIGHT}\" rx=\"8\"/>",
            self.x
        );
        text(body, (self.x + 14.0, TOP + 24.0), "head", "start", panel.title);
        text(body, (self.x + 14.0, TOP + 42.0), "small", "start", panel.note);
        self.grid(body, panel);
        for (index, series) in all.iter().enumerate() {
            self.extras(body, panel.extra, series, index);
            self.line(body, panel, series, index);
        }
        self.names(body, panel, all);
    }

    fn grid(&self, body: &mut String, panel: &Panel) {
        for step in 0..=GRID_STEPS {
            let value = self.most * f64::from(step) / f64::from(GRID_STEPS);
            let y = self.y(value);
            let (from, to) = (self.left(0.0), self.left(INTERVAL_MAX_MS));
            let _ = writeln!(
                body,
                "<line class=\"grid\" x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\"/>"
            );
            let words = format!("{value:.0$}", panel.digits);
            text(body, (from - 8.0, y + 4.0), "small", "end", &words);
        }
        for interval_ms in TICKS_MS {
            let words = format!("{interval_ms:.0}");
            text(body, (self.left(interval_ms), BOTTOM + 18.0), "small", "middle", &words);
        }
        let middle = f64::midpoint(self.left(0.0), self.left(INTERVAL_MAX_MS));
        text(body, (middle, BOTTOM + 36.0), "small", "middle", "flush interval T, ms");
    }

    fn line(&self, body: &mut String, panel: &Panel, series: &Series, index: usize) {
        let at = |point: &Point| (self.left(point.interval_ms), self.y((panel.value)(point)));
        polyline(body, &format!("line r{index}"), series.points.iter().map(at));
        for (x, y) in series.points.iter().map(at) {
            let _ = writeln!(body, "<circle class=\"dot r{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
        }
    }

    fn extras(&self, body: &mut String, extra: Extra, series: &Series, index: usize) {
        match extra {
            Extra::Expected => {
                let steps = (0..=50).map(f64::from).map(|interval_ms| {
                    (self.left(interval_ms), self.y(expected(series.rate * interval_ms / 1e3)))
                });
                polyline(body, &format!("dashed r{index}"), steps);
            }
            Extra::Floor => {
                let ends = series.floor_cpu_us.into_iter().flat_map(|cpu_us| {
                    [0.0, INTERVAL_MAX_MS].map(|interval_ms| (self.left(interval_ms), self.y(cpu_us)))
                });
                polyline(body, &format!("dotted r{index}"), ends);
            }
            Extra::P99 => {
                for point in &series.points {
                    let x = self.left(point.interval_ms) + (index as f64 - 1.0) * BAR_SHIFT;
                    let ends = [(x, self.y(point.p50_ms)), (x, self.y(point.p99_ms))];
                    polyline(body, &format!("bar r{index}"), ends.into_iter());
                }
            }
        }
    }

    /// Each line's name beside its end, pushed apart where ends are close.
    fn names(&self, body: &mut String, panel: &Panel, all: &[Series]) {
        let mut ends: Vec<(f64, usize, f64)> = all
            .iter()
            .enumerate()
            .filter_map(|(index, series)| {
                Some((self.y((panel.value)(series.points.last()?)), index, series.rate))
            })
            .collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = f64::MIN;
        for (y, index, rate) in ends {
            let y = y.max(free);
            free = y + NAME_STEP;
            let at = (self.left(INTERVAL_MAX_MS) + 10.0, y + 4.0);
            text(body, at, &format!("name r{index}"), "start", &format!("{rate}/s"));
        }
    }

    fn left(&self, interval_ms: f64) -> f64 {
        self.x + AXIS_WIDTH + interval_ms / INTERVAL_MAX_MS * (FRAME_WIDTH - AXIS_WIDTH - NAME_WIDTH)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - value / self.most * (BOTTOM - TOP - HEAD_HEIGHT)
    }
}

/// The next number that divides well into the grid's steps.
fn rounded_up(most: f64) -> f64 {
    let whole = 10f64.powf(most.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .map(|step| step * whole)
        .into_iter()
        .find(|step| *step >= most)
        .unwrap_or(1.0)
}

fn polyline(body: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let places: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    if !places.is_empty() {
        let _ = writeln!(body, "<polyline class=\"{class}\" points=\"{}\"/>", places.join(" "));
    }
}

fn text(body: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        body,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

const STYLE: &str = "\
.page{fill:#ffffff}.panel{fill:#f6f8fa}.grid{stroke:#dde3e9}text{fill:#1c2733;font-size:13px}\
.title{font-size:24px;font-weight:700}.head{font-size:15px;font-weight:600}.faint,.small{fill:#667380}.small{font-size:11px}\
.name{font-weight:700;font-size:12px}polyline{fill:none;stroke-width:2.5;stroke-linejoin:round}\
.dashed{stroke-width:1.5;stroke-dasharray:5 4}.dotted{stroke-width:1.5;stroke-dasharray:1 4;stroke-linecap:round}\
.bar{stroke-width:1.5;opacity:.65}.dot{stroke:#f6f8fa;stroke-width:1.5}\
polyline.r0{stroke:#8e6bbf}polyline.r1{stroke:#2f7fb8}polyline.r2{stroke:#d9480f}\
circle.r0,text.r0{fill:#8e6bbf}circle.r1,text.r1{fill:#2f7fb8}circle.r2,text.r2{fill:#d9480f}\
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.panel{fill:#161b22}.grid{stroke:#2b333d}text{fill:#e6edf3}\
.faint,.small{fill:#93a0ad}.dot{stroke:#161b22}\
polyline.r0{stroke:#b79ae0}polyline.r1{stroke:#67b2e8}polyline.r2{stroke:#ff8a50}\
circle.r0,text.r0{fill:#b79ae0}circle.r1,text.r1{fill:#67b2e8}circle.r2,text.r2{fill:#ff8a50}}";

const WIDTH: f64 = 1180.0;
const HEIGHT: f64 = 470.0;
const MARGIN: f64 = 30.0;
const GAP: f64 = 20.0;
const TOP: f64 = 88.0;
const FRAME_WIDTH: f64 = 360.0;
const FRAME_HEIGHT: f64 = 340.0;
/// Where values are zero.
const BOTTOM: f64 = 376.0;
const HEAD_HEIGHT: f64 = 64.0;
const AXIS_WIDTH: f64 = 48.0;
const NAME_WIDTH: f64 = 58.0;
const NAME_STEP: f64 = 15.0;
/// Bars of one interval stand side by side.
const BAR_SHIFT: f64 = 3.0;
const GRID_STEPS: u32 = 4;
const TICKS_MS: [f64; 5] = [0.0, 5.0, 10.0, 20.0, 50.0];
const INTERVAL_MAX_MS: f64 = 50.0;

#[cfg(test)]
mod tests {
    use super::super::tests::made;
    use super::super::{series, svg};
    use super::*;

    #[test]
    fn every_point_is_drawn_in_every_panel_and_every_line_is_named() {
        let picture = svg(&made()).expect("a picture");
        assert_eq!(picture.matches("<circle").count(), 5 * PANELS.len());
        assert_eq!(picture.matches(">200/s<").count(), PANELS.len());
        assert_eq!(picture.matches("\"dashed r").count() + picture.matches("\"dotted r").count(), 2 * 2);
    }

    #[test]
    fn what_is_higher_stands_higher_and_inside_the_frame() {
        let results = made();
        let frame = Frame::new(0.0, &PANELS[2], &series(&results.rows));
        assert_eq!(frame.most, 60.0, "room for the ninety-ninth percentile");
        assert!(frame.y(56.0) < frame.y(2.0) && frame.y(56.0) > TOP + HEAD_HEIGHT);
        assert_eq!(frame.y(0.0), BOTTOM);
    }

    #[test]
    fn names_of_lines_that_end_together_do_not_overlap() {
        let mut results = made();
        results.rows[1].cells.pop();
        let picture = svg(&results).expect("a picture");
        let names = picture.lines().filter(|line| line.contains("class=\"name")).take(2);
        let y = |line: &str| line.split("y=\"").nth(1)?.split('"').next()?.parse::<f64>().ok();
        let heights: Vec<f64> = names.filter_map(y).collect();
        assert!((heights[0] - heights[1]).abs() >= NAME_STEP, "{heights:?}");
    }
}
