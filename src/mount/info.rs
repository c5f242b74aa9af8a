//! What the kernel says is mounted: a line of `/proc/self/mountinfo`, and the unit that systemd mounts a path by. PURE.
//!
//! Never asks a file system anything: the table is in the kernel's memory and is there while a mount hangs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// One mount (proc_pid_mountinfo(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its number, unique while it is mounted.
    pub id: u64,
    /// The device: major and minor. The minor of a FUSE mount is the number of its connection.
    pub device: (u32, u32),
    /// Where it is mounted.
    pub at: PathBuf,
    /// The type, such as `fuse.glusterfs`.
    pub kind: String,
    /// What is mounted, such as `pi1:/gv0`.
    pub source: String,
}

impl Mounted {
    /// Reads one line of the table; None when it is none.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let mut text = || std::str::from_utf8(fields.next()?).ok();
        let id = text()?.parse().ok()?;
        let (_parent, device) = (text()?, text()?.split_once(':')?);
        let device = (device.0.parse().ok()?, device.1.parse().ok()?);
        let _root = fields.next()?;
        let at = PathBuf::from(unescaped(fields.next()?));
        // The options of the mount, then optional fields up to a lone dash.
        let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
        let mut word = || Some(String::from_utf8_lossy(unescaped(rest.next()?).as_bytes()).into_owned());
        Some(Self { id, device, at, kind: word()?, source: word()? })
    }

    /// The line of the mount at `path`, the topmost when there are several.
    #[must_use]
    pub fn line_at<'t>(table: &'t [u8], path: &Path) -> Option<&'t [u8]> {
        let is_at = |line: &&[u8]| Self::of_line(line).is_some_and(|mounted| mounted.at == path);
        table.split(|byte| *byte == b'\n').rfind(is_at)
    }

    /// The mount with this number.
    #[must_use]
    pub fn with_id(table: &[u8], id: u64) -> Option<Self> {
        table.split(|byte| *byte == b'\n').filter_map(Self::of_line).find(|mounted| mounted.id == id)
    }

    /// The number of its FUSE connection; None when it is no FUSE mount. A block device behind FUSE has a major number
    /// and no connection of that name.
    #[must_use]
    pub fn connection(&self) -> Option<u32> {
        let fuse = self.kind == "fuse" || self.kind.starts_with("fuse.");
        (fuse && self.device.0 == 0).then_some(self.device.1)
    }

    /// What is mounted, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} from {}", self.kind, self.source)
    }
}

/// The kernel writes blank, tab, newline and backslash as `\` and three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
        let octal = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        let (byte, after) = octal.map_or((*first, after), |byte| (byte, &after[3..]));
        out.push(byte);
        rest = after;
    }
    OsString::from_vec(out)
}

/// The unit that mounts `path` (systemd.mount(5), systemd.unit(5) "STRING ESCAPING FOR INCLUSION IN UNIT NAMES").
#[must_use]
pub fn unit_of(path: &Path) -> String {
    let parts: Vec<&[u8]> =
        path.as_os_str().as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let mut name = String::new();
    for (index, byte) in parts.join(&b'/').into_iter().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            other => name.push_str(&format!("\\x{other:02x}")),
        }
    }
    if name.is_empty() {
        name.push('-');
    }
    name + ".mount"
}

/// `path` without doubled or trailing slashes and dots, as the table has it; no link is followed.
#[must_use]
pub fn plain(path: &Path) -> PathBuf {
    path.components().map(|part| -> &OsStr { part.as_os_str() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
        90 27 0:52 / /mnt/gluster1 rw,relatime shared:7 master:2 - fuse.glusterfs pi1:/gv0 rw,allow_other\n\
        91 27 0:60 / /mnt/two\\040words\\134 rw - autofs systemd-1 rw,fd=50\n\
        92 27 0:61 / /mnt/two\\040words\\134 rw - fuseblk /dev/sda1 rw\n\
        garbage\n";

    fn at(path: &str) -> Option<Mounted> {
        Mounted::of_line(Mounted::line_at(TABLE, Path::new(path))?)
    }

    #[test]
    fn a_line_says_what_is_mounted_where() {
        let gluster = at("/mnt/gluster1").unwrap();
        assert_eq!((gluster.id, gluster.device, gluster.connection()), (90, (0, 52), Some(52)));
        assert_eq!(gluster.describe(), "fuse.glusterfs from pi1:/gv0");
        assert_eq!((at("/").unwrap().kind.as_str(), at("/").unwrap().connection()), ("ext4", None));
        assert_eq!((at("/mnt"), at("/mnt/gluster1/www")), (None, None));
        assert_eq!(Mounted::with_id(TABLE, 90), Some(gluster));
        assert_eq!(Mounted::with_id(TABLE, 5), None);
    }

    #[test]
    fn names_are_unescaped_and_the_topmost_mount_counts() {
        let top = at("/mnt/two words\\").unwrap();
        assert_eq!((top.id, top.kind.as_str(), top.connection()), (92, "fuseblk", None));
    }

    #[test]
    fn no_line_of_any_kind_is_trouble() {
        for line in
            ["", " ", "1 2 3", "1 2 0:x / / rw - a b", "1 2 0:1 / /\\9 rw", "1 2 0:1 / / rw -", "- - - -"]
        {
            assert_eq!(Mounted::of_line(line.as_bytes()), None, "{line}");
        }
        let cut = Mounted::of_line(b"1 2 0:1 / /a\\04 rw - b c").unwrap();
        assert_eq!(cut.at, Path::new("/a\\04"), "an escape that is cut off is left as it is");
    }

    #[test]
    fn a_unit_is_named_as_systemd_names_it() {
        // systemd-escape --path --suffix=mount
        for (path, unit) in [
            ("/mnt/gluster1", "mnt-gluster1.mount"),
            ("//mnt//gluster-1/", "mnt-gluster\\x2d1.mount"),
            ("/.hidden/b.c", "\\x2ehidden-b.c.mount"),
            ("/srv/ü", "srv-\\xc3\\xbc.mount"),
            ("/", "-.mount"),
        ] {
            assert_eq!(unit_of(Path::new(path)), unit);
        }
    }

    #[test]
    fn a_path_is_made_plain() {
        assert_eq!(plain(Path::new("/mnt//gluster1/./")), Path::new("/mnt/gluster1"));
    }
}
