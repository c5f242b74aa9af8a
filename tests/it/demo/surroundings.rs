//! What the demo's processes meet outside.

use std::time::Duration;

use hearth::demo::config::Keys;
use hearth::demo::outside::{Page, Visitor, ask};
use hearth::demo::world::World;
use hearth::demo::{PAGES, PAGES_ADDRESS, Pi, SITE, http, site};
use hearth::probe::Scheme;

/// The surroundings of a demo, and in place of each agent a web server that serves the home page.
async fn world() -> (World, [http::Serving; 2], tempfile::TempDir) {
    // As main does; a second time in this process is an error that does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let world = World::start(directory.path(), &Keys::fresh(Scheme::Http).unwrap()).await.unwrap();
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
    Visitor::new(&world.places).unwrap()
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
