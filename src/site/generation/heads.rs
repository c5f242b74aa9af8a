//! The heads of a generation: what every answer begins with, made once and not for each request.
//!
//! PURE. Never knows a request: what differs from second to second has room in a head and is filled in later.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, EXPIRES, HeaderValue, LAST_MODIFIED, VARY,
};

use super::adopted::Adopted;
use super::date::{date, seconds, since_1970, unix};
use super::entry::{Entry, LeftFile, Representation, Stored};
use super::file::{Content, File};
use super::head::Head;
use crate::site::negotiate::Coding;
use crate::site::{Rules, media};

/// Which answer a head is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Page,
    NotFound,
}

/// Writes heads; those of the same kind are shared.
pub(super) struct Writer<'a> {
    rules: Rules,
    adopted: &'a Adopted,
    deployed: SystemTime,
    heads: HashMap<(HeaderValue, Coding, Answer), Arc<Head>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(rules: Rules, deployed: SystemTime, adopted: &'a Adopted) -> Self {
        Self { rules, adopted, deployed, heads: HashMap::new() }
    }

    pub(super) fn entry(&mut self, name: &str, file: &File, answer: Answer) -> Entry {
        let modified = match self.rules {
            Rules::GithubPages => self.adopted.date_of(name, file.digest).map_or(self.deployed, since_1970),
            Rules::Spa | Rules::Files => seconds(file.stamp.mtime),
        };
        let content_type = media::content_type(name);
        let stored = stored(name, file).into_iter().map(|(coding, stored)| Representation {
            coding,
            etag: self.etag(file, modified, coding),
            length: HeaderValue::from(stored.size()),
            stored,
            head: self.head(&content_type, coding, answer),
        });
        let representations = stored.collect();
        Entry { modified, modified_text: date(modified), digest: file.digest, representations }
    }

    /// GitHub Pages: hex time of the deploy, hex size; so that what it has answered is still good here. Otherwise the
    /// content's digest.
    fn etag(&self, file: &File, modified: SystemTime, coding: Coding) -> HeaderValue {
        let opaque = match self.rules {
            Rules::GithubPages => format!("{:x}-{:x}", unix(modified), file.stamp.size),
            Rules::Spa | Rules::Files => data_encoding::HEXLOWER.encode(&file.digest.0[..12]),
        };
        let weak = if coding == Coding::Identity { "" } else { "W/" };
        HeaderValue::from_str(&format!("{weak}\"{opaque}\""))
            .expect("hex digits and a dash are visible ASCII")
    }

    fn head(&mut self, content_type: &HeaderValue, coding: Coding, answer: Answer) -> Arc<Head> {
        let rules = self.rules;
        let key = (content_type.clone(), coding, answer);
        let new = || Arc::new(Head::of(new_head(content_type, coding, answer, rules)));
        Arc::clone(self.heads.entry(key).or_insert_with(new))
    }
}

/// Every encoding that there is of a file.
fn stored(name: &str, file: &File) -> Vec<(Coding, Stored)> {
    match &file.content {
        Content::Held { identity, encoded } => {
            let compressed = encoded.iter().flat_map(|e| e.iter().cloned());
            let all = std::iter::once((Coding::Identity, identity.clone())).chain(compressed);
            all.map(|(coding, bytes)| (coding, Stored::Held(bytes))).collect()
        }
        Content::Left => {
            let left = LeftFile { name: name.into(), stamp: file.stamp };
            vec![(Coding::Identity, Stored::Left(Arc::new(left)))]
        }
    }
}

/// A head with room for what differs from file to file and from second to second.
fn new_head(content_type: &HeaderValue, coding: Coding, answer: Answer, rules: Rules) -> HeaderMap {
    let empty = HeaderValue::from_static("");
    let mut head = HeaderMap::with_capacity(12);
    head.insert(CONTENT_TYPE, content_type.clone());
    head.insert(CONTENT_LENGTH, empty.clone());
    head.insert(ETAG, empty.clone());
    head.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if coding != Coding::Identity {
        head.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    if rules == Rules::GithubPages {
        head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if answer == Answer::Page {
        head.insert(LAST_MODIFIED, empty.clone());
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if rules == Rules::GithubPages {
            head.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
            head.insert(EXPIRES, empty);
        }
    }
    head
}
