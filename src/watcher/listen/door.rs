//! Who may look at the watcher, and who may tell it something.
//!
//! Beats have seals of their own and do not come this way. Never keeps the token itself, only its digest, and never
//! says how close a wrong one was.

use data_encoding::BASE64;
use hyper::Request;
use hyper::header::{self, HeaderValue};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::config::PageAccess;
use crate::secret::Secret;

/// Who may come in.
#[derive(Debug)]
pub struct Door {
    page: PageAccess,
    /// The digest of the token. None: there is none, so nobody may act.
    token: Option<[u8; SHA256_OUTPUT_LEN]>,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// There is no such door.
    Nothing,
    /// The token is missing or wrong.
    Token,
}

impl Door {
    /// The door as it is configured.
    #[must_use]
    pub fn new(page: PageAccess, token: Option<&Secret<String>>) -> Self {
        Self { page, token: token.map(|token| hash(token.expose().as_bytes())) }
    }

    /// Whether this request may see the status: by a bearer token (RFC 6750), or as a browser asks for a password, by
    /// any name and the token (RFC 7617).
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_look<B>(&self, request: &Request<B>) -> Result<(), Closed> {
        match self.page {
            PageAccess::Public => Ok(()),
            PageAccess::Off => Err(Closed::Nothing),
            PageAccess::Token => {
                let given = credentials(request);
                let token =
                    given.and_then(|given| bearer(given).map(<[u8]>::to_vec).or_else(|| password(given)));
                self.is_token(token.as_deref())
            }
        }
    }

    /// Whether this request may change something: by a bearer token alone, which a browser never adds by itself.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_act<B>(&self, request: &Request<B>) -> Result<(), Closed> {
        if self.token.is_none() {
            return Err(Closed::Nothing);
        }
        self.is_token(credentials(request).and_then(bearer))
    }

    fn is_token(&self, given: Option<&[u8]>) -> Result<(), Closed> {
        // Digests are compared: how long that takes tells nothing of the token.
        let good = given.is_some_and(|given| self.token == Some(hash(given)));
        if good { Ok(()) } else { Err(Closed::Token) }
    }
}

fn hash(text: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, text).as_ref());
    hash
}

/// The credentials, when there is exactly one line of them.
fn credentials<B>(request: &Request<B>) -> Option<&[u8]> {
    let mut lines = request.headers().get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    lines.next().filter(|_| lines.next().is_none())
}

fn after<'a>(scheme: &str, credentials: &'a [u8]) -> Option<&'a [u8]> {
    let (given, rest) = credentials.split_at_checked(scheme.len())?;
    given.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest.trim_ascii())
}

fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    after("Bearer ", credentials)
}

fn password(credentials: &[u8]) -> Option<Vec<u8>> {
    let pair = BASE64.decode(after("Basic ", credentials)?).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(credentials: &[&str]) -> Request<()> {
        let with = |request: hyper::http::request::Builder, line: &&str| {
            request.header(header::AUTHORIZATION, *line)
        };
        credentials.iter().fold(Request::builder(), with).body(()).unwrap()
    }

    #[test]
    fn the_token_opens_the_page_and_a_bearer_alone_may_act() {
        let door = Door::new(PageAccess::Token, Some(&Secret::new("s3same".to_owned())));
        let basic = format!("Basic {}", BASE64.encode(b"anybody:s3same"));
        let wrong = format!("basic {}", BASE64.encode(b"s3same:other"));
        let table: [(&[&str], bool, bool); 8] = [
            (&[], false, false),
            (&["Bearer s3same"], true, true),
            (&["bearer  s3same"], true, true),
            (&[&basic], true, false),
            (&[&wrong], false, false),
            (&["Bearer s3sam"], false, false),
            (&["Bearer "], false, false),
            (&["Bearer s3same", "Bearer s3same"], false, false),
        ];
        for (credentials, look, act) in table {
            let request = asking(credentials);
            assert_eq!(door.may_look(&request).is_ok(), look, "{credentials:?}");
            assert_eq!(door.may_act(&request).is_ok(), act, "{credentials:?}");
        }
    }

    #[test]
    fn without_a_token_everybody_may_look_and_nobody_may_act() {
        let door = Door::new(PageAccess::Public, None);
        assert_eq!(door.may_look(&asking(&[])), Ok(()));
        assert_eq!(door.may_act(&asking(&["Bearer "])), Err(Closed::Nothing));
        assert_eq!(Door::new(PageAccess::Off, None).may_look(&asking(&[])), Err(Closed::Nothing));
        assert!(
            !format!("{:?}", Door::new(PageAccess::Token, Some(&Secret::new("s3same".to_owned()))))
                .contains("s3same")
        );
    }
}
