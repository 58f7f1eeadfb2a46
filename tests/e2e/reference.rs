//! The manual's tables that come from the code and the templates. A table stands between `<!-- generated: NAME -->` and `<!-- end -->`.
//! With `INSTA_UPDATE=always`, these tests write the tables; otherwise they fail if a page has another one.

use crate::{
    cloudformation::{Stack, yaml},
    coverage::COVERAGE_ROLE,
    deployed::{self, REPOSITORY, document},
    fault_matrix, permissions, shell,
    support::*,
};
use access_key_rotation::{
    coverage::check,
    environment::VARIABLES,
    error::ERROR_TYPES,
    metrics::{METRICS, Metric},
    permissions::PURPOSES,
};
use deployment::RUNBOOKS;
use policy::{
    exemption::EXEMPTION_TAG_VALUES,
    parameters::{PARAMETERS, Takes},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    sync::Mutex,
};

// The command line is a program, so no test can import this.
#[path = "../../rule/cli/src/output/fields.rs"]
pub(crate) mod fields;

const RULE_PAGE: &str = "rule/README.md";
const RULE_REFERENCE: &str = "rule/REFERENCE.md";
const TESTED_PAGE: &str = "rule/TESTED.md";
const COMMAND_LINE_REFERENCE: &str = "rule/cli/REFERENCE.md";
const OPERATING_PAGE: &str = "templates/OPERATING.md";
const PARAMETERS_PAGE: &str = "templates/PARAMETERS.md";

/// The templates and the pack, by their paths from `templates`.
pub(crate) const TEMPLATES: [&str; 9] = [
    "organization.yaml",
    "hub.yaml",
    "member.yaml",
    "pack.yaml",
    "automation.yaml",
    "aggregator.yaml",
    "notices.yaml",
    "prevention.yaml",
    "../conformance-pack/access-key-rotation.yaml",
];

/// A table by its page and its name there.
type Tables = BTreeMap<(&'static str, String), String>;

#[test]
fn the_tables_are_those_of_the_code_and_the_templates() {
    let mut tables = Tables::new();
    of_the_rule(&mut tables);
    of_the_command_line(&mut tables);
    of_the_templates(&mut tables);
    for ((page, name), table) in &tables {
        assert_page_has(page, name, table);
    }
    // And those of the tests below.
    let mut known: BTreeSet<_> = tables.into_keys().collect();
    known.insert((TESTED_PAGE, "faults".to_owned()));
    known.insert((COMMAND_LINE_REFERENCE, "permissions of the doctor".to_owned()));
    let pages = [RULE_PAGE, RULE_REFERENCE, TESTED_PAGE, COMMAND_LINE_REFERENCE, OPERATING_PAGE, PARAMETERS_PAGE];
    let marked = pages.into_iter().flat_map(|page| marked(page).into_iter().map(move |name| (page, name)));
    assert_eq!(marked.collect::<BTreeSet<_>>(), known);
}

#[tokio::test(start_paused = true)]
async fn the_faults_are_those_that_the_function_survives() {
    assert_page_has(TESTED_PAGE, "faults", &fault_matrix::table().await);
}

#[tokio::test]
async fn the_permissions_of_the_doctor_are_the_calls_that_it_makes() {
    let actions = permissions::calls_of_the_doctor_in_the_hub().await;
    let lines: Vec<_> = actions.iter().map(|action| format!("- `{action}`")).collect();
    assert_page_has(COMMAND_LINE_REFERENCE, "permissions of the doctor", &lines.join("\n"));
}

fn of_the_rule(tables: &mut Tables) {
    let mut add = |name: &str, table| tables.insert((RULE_PAGE, name.to_owned()), table);
    let parameters = PARAMETERS.iter().map(|parameter| {
        let allowed = match parameter.takes {
            Takes::Days { least, most, .. } => format!("{least}-{most}"),
            Takes::OneOf(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
        };
        [code(parameter.name), code(&parameter.default()), allowed, parameter.help.to_owned()]
    });
    add("parameters", table(["Name", "Default", "Allowed", ""], parameters));
    add("exemption tags", named("Tag", "", &EXEMPTION_TAG_VALUES));
    let mut add = |name: &str, table| tables.insert((RULE_REFERENCE, name.to_owned()), table);
    add("environment variables", named("Variable", "", &VARIABLES));
    add("errors", named("`errorType`", "Meaning", &ERROR_TYPES));
    add("metrics", metrics(&METRICS));
    add("metrics of the coverage check", metrics(&check::METRICS));

    let roles = [EVALUATION_ROLE, FUNCTION_ROLE, COVERAGE_ROLE];
    let allowed: BTreeSet<_> = roles.into_iter().flat_map(deployed::most_actions).collect();
    assert_eq!(allowed, PURPOSES.map(|(action, _)| action.to_owned()).into());
    let rows = PURPOSES.iter().map(|(action, purpose)| {
        let [evaluation, function, coverage] = roles.map(|role| {
            let may = |actions: BTreeSet<String>| actions.contains(*action);
            let words = if may(deployed::actions(role)) {
                "yes"
            } else if may(deployed::most_actions(role)) {
                "optional"
            } else {
                ""
            };
            words.to_owned()
        });
        [code(action), evaluation, function, coverage, (*purpose).to_owned()]
    });
    add("permissions", table(["Action", "Evaluation role", "Function", "Coverage check", "For"], rows));
}

fn metrics(metrics: &'static [Metric]) -> String {
    let rows = metrics.iter().map(|metric| [code(metric.name), metric.unit.to_owned(), metric.meaning.to_owned()]);
    table(["Metric", "Unit", ""], rows)
}

fn of_the_command_line(tables: &mut Tables) {
    let mut add = |name: String, table| tables.insert((COMMAND_LINE_REFERENCE, name), table);
    for object in fields::OBJECTS {
        let name = if object.within.is_empty() {
            object.output.to_owned()
        } else {
            format!("{}, {}", object.output, object.within)
        };
        let heading = if object.output.ends_with("csv") { "Column" } else { "Field" };
        let rows =
            object.fields.iter().map(|(name, kind, meaning)| [code(name), (*kind).to_owned(), (*meaning).to_owned()]);
        add(name, table([heading, "Type", "Meaning"], rows));
    }
    let rows = shell::commands_with_statuses().into_iter().map(|command| {
        let mut statuses: BTreeMap<_, _> = shell::exit_statuses(&command).into_iter().collect();
        // The page says these two for all commands.
        assert_eq!(statuses.remove("2").as_deref(), Some("wrong usage"), "{command}");
        assert_eq!(statuses.remove("130").as_deref(), Some("Ctrl-C"), "{command}");
        let meanings = ["0", "1", "3"].map(|status| statuses.remove(status).unwrap_or_default());
        assert!(statuses.is_empty(), "{command}: {statuses:?}");
        let [done, failed, found] = meanings;
        [code(&command), done, failed, found]
    });
    add("exit statuses".to_owned(), table(["", "0", "1", "3"], rows));
}

fn of_the_templates(tables: &mut Tables) {
    let notices = json!({ "AlarmTopicArn": "arn:aws:sns:eu-central-1:111122223333:topic" });
    let hub = json!({ "OrganizationId": "o-exampleorgid", "Notices": "true", "AWS::AccountId": HUB });
    let mut alarms = Vec::new();
    for (name, given) in [("hub.yaml", hub), ("notices.yaml", notices)] {
        let found = Stack::new(&template(name), &given).resources(|kind| kind == "AWS::CloudWatch::Alarm");
        alarms.extend(found.values().map(|alarm| {
            ["AlarmName", "AlarmDescription"].map(|field| alarm["Properties"][field].as_str().unwrap().to_owned())
        }));
    }
    alarms.sort();
    let alarms = alarms.into_iter().map(|[name, description]| [code(&name), description]);
    tables.insert((OPERATING_PAGE, "alarms".to_owned()), table(["Alarm", "What it says"], alarms));

    for name in TEMPLATES {
        let file = name.rsplit('/').next().unwrap();
        let rows = parameters(&yaml(&template(name))["Parameters"], "Default", "Description");
        tables.insert((PARAMETERS_PAGE, file.to_owned()), table(["Parameter", "Default", ""], rows));
    }
    for name in RUNBOOKS {
        let rows = parameters(&document(name)["parameters"], "default", "description");
        tables.insert((PARAMETERS_PAGE, name.to_owned()), table(["Parameter", "Default", ""], rows));
    }
}

pub(crate) fn template(name: &str) -> String {
    fs::read_to_string(format!("{REPOSITORY}/templates/{name}")).unwrap()
}

fn parameters(parameters: &Value, default: &str, description: &str) -> Vec<[String; 3]> {
    let parameters = parameters.as_object().unwrap().iter();
    let row = parameters.map(|(name, parameter)| {
        let default = match parameter.get(default) {
            None => "required".to_owned(),
            Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
            Some(Value::String(text)) => code(text),
            Some(number) => code(&number.to_string()),
        };
        [code(name), default, parameter[description].as_str().unwrap().to_owned()]
    });
    row.collect()
}

fn named(heading: &str, other: &str, rows: &[(&str, &str)]) -> String {
    table([heading, other], rows.iter().map(|(name, text)| [code(name), (*text).to_owned()]))
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn table<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let heading = heading.map(|name| if name.is_empty() { " |".to_owned() } else { format!(" {name} |") });
    let mut lines = vec![format!("|{}", heading.concat()), format!("|{}", "---|".repeat(N))];
    for row in rows {
        lines.push(format!(
            "|{}",
            row.map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") }).concat()
        ));
    }
    lines.join("\n")
}

const END: &str = "\n<!-- end -->";

fn begin(name: &str) -> String {
    format!("<!-- generated: {name} -->")
}

/// The names of the generated tables in a page.
fn marked(page: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{REPOSITORY}/{page}")).unwrap();
    let marks = text.split("<!-- generated: ").skip(1);
    marks.map(|rest| rest.split_once(" -->").unwrap().0.to_owned()).collect()
}

fn assert_page_has(page: &str, name: &str, table: &str) {
    // Several tests may write the same page.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap();
    let path = format!("{REPOSITORY}/{page}");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin(name)).unwrap_or_else(|| panic!("{page} has no place for {name}"));
    let (actual, after) = rest.split_once(END).unwrap();
    if env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        fs::write(path, [before, &begin(name), "\n", table, END, after].concat()).unwrap();
    } else {
        assert!(
            actual.trim_start() == table,
            "{name} in {page} is stale. CONTRIBUTING.md says how to write it:\n{table}"
        );
    }
}
