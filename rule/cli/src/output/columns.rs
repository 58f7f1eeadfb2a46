//! Text in columns, for a terminal.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// A column, which is at least this wide.
pub(crate) struct Column {
    head: &'static str,
    least: usize,
    is_right: bool,
}

pub(crate) const fn left(head: &'static str, least: usize) -> Column {
    Column { head, least, is_right: false }
}

/// For numbers.
pub(crate) const fn right(head: &'static str, least: usize) -> Column {
    Column { head, least, is_right: true }
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
