//! Markdown tables.

/// A table in the making; the first column is text, the others are numbers.
pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Table {
        let rule = headings.iter().enumerate().map(|(i, _)| if i == 0 { "---" } else { "--:" });
        Table { lines: vec![line(headings.iter().copied()), line(rule)] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        self.lines.push(line(cells.iter().map(String::as_str)));
    }

    /// Prints it, with an empty line behind.
    pub(crate) fn print(&self) {
        println!("{}\n", self.lines.join("\n"));
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A number with so many decimals, or a dash.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A rate as `2.31M`, `870k` or `12`.
pub(crate) fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(rate) if rate >= 1e6 => format!("{:.2}M", rate / 1e6),
        Some(rate) if rate >= 1e3 => format!("{:.0}k", rate / 1e3),
        Some(rate) => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(Some(0.2849), 2), "0.28");
        assert_eq!(number(None, 2), "-");
        assert_eq!([rate(Some(2_310_000.0)), rate(Some(870_400.0)), rate(Some(12.0))], ["2.31M", "870k", "12"]);
    }

    #[test]
    fn a_table_has_a_rule_below_its_headings() {
        let mut table = Table::new(&["query", "us"]);
        table.row(["q5".to_owned(), "0.3".to_owned()]);
        assert_eq!(table.lines, ["| query | us |", "| --- | --: |", "| q5 | 0.3 |"]);
    }
}
