//! A growth run as a picture: six panels with lines over a logarithmic axis, in an SVG made here. Not a plotting library:
//! every axis is logarithmic or begins at zero.

use std::fmt::Write as _;

use super::page::{grouped, number};
use super::results::{ClientsPoint, Growth, MembershipsPoint, RoomsPoint};
use crate::plot::{FAINT, FONT, INK, escaped};

/// The whole picture.
#[must_use]
pub fn svg(growth: &Growth) -> String {
    let panels = panels(growth);
    let rows = panels.len().div_ceil(COLUMNS);
    let height = HEAD + rows as f64 * (PANEL_HEIGHT + GAP) + FOOT;
    let mut body = heading();
    for (index, panel) in panels.iter().enumerate() {
        let x = MARGIN + (index % COLUMNS) as f64 * (PANEL_WIDTH + GAP);
        let y = HEAD + (index / COLUMNS) as f64 * (PANEL_HEIGHT + GAP);
        panel.draw(&mut body, x, y);
    }
    text(&mut body, MARGIN, height - 18.0, 11, FAINT, "start", &footing(growth));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"{FONT}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"12\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn heading() -> String {
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<text x=\"{MARGIN}\" y=\"56\" font-size=\"26\" fill=\"{INK}\" font-weight=\"700\">What growth costs</text>"
    );
    let words = "One server process on one core, generators on another, loopback; every client checked for loss, repeats and \
                 order. Why each line bends is in SCALE.md.";
    text(&mut body, MARGIN, 82.0, 13, FAINT, "start", words);
    body
}

fn footing(growth: &Growth) -> String {
    let facts = growth.machine.iter().chain(&growth.versions);
    let facts: Vec<String> = facts.map(|(name, value)| format!("{name} {value}")).collect();
    format!("{} · {}", growth.date, facts.join(" · "))
}

fn panels(growth: &Growth) -> Vec<Panel> {
    let mut panels = clients_panels(&growth.clients);
    panels.extend(rooms_panels(&growth.rooms));
    panels.extend(memberships_panels(&growth.memberships));
    panels
}

fn clients_panels(points: &[ClientsPoint]) -> Vec<Panel> {
    let line = |words, colour, name: &'static str, figure: fn(&ClientsPoint) -> Option<f64>| {
        let of_name = points.iter().filter(|point| point.name == name);
        Line::new(words, colour, of_name.map(|point| (point.clients, figure(point))))
    };
    vec![
        Panel::new(
            "A delivery",
            "CPU us, against clients of the process",
            Axis::FromZero,
            vec![
                line("the kernel alone", FLOOR, "floor-ring", |point| point.load.quotable()),
                line("Socketville", OURS, "ours", |point| point.load.quotable()),
            ],
        ),
        Panel::new(
            "A client's memory",
            "bytes, against clients of the process",
            Axis::FromZero,
            vec![
                line("in the kernel", FLOOR, "ours", |point| point.kernel_bytes),
                line("Socketville", OURS, "ours", |point| Some(point.user_bytes)),
            ],
        ),
    ]
}

fn rooms_panels(points: &[RoomsPoint]) -> Vec<Panel> {
    let line = |words, colour, figure: fn(&RoomsPoint) -> Option<f64>| {
        Line::new(words, colour, points.iter().map(|point| (point.rooms, figure(point))))
    };
    let clients = points.first().map_or(0, |point| point.clients);
    let against = |what| format!("{what}, against rooms for {} clients", grouped(clients));
    vec![
        Panel::new(
            "A delivery to a room",
            &against("CPU us"),
            Axis::FromZero,
            vec![
                line("one room after another", OURS, |point| point.load.quotable()),
                line("the first room only", PEER, |point| point.same.as_ref()?.quotable()),
            ],
        ),
        Panel::new(
            "A room's memory",
            &against("bytes"),
            Axis::Logarithmic,
            vec![
                line("per room", OURS, |point| Some(point.room_bytes)),
                line("per membership", PEER, |point| Some(point.membership_bytes)),
            ],
        ),
    ]
}

fn memberships_panels(points: &[MembershipsPoint]) -> Vec<Panel> {
    let line = |words, colour, figure: fn(&MembershipsPoint) -> Option<f64>| {
        Line::new(words, colour, points.iter().map(|point| (point.rooms_each, figure(point))))
    };
    let clients = points.first().map_or(0, |point| point.clients);
    let against = |what| format!("{what}, against rooms that {} clients are in", grouped(clients));
    vec![
        Panel::new(
            "To many rooms",
            &against("CPU us"),
            Axis::FromZero,
            vec![
                line("to all", FLOOR, |point| point.all.quotable()),
                line("to one room", PEER, |point| point.room.quotable()),
                line("to all rooms at once", OURS, |point| point.union.quotable()),
            ],
        ),
        Panel::new(
            "Coming and going",
            &against("CPU us"),
            Axis::Logarithmic,
            vec![
                line("a client leaves them all", OURS, |point| Some(point.leave_us)),
                line("a join, answered", PEER, |point| Some(point.join_us)),
            ],
        ),
    ]
}

/// How the height of a point is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    /// Linear, from zero.
    FromZero,
    /// In powers of ten.
    Logarithmic,
}

struct Line {
    words: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    /// Points that may not be quoted are left out.
    fn new(
        words: &'static str,
        colour: &'static str,
        points: impl Iterator<Item = (usize, Option<f64>)>,
    ) -> Line {
        let points = points.filter_map(|(x, y)| Some((x as f64, y?))).collect();
        Line { words, colour, points }
    }
}

struct Panel {
    title: &'static str,
    unit: String,
    axis: Axis,
    lines: Vec<Line>,
}

impl Panel {
    fn new(title: &'static str, unit: &str, axis: Axis, lines: Vec<Line>) -> Panel {
        Panel { title, unit: unit.to_owned(), axis, lines }
    }

    fn draw(&self, body: &mut String, x: f64, y: f64) {
        let _ = writeln!(
            body,
            "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{PANEL_WIDTH}\" height=\"{PANEL_HEIGHT}\" rx=\"8\" fill=\"#f6f8fa\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" font-size=\"15\" fill=\"{INK}\" font-weight=\"600\">{}</text>",
            x + 16.0,
            y + 26.0,
            self.title
        );
        text(body, x + 16.0, y + 43.0, 11, FAINT, "start", &self.unit);
        self.legend(body, x, y + 26.0);
        let Some(frame) = Frame::of(self, x, y) else { return };
        frame.ticks(body, self);
        self.lines.iter().for_each(|line| frame.line(body, line, &self.lines));
    }

    fn legend(&self, body: &mut String, x: f64, y: f64) {
        let mut right = x + PANEL_WIDTH - 16.0;
        for line in self.lines.iter().rev() {
            text(body, right, y, 12, INK, "end", line.words);
            right -= line.words.len() as f64 * 6.6 + 10.0;
            let _ = writeln!(
                body,
                "<circle cx=\"{right:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{}\"/>",
                y - 4.0,
                line.colour
            );
            right -= 14.0;
        }
    }
}

/// Where numbers lie in a panel.
struct Frame {
    left: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
    axis: Axis,
}

impl Frame {
    fn of(panel: &Panel, x: f64, y: f64) -> Option<Frame> {
        let points = || panel.lines.iter().flat_map(|line| &line.points);
        points().next()?;
        let least = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
        let vertical = match panel.axis {
            Axis::FromZero => (0.0, (most(|p| p.1) * 1.25).max(f64::MIN_POSITIVE)),
            Axis::Logarithmic => (
                least(|p| p.1).max(SMALLEST).log10().floor(),
                most(|p| p.1).max(SMALLEST).log10().floor() + 1.0,
            ),
        };
        let horizontal = (least(|p| p.0).max(1.0).log10(), most(|p| p.0).max(1.0).log10());
        Some(Frame {
            left: x + 52.0,
            bottom: y + PANEL_HEIGHT - 34.0,
            x: horizontal,
            y: vertical,
            axis: panel.axis,
        })
    }

    fn across(&self, x: f64) -> f64 {
        let span = (self.x.1 - self.x.0).max(f64::EPSILON);
        self.left + 14.0 + (x.max(1.0).log10() - self.x.0) / span * (PLOT_WIDTH - 28.0)
    }

    fn up(&self, y: f64) -> f64 {
        let value = if self.axis == Axis::FromZero { y } else { y.max(SMALLEST).log10() };
        self.bottom - (value - self.y.0) / (self.y.1 - self.y.0) * PLOT_HEIGHT
    }

    fn ticks(&self, body: &mut String, panel: &Panel) {
        let heights: Vec<f64> = match self.axis {
            Axis::FromZero => steps(self.y.1),
            Axis::Logarithmic => (self.y.0 as i32..=self.y.1 as i32).map(|power| 10f64.powi(power)).collect(),
        };
        for value in heights {
            let y = self.up(value);
            let _ = writeln!(
                body,
                "<line x1=\"{:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#dfe4e9\"/>",
                self.left,
                self.left + PLOT_WIDTH
            );
            text(body, self.left - 6.0, y + 4.0, 11, FAINT, "end", &tick(value));
        }
        let mut places: Vec<f64> =
            panel.lines.iter().flat_map(|line| line.points.iter().map(|p| p.0)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        for place in places {
            text(body, self.across(place), self.bottom + 18.0, 11, FAINT, "middle", &grouped(place as usize));
        }
    }

    /// The line, its marks, and their numbers where they do not meet others'.
    fn line(&self, body: &mut String, line: &Line, all: &[Line]) {
        let places: Vec<(f64, f64)> =
            line.points.iter().map(|(x, y)| (self.across(*x), self.up(*y))).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>",
            path.join(" "),
            line.colour
        );
        for ((x, y), point) in places.iter().zip(&line.points) {
            let _ =
                writeln!(body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{}\"/>", line.colour);
            if let Some(down) = beside(*point, all) {
                text(body, *x, y + down, 11, line.colour, "middle", &number(point.1));
            }
        }
    }
}

/// How far below its mark a number stands: the highest of a place above, the lowest below, and what lies between has
/// none.
fn beside((x, y): (f64, f64), all: &[Line]) -> Option<f64> {
    let here = || all.iter().flat_map(|line| &line.points).filter(|point| point.0 == x).map(|point| point.1);
    if here().all(|other| other <= y) { Some(-9.0) } else { here().all(|other| other >= y).then_some(19.0) }
}

/// Round numbers from zero to `most`, about five of them.
fn steps(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|by| by * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(power);
    (0..=(most / step) as usize).map(|index| index as f64 * step).collect()
}

fn tick(value: f64) -> String {
    if value >= 1000.0 { grouped(value as usize) } else { format!("{value}") }
}

fn text(body: &mut String, x: f64, y: f64, size: u32, colour: &str, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

const FLOOR: &str = "#8a96a3";
const OURS: &str = "#e4572e";
const PEER: &str = "#4a78b0";
const WIDTH: u32 = 1180;
const MARGIN: f64 = 30.0;
const GAP: f64 = 20.0;
const COLUMNS: usize = 2;
const HEAD: f64 = 104.0;
const FOOT: f64 = 30.0;
const PANEL_WIDTH: f64 = 550.0;
const PANEL_HEIGHT: f64 = 300.0;
const PLOT_WIDTH: f64 = 480.0;
const PLOT_HEIGHT: f64 = 206.0;
/// What a logarithmic axis can show at least.
const SMALLEST: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::super::results::tests::made;
    use super::*;

    #[test]
    fn every_quotable_point_has_a_mark_and_a_number() {
        let picture = svg(&made());
        // Clients: 3 of CPU and 2 x 2 of memory; rooms: 1 and 2; memberships: all and room without the void union, and 2.
        assert_eq!(picture.matches("r=\"3.5\"").count(), 3 + 4 + 1 + 2 + 2 + 2);
        assert!(picture.contains(">11.0<") && picture.contains(">57 000<"));
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    #[test]
    fn dearer_is_higher_and_more_is_to_the_right() {
        let growth = made();
        let panels = panels(&growth);
        let frame = Frame::of(&panels[0], 0.0, 0.0).expect("points");
        assert!(frame.up(11.0) < frame.up(7.0) && frame.across(57_000.0) > frame.across(1000.0));
    }

    #[test]
    fn a_run_without_points_is_empty_panels() {
        assert_eq!(svg(&Growth::default()).matches("<polyline").count(), 0);
    }

    #[test]
    fn steps_are_round_and_few() {
        assert_eq!(steps(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert!(steps(13.7).len() <= 7);
    }
}
