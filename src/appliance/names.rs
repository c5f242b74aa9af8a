//! Which of the card's files is the configuration: editors of Windows add an ending that nobody sees.
//!
//! Never opens one.

use super::CONFIG;

/// Endings that editors add.
const ADDED: [&str; 4] = ["", ".txt", ".toml", ".toml.txt"];

/// Files of Raspberry Pi Imager in forms that are programs, or nearly: they are not run.
const FOREIGN: [&str; 4] = ["firstrun.sh", "user-data", "network-config", "custom.toml"];

/// The files among `names` that may be meant as the configuration, the plain name first.
pub fn configurations<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let stem = CONFIG.trim_end_matches(".toml");
    let known: Vec<String> = [CONFIG, stem]
        .iter()
        .flat_map(|base| ADDED.map(|added| format!("{base}{added}")))
        .filter(|name| name != stem)
        .collect();
    let rank = |name: &str| known.iter().position(|known| known.eq_ignore_ascii_case(name));
    let mut found: Vec<_> = names.into_iter().filter_map(|name| Some((rank(name)?, name))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

/// What there is to say about files that are there and are not taken.
pub fn remarks<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let foreign =
        names.into_iter().filter(|name| FOREIGN.iter().any(|known| known.eq_ignore_ascii_case(name)));
    foreign
        .map(|name| {
            format!(
                "{name} was left alone: it is in a form of Raspberry Pi Imager that hearth does not run. Write the same \
                 into [pi] of {CONFIG}."
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_found_under_the_names_that_editors_give_it() {
        let card = [
            "config.txt",
            "HEARTH.TOML.TXT",
            "hearth.toml",
            "hearth.txt",
            "hearth",
            "hearth-status.txt",
            "hearth.toml.toml",
        ];
        assert_eq!(
            configurations(card),
            ["hearth.toml", "HEARTH.TOML.TXT", "hearth.toml.toml", "hearth.txt"]
        );
    }

    #[test]
    fn programs_of_the_imager_are_told_and_left_alone() {
        assert_eq!(remarks(["config.txt", "hearth.toml"]), Vec::<String>::new());
        let told = remarks(["firstrun.sh"]);
        assert!(told.len() == 1 && told[0].contains("firstrun.sh was left alone"), "{told:?}");
    }
}
