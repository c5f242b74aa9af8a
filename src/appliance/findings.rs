//! What a person who reads the card should know beside what the agent says: each finding with what to do about it.
//!
//! PURE. Never says a number that changes by itself: every new word is a write to the card.

/// Whether what must last does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The persistent partition is mounted and can be written.
    Kept,
    /// It is all but full.
    Full,
    /// The kernel made it read-only, as it does after an error.
    ReadOnly,
    /// It is not mounted: secrets and state are in memory.
    InMemory,
}

/// Whether something has come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Come {
    /// It has.
    Yes,
    /// Not yet.
    NotYet,
}

impl From<bool> for Come {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::NotYet }
    }
}

/// What to make of the name that this Pi has on the local network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is its own, as far as anybody can say.
    Own,
    /// It is to ask for its own once more.
    AskAgain,
    /// Another machine has its own, and it goes by this one.
    Otherwise(String),
}

/// What to make of `published` where the Pi is called `own`. systemd-resolved gives a name up to another machine, but now and
/// then also to what it said itself while the addresses came in (systemd issue 42072): what it says counts when it was `asked` again.
#[must_use]
pub fn named(published: Option<String>, own: &str, asked: Come) -> Named {
    match (published, asked) {
        (None, _) => Named::Own,
        (Some(published), _) if published == own => Named::Own,
        (Some(_), Come::NotYet) => Named::AskAgain,
        (Some(published), Come::Yes) => Named::Otherwise(published),
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How the persistent partition stands.
    pub keeping: Keeping,
    /// Whether a time server set the clock.
    pub clock: Come,
    /// What this Pi is called on the local network, where another machine has its name.
    pub renamed: Option<String>,
    /// The units of systemd that failed.
    pub failed: Vec<String>,
    /// Where the volume of `[gluster]` belongs and whether it is mounted; None: there is none.
    pub volume: Option<(String, Come)>,
    /// What the configuration allows and probably does not mean.
    pub warnings: Vec<String>,
}

/// What is wrong, the worst first.
#[must_use]
pub fn findings(facts: &Facts) -> Vec<String> {
    let failed = facts.failed.iter().map(|unit| {
        format!("{unit} failed. Start the Pi again; when it says so then too, write the card anew.")
    });
    let warnings = facts.warnings.iter().map(|warning| format!("{warning}."));
    let seen = keeping(facts.keeping).into_iter().chain(failed).chain(clock(facts));
    let seen = seen.chain(renamed(facts)).chain(volume(facts));
    seen.chain(warnings).collect()
}

fn keeping(keeping: Keeping) -> Option<String> {
    let (what, remedy) = match keeping {
        Keeping::Kept => return None,
        Keeping::Full => ("is all but full", "take a larger card, or remove what lies in /srv"),
        Keeping::ReadOnly => ("had an error and is read-only", "start the Pi again; soon take a new card"),
        Keeping::InMemory => (
            "cannot be used: secrets and state are gone at every start",
            "start the Pi again; when it says so then too, write the card anew",
        ),
    };
    Some(format!("The card's last partition {what}: {remedy}."))
}

fn clock(facts: &Facts) -> Option<String> {
    (facts.clock == Come::NotYet).then(|| {
        "The clock was not set: no time server has answered. HTTPS and DNS updates wait for it; let UDP port 123 out."
            .to_owned()
    })
}

fn renamed(facts: &Facts) -> Option<String> {
    let published = facts.renamed.as_ref()?;
    Some(format!(
        "Another machine of this network has this Pi's name, and this one is {published}.local for now: give one of them \
         another `hostname`."
    ))
}

fn volume(facts: &Facts) -> Option<String> {
    let (place, _) = facts.volume.as_ref().filter(|(_, mounted)| *mounted == Come::NotYet)?;
    Some(format!(
        "The volume at {place} is not mounted: the other Pi must be on, and both must find each other by the names in \
         [gluster]."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Facts {
        Facts {
            keeping: Keeping::Kept,
            clock: Come::Yes,
            renamed: None,
            failed: Vec::new(),
            volume: Some(("/mnt/gluster1".to_owned(), Come::Yes)),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_name_that_was_given_up_is_asked_for_once_more_before_it_is_told() {
        let named = |published: &str, asked| named(Some(published.to_owned()), "pi2", asked);
        assert_eq!(super::named(None, "pi2", Come::Yes), Named::Own, "nobody can say");
        assert_eq!(named("pi7", Come::NotYet), Named::AskAgain);
        assert_eq!(named("pi7", Come::Yes), Named::Otherwise("pi7".to_owned()));
        assert_eq!([Come::Yes, Come::NotYet].map(|asked| named("pi2", asked)), [Named::Own, Named::Own]);
    }

    #[test]
    fn a_pi_that_is_well_has_none() {
        assert_eq!(findings(&well()), [""; 0]);
    }

    #[test]
    fn each_says_what_is_wrong_and_what_to_do() {
        type Change = fn(&mut Facts);
        let table: [(Change, &str, &str); 8] = [
            (|f| f.keeping = Keeping::Full, "all but full", "a larger card"),
            (|f| f.keeping = Keeping::ReadOnly, "read-only", "a new card"),
            (|f| f.keeping = Keeping::InMemory, "gone at every start", "write the card anew"),
            (|f| f.clock = Come::NotYet, "no time server", "UDP port 123"),
            (|f| f.renamed = Some("pi7".to_owned()), "this one is pi7.local", "another `hostname`"),
            (
                |f| f.failed.push("glusterd.service".to_owned()),
                "glusterd.service failed",
                "Start the Pi again",
            ),
            (|f| f.volume = Some(("/mnt/g".to_owned(), Come::NotYet)), "/mnt/g is not mounted", "names"),
            (|f| f.warnings.push("hearth.toml:3:1: a".to_owned()), "hearth.toml:3:1: a", "."),
        ];
        for (change, what, remedy) in table {
            let mut facts = well();
            change(&mut facts);
            let found = findings(&facts);
            assert!(found.len() == 1 && found[0].contains(what) && found[0].contains(remedy), "{found:?}");
        }
    }
}
