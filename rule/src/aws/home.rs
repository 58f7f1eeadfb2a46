//! Where the function runs.

use crate::error::Error;

/// Where the function runs, from its ARN in the Lambda context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The function's Region, which is also the rule's.
    pub region: String,
    /// The function's account, twelve digits.
    pub account: String,
}

impl Home {
    /// Reads `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME`.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`] if the ARN has another form.
    pub fn from_function_arn(arn: &str) -> Result<Home, Error> {
        match arn.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "lambda", region, account, "function", ..] if is_account_id(account) => {
                Ok(Home { partition: partition.to_owned(), region: region.to_owned(), account: account.to_owned() })
            }
            _ => Err(Error::InvalidEvent("the invoked function's ARN is not the ARN of a Lambda function".to_owned())),
        }
    }

    /// The ARN of a function in this account and Region, without a qualifier.
    pub fn function_arn(&self, name: &str) -> String {
        let Home { partition, region, account } = self;
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }
}

/// Whether the text is twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
