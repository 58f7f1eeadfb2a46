//! Templates as CloudFormation reads them: YAML whose tags are functions, and what the functions make of it.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

/// A YAML file as JSON. A tag becomes the function that it stands for: `!Ref X` is `{"Ref": "X"}`.
pub(crate) fn yaml(text: &str) -> Value {
    let events = Parser::new_from_str(text).map(|event| event.unwrap().0);
    let mut events = events.skip_while(|event| matches!(event, Event::StreamStart | Event::DocumentStart(_)));
    let first = events.next().unwrap();
    node(first, &mut events)
}

fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    let (value, tag) = match event {
        Event::Scalar(text, ScalarStyle::Plain, _, tag) => (plain(&text), tag),
        Event::Scalar(text, _, _, tag) => (text.into(), tag),
        Event::SequenceStart(_, tag) => {
            let mut items = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => break (Value::Array(items), tag),
                    event => items.push(node(event, events)),
                }
            }
        }
        Event::MappingStart(_, tag) => {
            let mut fields = Map::new();
            loop {
                let key = match events.next().unwrap() {
                    Event::MappingEnd => break (Value::Object(fields), tag),
                    Event::Scalar(text, ..) => text.into_owned(),
                    event => panic!("a key that is no text: {event:?}"),
                };
                let event = events.next().unwrap();
                assert!(fields.insert(key.clone(), node(event, events)).is_none(), "{key} is there twice");
            }
        }
        event => panic!("{event:?}"),
    };
    match tag {
        None => value,
        Some(tag) if ["Ref", "Condition"].contains(&tag.suffix.as_str()) => json!({ &tag.suffix: value }),
        Some(tag) => json!({ format!("Fn::{}", tag.suffix): value }),
    }
}

/// A scalar without quotation marks.
fn plain(text: &str) -> Value {
    match text {
        "" | "null" | "~" => Value::Null,
        "true" | "false" => (text == "true").into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

/// A template with values for its parameters.
pub(crate) struct Stack {
    template: Value,
    values: Value,
}

impl Stack {
    /// What is not given has its default. AWS's own parameters are the partition, the Region and what else is given.
    pub(crate) fn new(template: &str, given: &Value) -> Stack {
        let template = yaml(template);
        let mut values =
            json!({ "AWS::Partition": "aws", "AWS::Region": local_aws::REGION, "AWS::URLSuffix": "amazonaws.com" });
        for (name, parameter) in template["Parameters"].as_object().unwrap() {
            let default = parameter.get("Default").cloned().unwrap_or_default();
            let of_list = parameter["Type"] == "CommaDelimitedList" && default.is_string();
            values[name] = if of_list { text(&default).split(',').collect() } else { default };
        }
        for (name, value) in given.as_object().unwrap() {
            values[name] = value.clone();
        }
        Stack { template, values }
    }

    /// The resources of these types that the stack has, with their functions resolved.
    pub(crate) fn resources(&self, is_wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
        let resources = self.template["Resources"].as_object().unwrap().iter();
        let wanted = resources.filter(|(_, resource)| is_wanted(text(&resource["Type"])));
        let there = wanted.filter(|(_, resource)| resource.get("Condition").is_none_or(|name| self.holds(name)));
        there.map(|(name, resource)| (name.clone(), self.resolve(resource).unwrap())).collect()
    }

    fn holds(&self, condition: &Value) -> bool {
        self.is_true(&self.template["Conditions"][text(condition)])
    }

    fn is_true(&self, node: &Value) -> bool {
        let Some((function, given)) = function(node) else { panic!("no condition: {node}") };
        let mut all = given.as_array().into_iter().flatten();
        match function {
            "Condition" => self.holds(given),
            "Fn::Equals" => self.resolve(&given[0]) == self.resolve(&given[1]),
            "Fn::Not" => !self.is_true(&given[0]),
            "Fn::And" => all.all(|condition| self.is_true(condition)),
            "Fn::Or" => all.any(|condition| self.is_true(condition)),
            _ => panic!("no condition: {node}"),
        }
    }

    /// What CloudFormation makes of a node. `None`: it leaves it out.
    fn resolve(&self, node: &Value) -> Option<Value> {
        let Some((function, given)) = function(node) else {
            return Some(match node {
                Value::Array(items) => items.iter().filter_map(|item| self.resolve(item)).collect(),
                Value::Object(fields) => {
                    let fields = fields.iter().filter_map(|(name, value)| Some((name.clone(), self.resolve(value)?)));
                    Value::Object(fields.collect())
                }
                scalar => scalar.clone(),
            });
        };
        match function {
            "Ref" if given == "AWS::NoValue" => None,
            "Ref" | "Fn::GetAtt" => Some(self.value(text(given))),
            "Fn::If" => self.resolve(&given[if self.holds(&given[0]) { 1 } else { 2 }]),
            "Fn::Sub" if given.is_array() => {
                let more = self.resolve(&given[1]).unwrap();
                let mut stack = Stack { template: self.template.clone(), values: self.values.clone() };
                for (name, value) in more.as_object().unwrap() {
                    stack.values[name] = value.clone();
                }
                Some(stack.substituted(text(&given[0])).into())
            }
            "Fn::Sub" => Some(self.substituted(text(given)).into()),
            "Fn::FindInMap" => {
                let [map, key, field] = [0, 1, 2].map(|index| text(&given[index]).to_owned());
                Some(self.template["Mappings"][map][key][field].clone())
            }
            "Fn::Join" => {
                let parts = self.resolve(&given[1]).unwrap();
                let parts: Vec<_> = parts.as_array().unwrap().iter().map(text).collect();
                Some(parts.join(text(&given[0])).into())
            }
            _ => panic!("{function} is not known here"),
        }
    }

    /// The value of a parameter, or a stand-in for a resource or its attribute.
    fn value(&self, name: &str) -> Value {
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        let (resource, attribute) = name.split_once('.').unwrap_or((name, ""));
        assert!(self.template["Resources"].get(resource).is_some(), "there is no {name}");
        if attribute == "Arn" { format!("arn:aws:any:::{resource}").into() } else { name.into() }
    }

    fn substituted(&self, template: &str) -> String {
        let mut parts = template.split("${");
        let mut whole = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            match name.strip_prefix('!') {
                Some(literal) => whole.extend(["${", literal, "}"]),
                None => match self.value(name) {
                    Value::Number(number) => whole += &number.to_string(),
                    value => whole += text(&value),
                },
            }
            whole += rest;
        }
        whole
    }
}

/// The function that a node is, with what is given to it.
fn function(node: &Value) -> Option<(&str, &Value)> {
    let fields = node.as_object().filter(|fields| fields.len() == 1)?;
    let (name, given) = fields.iter().next()?;
    // The "Condition" of a policy's statement is no function.
    let is_function = name.starts_with("Fn::") || name == "Ref" || name == "Condition" && given.is_string();
    is_function.then_some((name, given))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters:
  Role: { Type: String, Default: reader }
  Days: { Type: Number, Default: 30 }
  Bus: { Type: String, Default: "" }
Mappings:
  Scripts:
    Delete: { Text: "import boto3" }
Conditions:
  HasBus: !Not [!Equals [!Ref Bus, ""]]
  HasBoth: !And [!Condition HasBus, !Equals [!Ref Role, reader]]
  HasEither: !Or [!Condition HasBus, !Equals [!Ref Role, reader]]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Condition: HasBus
  Topic:
    Type: AWS::SNS::Topic
    Condition: HasEither
  Both:
    Type: AWS::SNS::Topic
    Condition: HasBoth
  Role:
    Type: AWS::IAM::Role
    Properties:
      Name: !Ref Role
      Arn: !GetAtt Topic.Arn
      Text: !Sub "${Role} for ${Days} days in ${AWS::Region}, not ${!Role}"
      Script: !FindInMap [Scripts, Delete, Text]
      Joined: !Join ["-", [a, !Ref Role]]
      Chosen: !If [HasBus, !Ref Bus, none]
      LeftOut: !If [HasBus, !Ref Bus, !Ref AWS::NoValue]
"#;

    #[test]
    fn a_tag_is_the_function_that_it_stands_for_and_a_quoted_number_is_text() {
        let expected = json!({ "a": { "Ref": "X" }, "b": { "Fn::Sub": "${X}" }, "c": [1, "1", true, null, "true"] });
        assert_eq!(yaml("a: !Ref X\nb: !Sub ${X}\nc: [1, '1', true, ~, \"true\"]\n"), expected);
    }

    #[test]
    #[should_panic(expected = "a is there twice")]
    fn a_key_that_is_there_twice_is_an_error() {
        yaml("a: 1\na: 2\n");
    }

    #[test]
    fn functions_are_resolved_with_the_parameters_that_are_given() {
        let role = |given: Value| {
            let all = Stack::new(TEMPLATE, &given).resources(|kind| kind == "AWS::IAM::Role");
            all["Role"]["Properties"].clone()
        };
        let mut expected = json!({
            "Name": "reader",
            "Arn": "arn:aws:any:::Topic",
            "Text": format!("reader for 30 days in {}, not ${{Role}}", local_aws::REGION),
            "Script": "import boto3",
            "Joined": "a-reader",
            "Chosen": "none",
        });
        assert_eq!(role(json!({})), expected);
        (expected["Chosen"], expected["LeftOut"]) = ("notices".into(), "notices".into());
        assert_eq!(role(json!({ "Bus": "notices" })), expected);
    }

    #[test]
    fn a_resource_is_there_if_its_condition_holds() {
        let names = |given: Value| {
            let all = Stack::new(TEMPLATE, &given).resources(|kind| kind != "AWS::IAM::Role");
            all.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(json!({})), ["Topic"]);
        assert_eq!(names(json!({ "Bus": "notices" })), ["Both", "Queue", "Topic"]);
        assert_eq!(names(json!({ "Bus": "notices", "Role": "other" })), ["Queue", "Topic"]);
        assert_eq!(names(json!({ "Role": "other" })), Vec::<String>::new());
    }
}
