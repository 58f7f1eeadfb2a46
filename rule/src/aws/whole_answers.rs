//! Refuses an answer that ends early.
//!
//! The SDK's reader of XML takes the end of the text for the end of every element, and its reader of JSON takes no text for an
//! object without members. So a list that something on the way has cut would look like a shorter list, and its last users as if
//! they were gone; and results that AWS Config never got would look delivered.

use aws_sdk_iam::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::AfterDeserializationInterceptorContextRef,
};
use aws_sdk_iam::error::BoxError;

/// Fails a call whose answer is empty, or is XML without the end of its first element.
#[derive(Debug)]
pub(super) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match (context.output_or_error(), context.response().body().bytes()) {
            // An error says nothing about users or keys, and is classified as it is.
            (Ok(_), Some(body)) if !is_whole(body) => Err("the answer ends early".into()),
            _ => Ok(()),
        }
    }
}

/// Whether a document is an object of JSON, whose end the SDK checks, or ends with the end of its first element.
fn is_whole(document: &[u8]) -> bool {
    let mut rest = document.trim_ascii();
    // The XML declaration, comments.
    while rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        rest = rest.splitn(2, |byte| *byte == b'>').nth(1).unwrap_or_default().trim_ascii_start();
    }
    let Some(first) = rest.strip_prefix(b"<") else { return rest.starts_with(b"{") };
    let name = first.split(|byte| b" >/\n\r\t".contains(byte)).next().unwrap_or_default();
    rest.strip_suffix(b">").and_then(|rest| rest.strip_suffix(name)).is_some_and(|rest| rest.ends_with(b"</"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_ends_with_its_first_element() {
        for whole in [
            "{}",
            "<A></A>",
            "<A>\n<B/></A>\n",
            "<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><B>1</B></A>",
            "<!-- c --><A>1</A>",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for cut in [
            "",
            " ",
            "<A>",
            "<A><B></B>",
            "<A><B/>",
            "<?xml version=\"1.0\"?>",
            "<?xml",
            "<A></A",
            "text",
            "<A><A2></A2>",
        ] {
            assert!(!is_whole(cut.as_bytes()), "{cut}");
        }
    }
}
