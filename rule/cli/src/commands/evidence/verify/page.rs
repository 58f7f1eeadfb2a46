//! What a page states: the hashes and the totals, as a reader sees them.

use super::data::short;
use anyhow::bail;
use std::collections::BTreeMap;

/// Marks the element whose text repeats a field of the data. Text from AWS cannot have it, since the page escapes its quotation mark.
const MARK: &str = " data-value=\"";

/// The texts by field.
///
/// # Errors
/// If a field has two.
pub(super) fn values(page: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for part in page.split(MARK).skip(1) {
        let Some((field, rest)) = part.split_once("\">") else { continue };
        let markup = ["</dd>", "</td>"].into_iter().fold(rest, |rest, end| rest.split(end).next().unwrap_or(rest));
        if values.insert(field.to_owned(), text(markup)).is_some() {
            bail!("it states {} twice", short(field));
        }
    }
    Ok(values)
}

/// The text without tags and without the commas in numbers.
fn text(markup: &str) -> String {
    let text: String = markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.replace(',', "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_states_what_a_reader_sees() {
        let page = "<td class=\"id\" data-value=\"sha256\">ab</td><p data-value=\"open\n\
                    <dd data-value=\"a\">1,500</dd><dd data-value=\"b\"><small>at least</small> 3</dd><td>7</td>";
        let values = values(page).unwrap();
        let values: Vec<_> = values.iter().map(|(field, text)| (field.as_str(), text.as_str())).collect();
        assert_eq!(values[..2], [("a", "1500"), ("b", "at least 3")]);
        assert!(values.contains(&("sha256", "ab")));
        let twice = super::values("<dd data-value=\"a\">1</dd><dd data-value=\"a\">1</dd>").unwrap_err();
        assert_eq!(twice.to_string(), "it states a twice");
    }
}
