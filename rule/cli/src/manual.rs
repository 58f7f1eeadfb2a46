//! Places in the manual that messages point to.

pub(crate) const ADMINISTRATORS: &str = "templates/README.md, step 1";
pub(crate) const FUNCTION: &str = "templates/README.md, step 2";
pub(crate) const ROLES: &str = "templates/README.md, step 3";
pub(crate) const PACK: &str = "templates/README.md, step 4";
pub(crate) const COVERAGE: &str = "templates/README.md, \"Coverage\"";
pub(crate) const DEPLOYMENT: &str = "templates/README.md, \"Deploy it to an organization\"";
pub(crate) const TROUBLESHOOTING: &str = "templates/README.md, \"Troubleshooting\"";
pub(crate) const UPDATE: &str = "templates/README.md, \"Update it\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_there() {
        let text = include_str!("../../../templates/README.md");
        for place in [ADMINISTRATORS, FUNCTION, ROLES, PACK, COVERAGE, DEPLOYMENT, TROUBLESHOOTING, UPDATE] {
            let heading = place.strip_prefix("templates/README.md, ").unwrap_or_default();
            let heading = match heading.strip_prefix("step ") {
                Some(number) => format!("\n### {number}. "),
                None => format!("\n## {}\n", heading.trim_matches('"')),
            };
            assert_eq!(text.matches(&heading).count(), 1, "{place}");
        }
    }
}
