//! Places in the manual that messages point to.

pub(crate) const ADMINISTRATORS: &str = "templates/README.md, step 1";
pub(crate) const FUNCTION: &str = "templates/README.md, step 2";
pub(crate) const ROLES: &str = "templates/README.md, step 3";
pub(crate) const PACK: &str = "templates/README.md, step 4";
pub(crate) const COVERAGE: &str = "templates/OPERATING.md, \"Coverage\"";
pub(crate) const DEPLOYMENT: &str = "templates/README.md, \"Deploy it to an organization\"";
pub(crate) const TROUBLESHOOTING: &str = "templates/OPERATING.md, \"Troubleshooting\"";
pub(crate) const OLD_RUNBOOKS: &str = "templates/OPERATING.md, \"Old runbooks\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_there() {
        let pages = [
            ("templates/README.md", include_str!("../../../templates/README.md")),
            ("templates/OPERATING.md", include_str!("../../../templates/OPERATING.md")),
        ];
        for place in [ADMINISTRATORS, FUNCTION, ROLES, PACK, COVERAGE, DEPLOYMENT, TROUBLESHOOTING, OLD_RUNBOOKS] {
            let (page, heading) = place.split_once(", ").unwrap();
            let (_, text) = pages.iter().find(|(name, _)| *name == page).unwrap();
            let heading = match heading.strip_prefix("step ") {
                Some(number) => format!("\n### {number}. "),
                None => format!("\n## {}\n", heading.trim_matches('"')),
            };
            assert_eq!(text.matches(&heading).count(), 1, "{place}");
        }
    }
}
