//! What tests make of the [regional](crate::regional) resources of an account.

use serde_json::{Value, json};

use crate::REGION;
use crate::account::Account;
use crate::regional::{Document, Function, Recorder};

impl Account {
    /// Sets the configuration recorder. There is none at first.
    pub fn set_recorder(&mut self, recorder: Option<Recorder>) {
        self.regional.recorder = recorder;
    }

    /// Creates an SSM document with one version, in place of any other with that name. The status is `Creating`, `Active`,
    /// `Updating`, `Deleting` or `Failed`.
    pub fn add_document(&mut self, name: &str, status: &'static str) {
        let document = Document { status, default_version: 1, latest_version: 1 };
        self.regional.documents.insert(name.to_owned(), document);
    }

    /// Sets the versions of an SSM document, if it exists.
    pub fn set_document_versions(&mut self, name: &str, default: u32, latest: u32) {
        if let Some(document) = self.regional.documents.get_mut(name) {
            (document.default_version, document.latest_version) = (default, latest);
        }
    }

    /// Deletes an SSM document, and returns whether it existed.
    pub fn delete_document(&mut self, name: &str) -> bool {
        self.regional.documents.remove(name).is_some()
    }

    /// Changes one of Systems Manager's settings, such as `/ssm/automation/customer-script-log-destination`.
    pub fn set_service_setting(&mut self, id: &str, value: &str) {
        self.regional.service_settings.insert(id.to_owned(), value.to_owned());
    }

    /// Creates a Lambda function without a policy and reserved concurrency, in place of any other with that name.
    pub fn add_function(&mut self, name: &str) {
        self.regional.functions.insert(name.to_owned(), Function::default());
    }

    /// Reserves concurrent executions for a function, as `PutFunctionConcurrency` does, or none, if the function exists.
    pub fn reserve_concurrency(&mut self, function: &str, reserved: Option<u32>) {
        if let Some(function) = self.regional.functions.get_mut(function) {
            function.reserved = reserved;
        }
    }

    /// Sets Lambda's quota of concurrent executions, which is 1,000 at first.
    pub fn set_concurrent_executions(&mut self, quota: u32) {
        self.regional.concurrent_executions = Some(quota);
    }

    /// Lets AWS Config of one account, or of any account, invoke a function, as `AddPermission` does.
    pub fn let_config_invoke(&mut self, function: &str, source_account: Option<&str>) {
        let mut statement = json!({
            "Sid": format!("config-{}", source_account.unwrap_or("any")),
            "Effect": "Allow",
            "Principal": { "Service": "config.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": self.function_arn(function),
        });
        if let Some(account) = source_account {
            statement["Condition"] = json!({ "StringEquals": { "AWS:SourceAccount": account } });
        }
        self.add_statement(function, statement);
    }

    /// Adds a statement to a function's policy, if the function exists.
    pub fn add_statement(&mut self, function: &str, statement: Value) {
        if let Some(function) = self.regional.functions.get_mut(function) {
            function.statements.push(statement);
        }
    }

    pub(crate) fn function_arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{}:function:{name}", self.id())
    }
}
