//! Text in columns, for a terminal.

use super::look::Look;
use anstyle::{AnsiColor, Effects};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// A column, which is at least this wide.
pub(crate) struct Column {
    head: &'static str,
    least: usize,
    is_right: bool,
    /// When it goes if there is no room for all columns; `None` for one that stays.
    goes: Option<u8>,
    /// Whether it has the row's style.
    is_styled: bool,
}

impl Column {
    /// Goes if there is no room: those with the lowest number first.
    pub(crate) const fn goes(self, order: u8) -> Column {
        Column { goes: Some(order), ..self }
    }

    pub(crate) const fn styled(self) -> Column {
        Column { is_styled: true, ..self }
    }
}

pub(crate) const fn left(head: &'static str, least: usize) -> Column {
    Column { head, least, is_right: false, goes: None, is_styled: false }
}

/// For numbers.
pub(crate) const fn right(head: &'static str, least: usize) -> Column {
    Column { is_right: true, ..left(head, least) }
}

/// How a cell looks where there are colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Alert,
    Warn,
    Plain,
    Faint,
}

impl Style {
    fn ansi(self) -> anstyle::Style {
        match self {
            Style::Alert => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Style::Warn => AnsiColor::Yellow.on_default(),
            Style::Plain => anstyle::Style::new(),
            Style::Faint => anstyle::Style::new().effects(Effects::DIMMED),
        }
    }
}

/// A row, one line.
#[derive(Clone)]
pub(crate) struct Row<'a> {
    pub(crate) cells: Vec<Cow<'a, str>>,
    pub(crate) style: Style,
}

/// Writes the heads and the rows, or nothing if there are no rows.
pub(crate) fn write<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = Vec<Cow<'a, str>>> + Clone,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_styled(columns, rows.map(|cells| Row { cells, style: Style::Plain }), Look::default(), out)
}

/// The same with styles. In a narrow terminal, columns go until the rest has room. Goes through the rows twice, to find the widths first.
pub(crate) fn write_styled<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = Row<'a>> + Clone,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths: Vec<_> = columns.iter().map(|column| column.least.max(column.head.chars().count())).collect();
    let mut is_empty = true;
    for Row { cells, .. } in rows.clone() {
        is_empty = false;
        for (width, cell) in widths.iter_mut().zip(&cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    if is_empty {
        return Ok(());
    }
    let shown = shown(columns, &widths, look.width);
    let heads = Row { cells: columns.iter().map(|column| column.head.into()).collect(), style: Style::Plain };
    for Row { cells, style } in [heads].into_iter().chain(rows) {
        let cell = |n: &usize| {
            let (Column { is_right, is_styled, .. }, width, cell) = (&columns[*n], widths[*n], &cells[*n]);
            let text = if *is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            if !look.color || !is_styled || style == Style::Plain {
                return text;
            }
            let (style, text) = (style.ansi(), text.trim_end());
            format!("{style}{text}{style:#}")
        };
        writeln!(out, "{}", shown.iter().map(cell).collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// The positions of the columns that have room.
fn shown(columns: &[Column], widths: &[usize], room: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<_> = (0..columns.len()).collect();
    let has_room =
        |shown: &[usize]| room.is_none_or(|room| shown.iter().map(|n| widths[*n] + 2).sum::<usize>() <= room + 2);
    while !has_room(&shown) {
        let going = shown.iter().copied().filter(|n| columns[*n].goes.is_some());
        let Some(first) = going.min_by_key(|n| columns[*n].goes) else { break };
        shown.retain(|n| *n != first);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[[&'static str; 3]]) -> String {
        let columns = [left("Name", 6), right("Users", 0), left("Why", 0)];
        let rows = rows.iter().map(|row| row.map(Cow::Borrowed).into());
        let mut out = Vec::new();
        write(&columns, rows, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        assert_eq!(written(&[]), "");
        assert_eq!(written(&[["é", "7", ""]]), "Name    Users  Why\né           7\n");
        assert_eq!(
            written(&[["payments", "1234567", "late"], ["-", "-", "-"]]),
            "Name        Users  Why\npayments  1234567  late\n-               -  -\n"
        );
    }
}
