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
pub(crate) struct Row<'a> {
    pub(crate) cells: Vec<Cow<'a, str>>,
    pub(crate) style: Style,
}

/// Writes the heads and the rows, or nothing if there are no rows. In a narrow terminal, columns go until the rest has room.
pub(crate) fn write_styled(columns: &[Column], rows: &[Row<'_>], look: Look, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let width = |(n, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| row.cells[n].chars().count());
        cells.max().unwrap_or_default().max(column.least).max(column.head.len())
    };
    let widths: Vec<_> = columns.iter().enumerate().map(width).collect();
    let mut shown: Vec<_> = (0..columns.len()).collect();
    let has_room = |shown: &[usize]| {
        look.width.is_none_or(|width| shown.iter().map(|n| widths[*n] + 2).sum::<usize>() <= width + 2)
    };
    while !has_room(&shown)
        && let Some(least) =
            shown.iter().copied().filter(|n| columns[*n].goes.is_some()).min_by_key(|n| columns[*n].goes)
    {
        shown.retain(|n| *n != least);
    }
    let mut line = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<_> = shown.iter().map(|n| cell(*n)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())
    };
    let padded = |n: usize, text: &str| {
        let width = widths[n];
        if columns[n].is_right { format!("{text:>width$}") } else { format!("{text:<width$}") }
    };
    line(&|n| padded(n, columns[n].head))?;
    for row in rows {
        line(&|n| {
            let text = padded(n, &row.cells[n]);
            if !look.color || !columns[n].is_styled || row.style == Style::Plain {
                return text;
            }
            let (style, text) = (row.style.ansi(), text.trim_end());
            format!("{style}{text}{style:#}")
        })?;
    }
    Ok(())
}

/// Writes the heads and the rows, or nothing if there are no rows. Goes through the rows twice, to find the widths first.
pub(crate) fn write<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = Vec<Cow<'a, str>>> + Clone,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths: Vec<_> = columns.iter().map(|column| column.least.max(column.head.chars().count())).collect();
    let mut is_empty = true;
    for row in rows.clone() {
        is_empty = false;
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = cell.chars().count().max(*width);
        }
    }
    if is_empty {
        return Ok(());
    }
    let heads = columns.iter().map(|column| Cow::Borrowed(column.head)).collect();
    for row in [heads].into_iter().chain(rows) {
        let cells = columns.iter().zip(&widths).zip(&row).map(|((column, width), cell)| {
            if column.is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
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
