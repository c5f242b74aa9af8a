//! DuckDNS: one A, one AAAA and one TXT record for each name, and `OK` or `KO`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{MINUTE, Reply, Request, Row, Vendor, Window};

/// What is taken for the caller's address when the caller does not say one.
pub(crate) const GUESSED: &str = "198.51.100.99";
/// Its rate limit is not written down; more updates than this in a minute are refused here.
const UPDATES_A_MINUTE: usize = 20;

/// What stands at one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) v4: String,
    pub(crate) v6: String,
    pub(crate) txt: String,
}

/// The service with one account.
pub(crate) struct DuckDns {
    pub(crate) token: String,
    /// By the label below duckdns.org.
    pub(crate) names: BTreeMap<String, Entry>,
    updates: Window,
    penalties: Vec<String>,
}

impl DuckDns {
    pub(crate) fn new(token: &str, names: &[&str]) -> Self {
        Self {
            token: token.to_owned(),
            names: names.iter().map(|name| ((*name).to_owned(), Entry::default())).collect(),
            updates: Window::default(),
            penalties: Vec::new(),
        }
    }

    /// The updates of this minute are used up, by another client of the account.
    pub(crate) fn exhaust(&mut self, now: Duration) {
        (0..UPDATES_A_MINUTE).for_each(|_| _ = self.updates.note(now, MINUTE));
    }

    /// What to say, or None for `KO`.
    fn decide(&mut self, request: &Request) -> Option<String> {
        let fields = request.fields();
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        if request.path != "/update" || field("token") != self.token {
            self.penalties.push("a wrong token".to_owned());
            return None;
        }
        let entry = self.names.get_mut(field("domains"))?;
        let before = entry.clone();
        if field("clear") == "true" {
            *entry = Entry::default();
        } else if fields.contains_key("txt") {
            field("txt").clone_into(&mut entry.txt);
        } else {
            let guess = field("ip").is_empty() && field("ipv6").is_empty();
            if guess || !field("ip").is_empty() {
                if guess { GUESSED } else { field("ip") }.clone_into(&mut entry.v4);
            }
            if !field("ipv6").is_empty() {
                field("ipv6").clone_into(&mut entry.v6);
            }
        }
        let said = if *entry == before { "NOCHANGE" } else { "UPDATED" };
        if said == "NOCHANGE" {
            self.penalties.push("an update that changed nothing".to_owned());
        }
        let entry = &self.names[field("domains")];
        Some(match field("verbose") {
            "true" => format!("OK\n{}\n{}\n{said}", entry.v4, entry.v6),
            _ => "OK".to_owned(),
        })
    }
}

impl Vendor for DuckDns {
    fn answer(&mut self, request: &Request, now: Duration) -> Reply {
        if self.updates.note(now, MINUTE) > UPDATES_A_MINUTE {
            self.penalties.push("too many updates".to_owned());
            return Reply::text(429, "").with("retry-after", "60");
        }
        Reply::text(200, self.decide(request).unwrap_or_else(|| "KO".to_owned()))
    }

    fn writes(&self, request: &Request) -> bool {
        request.path == "/update"
    }

    fn rows(&self) -> Vec<Row> {
        let row = |name: &str, kind, value: &str| {
            (!value.is_empty()).then(|| Row::new(&format!("{name}.duckdns.org"), kind, value, 60))
        };
        let rows = self.names.iter().flat_map(|(name, e)| {
            [row(name, "A", &e.v4), row(name, "AAAA", &e.v6), row(name, "TXT", &e.txt)]
        });
        rows.flatten().collect()
    }

    fn penalties(&self) -> &[String] {
        &self.penalties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn ask(service: &mut DuckDns, query: &str) -> String {
        let (method, path, query) = ("GET".to_owned(), "/update".to_owned(), query.to_owned());
        service.answer(&Request { method, path, query, ..Request::default() }, NOW).body
    }

    #[test]
    fn one_address_of_each_family_is_kept_and_a_bad_token_is_ko() {
        let mut service = DuckDns::new("t", &["pi"]);
        assert_eq!(
            ask(&mut service, "domains=pi&token=t&ip=192.0.2.1&verbose=true"),
            "OK\n192.0.2.1\n\nUPDATED"
        );
        assert_eq!(ask(&mut service, "domains=pi&token=t&ip=192.0.2.2"), "OK");
        assert_eq!(
            ask(&mut service, "domains=pi&token=t&ipv6=2001:db8::1&verbose=true"),
            "OK\n192.0.2.2\n2001:db8::1\nUPDATED"
        );
        assert_eq!(ask(&mut service, "domains=pi&token=x&ip=192.0.2.3"), "KO");
        assert_eq!(ask(&mut service, "domains=other&token=t&ip=192.0.2.3"), "KO");
        assert_eq!(service.rows().len(), 2);
    }

    #[test]
    fn without_an_address_the_callers_is_taken() {
        let mut service = DuckDns::new("t", &["pi"]);
        ask(&mut service, "domains=pi&token=t");
        assert_eq!(service.names["pi"].v4, GUESSED);
    }
}
