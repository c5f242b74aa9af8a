use super::*;

fn file(text: &'static str) -> Arc<File> {
    let stamp = Stamp { inode: 1, size: text.len() as u64, mtime: 5, ctime: 6 };
    Arc::new(File::held(stamp, Bytes::from_static(text.as_bytes())))
}

fn copy(texts: &[(&str, &'static str)]) -> Copy {
    let mut files: Files = texts.iter().map(|(name, text)| (Box::from(*name), file(text))).collect();
    files.insert("large.bin".into(), Arc::new(File::left(Stamp { size: 1 << 40, ..Stamp::default() })));
    let names: String = texts.iter().flat_map(|(name, text)| [*name, "\0", *text, "\0"]).collect();
    let origin = Origin { root: "/mnt/www".into(), file_system: 7, sentinel: None };
    Copy { generation: Digest::of(names.as_bytes()), deployed: 99, origin, files }
}

fn content<'a>(copy: &'a Copy, name: &str) -> &'a [u8] {
    match &copy.files[name].content {
        Content::Held { identity, .. } => identity,
        Content::Left => b"(left)",
    }
}

/// Every file below a directory with its inode: a file that was written again has another time or inode.
fn below(directory: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::metadata(&path).unwrap();
        if meta.is_dir() {
            seen.append(&mut below(&path));
        }
        seen.insert(path, (meta.ino(), meta.mtime(), meta.mtime_nsec()));
    }
    seen
}

const SITE: &[(&str, &str)] = &[("index.html", "home"), ("a/b.css", "style"), ("twin.css", "style")];

#[test]
fn what_is_restored_is_what_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Keeper::at(directory.path().join("keep")).restore().unwrap().is_none());
    Keeper::at(directory.path().join("keep")).keep(&copy(SITE)).unwrap();
    let mut keeper = Keeper::at(directory.path().join("keep"));
    let restored = keeper.restore().unwrap().unwrap();
    assert_eq!((restored.deployed, &restored.origin), (99, &copy(SITE).origin));
    assert_eq!(keeper.generation(), Some(restored.generation));
    assert_eq!(
        (content(&restored, "a/b.css"), content(&restored, "twin.css")),
        (&b"style"[..], &b"style"[..])
    );
    assert_eq!((content(&restored, "large.bin"), restored.files.len()), (&b"(left)"[..], 4));
}

#[test]
fn the_same_content_is_not_written_again_and_a_change_writes_only_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::at(directory.path().to_owned());
    assert_eq!(keeper.keep(&copy(SITE)).unwrap(), Saved::Written);
    let before = below(directory.path());
    assert_eq!(keeper.keep(&copy(SITE)).unwrap(), Saved::Unchanged);
    let mut after_restart = Keeper::at(directory.path().to_owned());
    after_restart.restore().unwrap().unwrap();
    assert_eq!(after_restart.keep(&copy(SITE)).unwrap(), Saved::Unchanged);
    assert_eq!(below(directory.path()), before);

    after_restart.keep(&copy(&[("index.html", "home"), ("new.css", "new")])).unwrap();
    let after = below(directory.path());
    let object =
        |text: &str| directory.path().join("copy/objects").join(Digest::of(text.as_bytes()).to_string());
    assert_eq!(after[&object("home")], before[&object("home")]);
    assert!(after.contains_key(&object("new")) && !after.contains_key(&object("style")));
}

#[test]
fn a_copy_that_is_cut_or_changed_at_any_byte_is_refused_and_set_aside() {
    let spoil: [fn(&mut Vec<u8>, usize); 2] = [Vec::truncate, |bytes, at| bytes[at] ^= 1];
    let mut tried = 0;
    for spoil in spoil {
        for which in ["copy/manifest".to_owned(), format!("copy/objects/{}", Digest::of(b"style"))] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(&which);
            Keeper::at(directory.path().to_owned()).keep(&copy(SITE)).unwrap();
            let whole = fs::read(&path).unwrap();
            for at in (0..whole.len()).step_by(if which.contains("objects") { 1 } else { 7 }) {
                let mut spoilt = whole.clone();
                spoil(&mut spoilt, at);
                fs::write(&path, spoilt).unwrap();
                let mut keeper = Keeper::at(directory.path().to_owned());
                let error = keeper.restore().unwrap_err();
                assert!(matches!(error, KeepError::Damaged { .. }), "{which} at {at}: {error}");
                assert!(directory.path().join("damaged/objects").is_dir());
                assert!(keeper.restore().unwrap().is_none(), "{which} at {at}: reported once");
                keeper.keep(&copy(SITE)).unwrap();
                assert!(Keeper::at(directory.path().to_owned()).restore().unwrap().is_some());
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn an_object_that_is_missing_makes_the_copy_damaged() {
    let directory = tempfile::tempdir().unwrap();
    Keeper::at(directory.path().to_owned()).keep(&copy(SITE)).unwrap();
    fs::remove_file(directory.path().join("copy/objects").join(Digest::of(b"home").to_string())).unwrap();
    let error = Keeper::at(directory.path().to_owned()).restore().unwrap_err().to_string();
    assert!(error.contains("index.html") && error.contains("damaged"), "{error}");
}

#[test]
fn what_an_interrupted_writer_left_is_neither_trusted_nor_kept() {
    let directory = tempfile::tempdir().unwrap();
    Keeper::at(directory.path().to_owned()).keep(&copy(SITE)).unwrap();
    let torn = directory.path().join("copy/objects").join(Digest::of(b"new").to_string());
    fs::write(&torn, "n").unwrap();
    fs::write(directory.path().join("copy/objects/rubbish"), "").unwrap();
    let mut keeper = Keeper::at(directory.path().to_owned());
    assert!(keeper.restore().unwrap().is_some(), "the copy before is whole");
    keeper.keep(&copy(&[("index.html", "new")])).unwrap();
    assert_eq!(fs::read(&torn).unwrap(), b"new");
    assert!(!directory.path().join("copy/objects/rubbish").exists());
}
