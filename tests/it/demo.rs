//! The demo's own parts, each with real sockets and, where they are installed, with the tools that people use.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use hearth::demo::act::Act;
use hearth::demo::config::{Keys, Speed};
use hearth::demo::outside::{Page, Visitor, ask};
use hearth::demo::process::State;
use hearth::demo::router::Line;
use hearth::demo::system::System;
use hearth::demo::world::World;
use hearth::demo::zone::Zone;
use hearth::demo::zone::serve::{Key, ZoneServer};
use hearth::demo::zone::update::Rights;
use hearth::demo::{PAGES, PAGES_ADDRESS, Pi, SITE, http, site};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const SECRET: &[u8] = b"not a secret: it guards a zone of this test";

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(last: u8) -> RData {
    RData::A(A::new(127, 0, 0, last))
}

fn signer(key: &str, secret: &[u8]) -> TSigner {
    TSigner::new(secret.to_vec(), TsigAlgorithm::HmacSha256, name(key), 300).unwrap()
}

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

fn wall() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Sends bytes over UDP and takes the answer.
async fn over_udp(server: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(bytes, server).await.unwrap();
    let mut buffer = vec![0; 4096];
    let answer = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await;
    buffer.truncate(answer.expect("an answer within 5 s").unwrap());
    buffer
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

/// An unsigned UPDATE message that replaces the addresses of `owner` by one.
fn replace(owner: &str, last: u8) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Update);
    message.add_query(Query::query(name("hearth.test."), RecordType::SOA));
    let mut gone = Record::update0(name(owner), 0, RecordType::A);
    gone.dns_class = DNSClass::ANY;
    message.add_authority(gone);
    message.add_authority(Record::from_rdata(name(owner), 60, a(last)));
    message
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

/// The surroundings of a demo, and in place of each agent a web server that serves the home page.
async fn world() -> (World, [http::Serving; 2], tempfile::TempDir) {
    // As main does; a second time in this process is an error that does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let world = World::start(directory.path(), &Keys::fresh().unwrap()).await.unwrap();
    let home = format!("<meta name=hearth-site content={}>", site::MARKER);
    let mut agents = Vec::new();
    for pi in &world.places.pis {
        let (listener, home) = (tokio::net::TcpListener::bind(pi.listen).await.unwrap(), home.clone());
        agents
            .push(http::serve(listener, move |_, _| hyper::Response::new(home.clone().into_bytes().into())));
    }
    (world, agents.try_into().ok().unwrap(), directory)
}

fn visitor(world: &World) -> Visitor {
    Visitor::new(world.places.name_server, world.places.site_port).unwrap()
}

#[tokio::test]
async fn a_visitor_tells_a_pi_from_the_fallback_and_sees_when_it_breaks() {
    let (world, _agents, _directory) = world().await;
    let visitor = visitor(&world);
    for pi in Pi::BOTH {
        assert_eq!(visitor.page(pi.public().into()).await, Page::FromPi);
    }
    assert_eq!(visitor.page(PAGES_ADDRESS.into()).await, Page::FromFallback);
    world.pages.break_it();
    assert_eq!(visitor.page(PAGES_ADDRESS.into()).await, Page::Wrong("status 500".to_owned()));
    world.pages.heal();
    assert_eq!(visitor.page(PAGES_ADDRESS.into()).await, Page::FromFallback);
}

#[tokio::test]
async fn the_site_has_no_address_before_somebody_writes_it_and_the_fallback_has() {
    let (world, _agents, _directory) = world().await;
    assert!(visitor(&world).look().await.unwrap().is_empty());
    let pages = ask(world.places.name_server, PAGES).await.unwrap();
    assert_eq!(pages.into_iter().collect::<Vec<_>>(), [std::net::IpAddr::from(PAGES_ADDRESS)]);
}

async fn get(url: String) -> reqwest::Result<String> {
    reqwest::Client::builder().no_proxy().build()?.get(url).header("host", SITE).send().await?.text().await
}

#[tokio::test]
async fn an_echo_tells_a_pi_the_address_of_its_router() {
    let (world, _agents, _directory) = world().await;
    for pi in Pi::BOTH {
        for echo in world.places.pis[pi as usize].echoes {
            assert_eq!(get(format!("http://{echo}/")).await.unwrap(), format!("{}\n", pi.public()));
        }
    }
}

#[tokio::test]
async fn a_cut_line_stalls_in_both_ways_and_goes_on_when_it_is_mended() {
    let (world, _agents, _directory) = world().await;
    let inside = format!("http://{}:{}/", Pi::One.public(), world.places.site_port);
    let outside = format!("http://{}/", world.places.pis[0].echoes[0]);
    world.router(Pi::One).cut();
    let requests = [inside, outside].map(|url| tokio::spawn(get(url)));
    tokio::time::timeout(Duration::from_millis(300), futures_util::future::select_all(requests))
        .await
        .map(|(first, ..)| panic!("answered over a cut line: {first:?}"))
        .unwrap_err();
    assert_eq!(visitor(&world).page(Pi::Two.public().into()).await, Page::FromPi, "the other line carries");
    world.router(Pi::One).heal();
    assert_eq!(visitor(&world).page(Pi::One.public().into()).await, Page::FromPi);
}

#[tokio::test]
async fn what_stalled_on_a_cut_line_arrives_when_it_is_mended() {
    let (world, _agents, _directory) = world().await;
    world.router(Pi::Two).cut();
    let url = format!("http://{}:{}/", Pi::Two.public(), world.places.site_port);
    let mut request = tokio::spawn(get(url));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut request).await;
    assert!(early.is_err(), "answered over a cut line: {early:?}");
    world.router(Pi::Two).heal();
    let body = tokio::time::timeout(Duration::from_secs(5), request).await.expect("in time").unwrap();
    assert!(body.unwrap().contains(site::MARKER));
}

#[tokio::test]
async fn a_pi_that_serves_nothing_resets_connections_at_its_public_address() {
    let (world, agents, _directory) = world().await;
    drop(agents);
    let page = visitor(&world).page(Pi::One.public().into()).await;
    assert!(matches!(page, Page::Nothing(_)), "{page:?}");
}

#[tokio::test]
async fn the_stand_in_finds_pages_as_github_pages_does() {
    let (world, _agents, _directory) = world().await;
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let table = [
        ("/", 200, "text/html"),
        ("/about", 200, "text/html"),
        ("/css/site.css", 200, "text/css"),
        ("/images/night.png", 200, "image/png"),
        ("/posts/the-night-the-line-went-down/", 200, "text/html"),
        ("/posts/the-night-the-line-went-down", 301, "text/plain"),
        ("/../Cargo.toml", 404, "text/html"),
        ("/nothing", 404, "text/html"),
    ];
    for (path, status, kind) in table {
        let url = format!("http://{PAGES_ADDRESS}:{}{path}", world.places.site_port);
        let response = client.get(url).send().await.unwrap();
        let found = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!((response.status().as_u16(), found.as_str()), (status, kind), "{path}");
    }
}

/// A demo whose processes do nothing: a script that sleeps stands in for the binary.
async fn sleepers(directory: &std::path::Path) -> System {
    use std::os::unix::fs::PermissionsExt;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let program = directory.join("sleeper");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let clock = || hearth::moment::Moment::START;
    System::start(&program, Speed(5.0), clock, Box::new(|_| ())).await.unwrap()
}

#[tokio::test]
async fn what_is_done_to_the_demo_is_done_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut system = sleepers(directory.path()).await;
    let states = |system: &mut System| {
        let picture = system.picture();
        (picture.pis.each_ref().map(|pi| (pi.process, pi.line)), picture.watcher.process)
    };
    let whole = ([(State::Running, Line::Up); 2], State::Running);
    assert_eq!(states(&mut system), whole);
    for act in [Act::Kill(Pi::One), Act::Hang(Pi::Two), Act::Cut(Pi::Two), Act::KillWatcher] {
        system.act(act).unwrap();
    }
    let broken = ([(State::Dead, Line::Up), (State::Hung, Line::Cut)], State::Dead);
    assert_eq!(states(&mut system), broken);
    system.act(Act::HealAll).unwrap();
    assert_eq!(states(&mut system), whole);
    let events: Vec<String> = system.picture().events.iter().map(|event| event.what.clone()).collect();
    for told in ["pi1 is killed", "pi2 is hung", "the line of pi2 is cut", "everything is healed"] {
        assert!(events.iter().any(|what| what == told), "{told}: {events:?}");
    }
}

#[tokio::test]
async fn an_address_that_lands_is_told_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let mut system = sleepers(directory.path()).await;
    let places = system.places().clone();
    let key = std::fs::read_to_string(places.directory.join("watcher/tsig.key")).unwrap();
    let secret = BASE64.decode(key.trim().as_bytes()).unwrap();
    let mut message = replace("www.hearth.test.", 11);
    message.finalize(&signer("watcher.", &secret), wall()).unwrap();
    over_udp(places.name_server, &message.to_vec().unwrap()).await;
    let picture = system.picture();
    assert_eq!(hearth::demo::picture::whom(&picture.record.addresses), "pi1 (127.0.0.11)");
    let told = |what| picture.events.iter().any(|event| event.what == what);
    assert!(told("www.hearth.test leads to pi1 (127.0.0.11)"), "{:?}", picture.events);
}

#[tokio::test]
async fn a_demo_that_is_left_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let system = sleepers(directory.path()).await;
    let own = system.places().directory.clone();
    assert!(own.join("pi1.toml").exists());
    drop(system);
    assert!(!own.exists());
}
