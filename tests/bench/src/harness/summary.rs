//! The summary: all goals in one table, those that are missed along with those that are met.

use super::figure::Figure;
use super::goals::{self, Aim, Goal};
use super::table::Column;
use super::workload::Workload;

/// What was measured of one workload.
pub(super) type Measured<'a> = (&'a Workload, Vec<Column<'a>>);

/// Below this a peer is plainly better, above its inverse ours is.
const TIE: f64 = 0.95;

/// Returns the table, of the goals whose workloads were measured.
pub(super) fn markdown(all: &[Measured<'_>]) -> String {
    let mut text = "\
| what | ours | floor | best peer | to the floor | to the best peer | goal |
|---|---:|---:|---:|---:|---:|---|
"
    .to_owned();
    for goal in goals::ALL {
        let measured = all.iter().find(|(workload, _)| workload.name == goal.workload);
        text += &measured.and_then(|(_, columns)| row(goal, columns)).unwrap_or_default();
    }
    text
}

fn row(goal: &Goal, columns: &[Column<'_>]) -> Option<String> {
    let figure_of = |name: &str| {
        let column = columns.iter().find(|column| column.contender.name == name)?;
        column.median_of(goal.figure)
    };
    let ours = figure_of(if goal.is_futures { "ours, futures" } else { "ours" })?;
    let floor = figure_of("floor");
    let peer = best_peer(goal, columns);
    let to_floor = floor.as_ref().and_then(|floor| ours.ratio_to(floor));
    let to_peer = peer.as_ref().and_then(|(_, peer)| ours.ratio_to(peer));
    Some(format!(
        "| {} | {} {} | {} | {} | {} | {} | {} |\n",
        goal.of,
        ours.short(),
        ours.unit,
        floor.map_or_else(String::new, |floor| floor.short()),
        peer.map_or_else(String::new, |(name, peer)| format!("{name} {}", peer.short())),
        to_floor.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        to_peer.map_or_else(String::new, verdict),
        match goal.aim {
            Aim::Nothing => String::new(),
            Aim::AtMost(most) => met(ours.value <= most, &format!("<= {}", short(most))),
            Aim::AtLeast(least) => met(ours.value >= least, &format!(">= {}", short(least))),
            Aim::OfFloor(ratio) => reached(to_floor, ratio, "floor"),
            Aim::OfBestPeer(ratio) => reached(to_peer, ratio, "best peer"),
            Aim::Of(name, ratio) =>
                reached(figure_of(name).and_then(|peer| ours.ratio_to(&peer)), ratio, name),
        }
    ))
}

fn best_peer(goal: &Goal, columns: &[Column<'_>]) -> Option<(&'static str, Figure)> {
    let peers = columns.iter().filter(|column| column.contender.is_peer());
    let figures =
        peers.filter_map(|column| Some((column.contender.name, column.median_of(goal.figure)?)));
    figures.reduce(|best, next| {
        let is_better = next.1.ratio_to(&best.1).is_some_and(|ratio| ratio > 1.0);
        if is_better { next } else { best }
    })
}

fn verdict(ratio: f64) -> String {
    match ratio {
        ..TIE => format!("**{ratio:.2} behind**"),
        _ if ratio > TIE.recip() => format!("{ratio:.2} ahead"),
        _ => format!("{ratio:.2} even"),
    }
}

fn reached(ratio: Option<f64>, wanted: f64, of: &str) -> String {
    let wanted_in_words = format!(">= {wanted:.2} x {of}");
    match ratio {
        Some(ratio) => met(ratio >= wanted, &wanted_in_words),
        None => format!("{wanted_in_words}, which is not there"),
    }
}

fn short(value: f64) -> String {
    Figure::new("", value, "").short()
}

fn met(is_met: bool, goal: &str) -> String {
    if is_met { format!("{goal}: met") } else { format!("{goal}: **missed**") }
}
