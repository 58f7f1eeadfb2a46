use super::*;
use aws_sdk_iam::operation::list_users::ListUsersError;
use futures_util::future::join_all;

#[tokio::test]
async fn calls_do_not_exceed_the_rate() {
    let calls = Calls::at_most(100);
    let start = Instant::now();
    let sent = Mutex::new(Vec::new());
    let one = || {
        calls.call("iam:ListUsers", start + Duration::from_secs(60), || async {
            lock(&sent).push(start.elapsed());
            Ok::<_, SdkError<ListUsersError, HttpResponse>>(())
        })
    };
    assert!(join_all((0..20).map(|_| one())).await.iter().all(Result::is_ok));
    // On a slow machine, calls come later, but never earlier.
    for (number, at) in (0..).zip(lock(&sent).iter()) {
        assert!(*at >= Duration::from_millis(10) * number, "call {number} after {at:?}");
    }
}

fn follow(tokens: &[&str]) -> (usize, bool) {
    let mut tokens = tokens.iter().map(|token| (*token).to_owned());
    let mut pages = Pages::of("config:Describe");
    let mut asked = 0;
    while pages.more() {
        asked += 1;
        if pages.turn(tokens.next()).is_err() {
            return (asked, false);
        }
    }
    (asked, true)
}

#[test]
fn a_listing_ends_with_a_page_without_a_token() {
    assert_eq!(follow(&[]), (1, true));
    assert_eq!(follow(&["a", "b"]), (3, true));
    assert_eq!(follow(&["a", "", "c"]), (2, true));
}

#[test]
fn a_listing_without_an_end_is_an_error() {
    assert_eq!(follow(&["a", "b", "b"]), (3, false));
    let different: Vec<_> = (0..2 * MOST_PAGES).map(|number| number.to_string()).collect();
    assert_eq!(follow(&different.iter().map(String::as_str).collect::<Vec<_>>()), (MOST_PAGES, false));
    assert!(Pages::of("iam:ListUsers").turn_if(true, None).is_err());
    assert!(Pages::of("iam:ListUsers").turn_if(true, Some(String::new())).is_err());
}

#[test]
fn a_marker_is_ignored_if_the_listing_is_not_truncated() {
    let mut pages = Pages::of("iam:ListUsers");
    assert!(pages.turn_if(false, Some("a".to_owned())).is_ok() && !pages.more());
}

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
    for cut in
        ["", " ", "<A>", "<A><B></B>", "<A><B/>", "<?xml version=\"1.0\"?>", "<?xml", "<A></A", "text", "<A><A2></A2>"]
    {
        assert!(!is_whole(cut.as_bytes()), "{cut}");
    }
}
