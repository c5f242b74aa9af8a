//! Files that do not fit into the memory that the site may take.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::rig::{self, HOST, Moody, Plan, Site};
use crate::support::http;
use crate::support::wait_until;

const SIZE: u64 = 2 << 30;
/// A place beyond what 31 bits count.
const MARK_AT: u64 = SIZE - 1000;
const MARK: &[u8] = b"the end is near";

/// A sparse file with a mark near its end.
fn write_large(path: &Path, size: u64, mark_at: u64) {
    let mut file = std::fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    file.seek(SeekFrom::Start(mark_at)).unwrap();
    file.write_all(MARK).unwrap();
}

fn serve(plan: Plan, size: u64, mark_at: u64) -> Site {
    let site = rig::start(Plan { memory: 1000, ..plan }, |root| {
        std::fs::write(root.join("index.html"), "home").unwrap();
        write_large(&root.join("film.mp4"), size, mark_at);
    });
    site.wait_for("the site", |s| s.generation.is_some());
    site
}

#[test]
fn two_gigabytes_are_served_whole_and_in_parts() {
    let site = serve(Plan::default(), SIZE, MARK_AT);
    let head = site.ask("HEAD", "/film.mp4", &[]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("2147483648"), 0));
    assert_eq!(head.header("content-type"), Some("video/mp4"));
    let etag = head.header("etag").unwrap();
    assert_eq!(site.ask("GET", "/film.mp4", &[&format!("If-None-Match: {etag}")]).status, 304);

    let part = |range: &str| site.ask("GET", "/film.mp4", &[&format!("Range: bytes={range}")]);
    let end = MARK_AT + MARK.len() as u64 - 1;
    let marked = part(&format!("{MARK_AT}-{end}"));
    assert_eq!((marked.status, marked.body.as_slice()), (206, MARK));
    assert_eq!(marked.header("content-range"), Some(format!("bytes {MARK_AT}-{end}/{SIZE}").as_str()));
    let tail = part("-1000");
    assert_eq!((tail.body.len(), &tail.body[..MARK.len()]), (1000, MARK));
    let middle = part(&format!("{}-", SIZE - 700_000));
    assert_eq!((middle.body.len(), &middle.body[699_000..699_000 + MARK.len()]), (700_000, MARK));
    assert_eq!(part(&format!("{SIZE}-")).status, 416);

    let many_pieces = part(&format!("{}-", SIZE - (64 << 20)));
    assert_eq!(many_pieces.body.len(), 64 << 20);
    assert_eq!(&many_pieces.body[(64 << 20) - 1000..][..MARK.len()], MARK);

    // The whole is sent too; whoever has seen enough of it may leave.
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(format!("GET /film.mp4 HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    let mut first = vec![0; 8 << 20];
    stream.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200 OK\r\n"));
    drop(stream);
    assert_eq!(part("0-9").body.len(), 10);
}

#[test]
fn when_large_files_hang_they_alone_are_503() {
    let moody = Moody::new();
    let site = serve(Plan { loader: moody.program.clone(), ..Plan::default() }, 1 << 20, 5);
    moody.hang();
    let large = || site.get("/film.mp4");
    let stuck = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..6).map(|_| scope.spawn(large)).collect();
        let mut quick = 0;
        while asked.iter().any(|one| !one.is_finished()) {
            let start = std::time::Instant::now();
            assert_eq!(site.get("/").text(), "home");
            assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
            quick += 1;
        }
        assert!(quick > 10, "{quick}");
        asked.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    for answer in stuck {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    let again = std::time::Instant::now();
    assert_eq!(site.ask("HEAD", "/film.mp4", &[]).status, 200, "what is known of it is told");
    assert!(again.elapsed().as_millis() < 500);
    moody.work();
    wait_until("the large file again", rig::PATIENCE, || (large().status == 200).then_some(()));
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_broken_off() {
    let site = serve(Plan::default(), 256 << 20, 5);
    let mut stream = http::connect(site.address).unwrap();
    stream.write_all(format!("GET /film.mp4 HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).unwrap();
    let mut buffer = vec![0; 1 << 16];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    write_large(&site.root.join("film.mp4"), 256 << 20, 50);
    let mut read = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => read += count,
        }
    }
    assert!(read < 255 << 20, "{read}");
    wait_until("the new one", rig::PATIENCE, || {
        let part = site.ask("GET", "/film.mp4", &["Range: bytes=50-64"]);
        (part.body == MARK).then_some(())
    });
}
