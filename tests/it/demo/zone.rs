//! The name server of the demo.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use data_encoding::BASE64;
use hearth::demo::zone::Zone;
use hearth::demo::zone::serve::{Key, ZoneServer};
use hearth::demo::zone::update::Rights;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{a, name, over_udp, replace, signer, wall};

const SECRET: &[u8] = b"not a secret: it guards a zone of this test";

/// A zone with two addresses at `www`, which the key `watcher.` may write, and nobody else.
async fn server() -> ZoneServer {
    let mut zone = Zone::new(name("hearth.test."));
    zone.put(&name("www.hearth.test."), 60, a(11));
    zone.put(&name("www.hearth.test."), 60, a(12));
    zone.put(&name("alias.hearth.test."), 60, RData::CNAME(CNAME(name("www.hearth.test."))));
    let watcher = Key { signer: signer("watcher.", SECRET), rights: Rights::to([name("www.hearth.test.")]) };
    let pi1 = Key { signer: signer("pi1.", SECRET), rights: Rights::to([name("pi1.hearth.test.")]) };
    ZoneServer::start(zone, vec![watcher, pi1], name("www.hearth.test.")).await.unwrap()
}

/// Sends bytes over TCP, length first (RFC 1035 section 4.2.2), and takes the answer.
async fn over_tcp(server: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

fn question(owner: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(name(owner), kind));
    message.to_vec().unwrap()
}

#[tokio::test]
async fn the_zone_answers_over_udp_and_tcp_alike() {
    let server = server().await;
    for (owner, answers) in [("www.hearth.test.", 2), ("alias.hearth.test.", 3)] {
        let bytes = question(owner, RecordType::A);
        for answer in [over_udp(server.address(), &bytes).await, over_tcp(server.address(), &bytes).await] {
            let message = Message::from_vec(&answer).unwrap();
            assert!(message.metadata.authoritative && !message.metadata.recursion_available);
            assert_eq!(
                (message.metadata.response_code, message.answers.len()),
                (ResponseCode::NoError, answers)
            );
        }
    }
}

#[tokio::test]
async fn a_signed_update_lands_and_is_announced_and_its_answer_is_signed() {
    let server = server().await;
    let mut landed = server.landed();
    let mut message = replace("www.hearth.test.", 21);
    let mut verifier = message.finalize(&signer("watcher.", SECRET), wall()).unwrap().unwrap();
    let answer = over_udp(server.address(), &message.to_vec().unwrap()).await;
    let verified = verifier.verify(&answer).expect("the answer carries a good signature");
    assert_eq!(verified.metadata.response_code, ResponseCode::NoError);
    let news = landed.try_recv().expect("the change is announced before the answer is");
    assert_eq!((news.serial, news.by, news.changes.len()), (2, name("watcher."), 1));
    let set = server.zone().set(&name("www.hearth.test."), RecordType::A).cloned().unwrap();
    assert_eq!(set.members, [a(21)]);
    assert_eq!(server.emptied(), 0);
}

#[tokio::test]
async fn an_update_without_the_right_key_changes_nothing() {
    let server = server().await;
    let before = server.zone();
    let (www, watcher) = ("www.hearth.test.", signer("watcher.", SECRET));
    let day = 86_400;
    let table = [
        ("no key", None, wall(), ResponseCode::Refused),
        ("somebody else's key", Some(signer("pi1.", SECRET)), wall(), ResponseCode::Refused),
        ("an unknown key", Some(signer("nobody.", SECRET)), wall(), ResponseCode::NotAuth),
        ("a wrong secret", Some(signer("watcher.", b"something else")), wall(), ResponseCode::NotAuth),
        ("yesterday's signature", Some(watcher.clone()), wall() - day, ResponseCode::NotAuth),
        ("a signature of 1970", Some(watcher), 3, ResponseCode::NotAuth),
    ];
    for (what, key, time, wanted) in table {
        let mut message = replace(www, 21);
        if let Some(key) = key {
            message.finalize(&key, time).unwrap();
        }
        let answer = over_udp(server.address(), &message.to_vec().unwrap()).await;
        assert_eq!(Message::from_vec(&answer).unwrap().metadata.response_code, wanted, "{what}");
        assert_eq!(server.zone(), before, "{what}");
    }
}

#[tokio::test]
async fn an_update_that_takes_the_last_address_away_is_counted() {
    let server = server().await;
    let mut message = replace("www.hearth.test.", 21);
    message.authorities.truncate(1);
    message.finalize(&signer("watcher.", SECRET), wall()).unwrap();
    over_udp(server.address(), &message.to_vec().unwrap()).await;
    assert_eq!(server.emptied(), 1);
}

/// Runs a tool that may not be installed. Where `HEARTH_TEST_TOOLS` is set, as in CI, a missing tool fails the test.
#[allow(clippy::print_stderr, reason = "a test that looked at nothing says so")]
async fn tool(program: &str, arguments: &[String], input: &str) -> Option<Output> {
    let (program, arguments, input) = (program.to_owned(), arguments.to_vec(), input.to_owned());
    let run = move || {
        let mut child = Command::new(&program)
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .inspect_err(|error| {
                assert!(std::env::var_os("HEARTH_TEST_TOOLS").is_none(), "{program}: {error}");
                eprintln!("skipped: {program}: {error}");
            })
            .ok()?;
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        Some(child.wait_with_output().unwrap())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn kdig_and_dig_read_the_zone() {
    let server = server().await;
    let port = server.address().port().to_string();
    for program in ["kdig", "dig"] {
        for transport in ["+notcp", "+tcp"] {
            let words = ["@127.0.0.1", "-p", &port, transport, "+edns=0", "alias.hearth.test", "A"];
            let Some(output) = tool(program, &words.map(str::to_owned), "").await else { continue };
            let text = text(&output);
            for part in ["NOERROR", " aa", "127.0.0.11", "127.0.0.12", "EDNS"] {
                assert!(text.contains(part), "{program} {transport}: no `{part}` in\n{text}");
            }
        }
    }
}

#[tokio::test]
async fn dig_gets_badvers_for_a_later_edns_and_no_cached_answer_for_nothing() {
    let server = server().await;
    let port = server.address().port().to_string();
    let table = [
        (vec!["+edns=1", "+noednsnegotiation", "www.hearth.test"], "BADVERS"),
        (vec!["nothing.hearth.test"], "NXDOMAIN"),
        (vec!["www.example."], "REFUSED"),
        (vec!["+opcode=notify", "hearth.test"], "NOTIMP"),
    ];
    for (words, wanted) in table {
        let mut all = vec!["@127.0.0.1".to_owned(), "-p".to_owned(), port.clone(), "+tries=1".to_owned()];
        all.extend(words.iter().map(ToString::to_string));
        let Some(output) = tool("dig", &all, "").await else { return };
        assert!(text(&output).contains(wanted), "{words:?}: {}", text(&output));
    }
}

#[tokio::test]
async fn nsupdate_writes_what_its_key_may_write() {
    let server = server().await;
    let secret = BASE64.encode(SECRET);
    let head = format!("server 127.0.0.1 {}\nzone hearth.test.\n", server.address().port());
    let key = ["-y".to_owned(), format!("hmac-sha256:watcher:{secret}")];
    let swap = "prereq yxrrset www.hearth.test. A 127.0.0.11\nprereq yxrrset www.hearth.test. A 127.0.0.12\n\
                update delete www.hearth.test. A\nupdate add www.hearth.test. 60 A 127.0.0.21\n\
                update add _hearth.www.hearth.test. 60 TXT \"hearth watcher\"\nsend\n";
    let Some(first) = tool("nsupdate", &key, &format!("{head}{swap}")).await else { return };
    assert!(first.status.success(), "{}", text(&first));
    let zone = server.zone();
    assert_eq!(zone.set(&name("www.hearth.test."), RecordType::A).unwrap().members, [a(21)]);
    assert!(zone.set(&name("_hearth.www.hearth.test."), RecordType::TXT).is_some());

    let again = tool("nsupdate", &key, &format!("{head}{swap}")).await.unwrap();
    assert!(text(&again).contains("NXRRSET"), "the prerequisite no longer holds: {}", text(&again));
    let other = format!("{head}update add pi1.hearth.test. 60 A 127.0.0.1\nsend\n");
    let other = tool("nsupdate", &key, &other).await.unwrap();
    assert!(text(&other).contains("REFUSED"), "{}", text(&other));
    assert_eq!(server.zone(), zone);
}
