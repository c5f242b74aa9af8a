//! The example site, compiled in, so that the demo needs nothing but the binary.

use std::io;
use std::path::Path;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/site/", $path)))),*]
    };
}

/// Every file of `examples/site`: its path below the root, and its bytes.
pub const FILES: &[(&str, &[u8])] = files![
    "index.html",
    "about.html",
    "404.html",
    "posts/the-night-the-line-went-down/index.html",
    "css/site.css",
    "images/two-pis.svg",
    "images/lamps.svg",
    "images/night.png",
    "favicon.svg",
];

/// A text that is on the home page and nowhere else: what a visitor must get.
pub const MARKER: &str = "two-pis-and-a-watcher";

/// Writes the site below `root`.
///
/// # Errors
/// When a directory or file cannot be written.
pub fn write_to(root: &Path) -> io::Result<()> {
    for (path, bytes) in FILES {
        let file = root.join(path);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(directory: &Path, root: &Path, seen: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, root, seen);
            } else {
                seen.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_example_site_is_compiled_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/site");
        let mut there = Vec::new();
        below(&root, &root, &mut there);
        there.sort();
        let mut here: Vec<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        here.sort();
        assert!(!there.is_empty());
        assert_eq!(here, there);
    }

    #[test]
    fn the_marker_is_on_the_home_page_only() {
        let with: Vec<&str> = FILES
            .iter()
            .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains(MARKER))
            .map(|(path, _)| *path)
            .collect();
        assert_eq!(with, ["index.html"]);
    }

    #[test]
    fn no_page_asks_another_host_for_anything() {
        let mut pages = 0;
        for (path, bytes) in
            FILES.iter().filter(|(path, _)| path.ends_with(".html") || path.ends_with(".css"))
        {
            let text = String::from_utf8_lossy(bytes);
            for bad in ["src=\"http", "src=\"//", "href=\"http", "url(http", "@import"] {
                assert!(!text.contains(bad), "{path} has {bad}");
            }
            pages += 1;
        }
        assert!(pages >= 5);
    }

    #[test]
    fn the_site_is_written_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        write_to(root.path()).unwrap();
        for (path, bytes) in FILES {
            assert_eq!(&std::fs::read(root.path().join(path)).unwrap(), bytes);
        }
    }
}
