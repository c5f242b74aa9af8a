use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::notify::News;
use crate::notify::settings::{Preset, Shape, WebhookSettings};
use crate::secret::Secret;

fn message(n: usize) -> Message {
    let (watcher, site) = ("watcher".to_owned(), format!("www{n}.example.com"));
    Message { event: News::Alarm, watcher, site, time_ms: 0, text: format!("number {n}") }
}

fn one(url: String) -> (Notices, Notifier) {
    // As main does, before anything can ask for TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shape = Shape::Preset(Preset::Plain);
    let way = Way::Webhook(WebhookSettings { url: Secret::new(url), origin: None, shape, sign: None });
    let settings = NotifySettings { way, from: Weight::Warning };
    let (notices, mut all) = notifiers(&[settings], Timeline::start(None));
    (notices, all.remove(0))
}

/// A server that answers its first requests with these, and later ones with the last of them. Empty: it never answers.
async fn server(answers: Vec<&'static str>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let n = count.fetch_add(1, Ordering::SeqCst);
            match answers.get(n).or(answers.last()) {
                None => held.push(stream),
                Some(answer) => {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        }
    });
    (address, asked)
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NO: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

async fn until(what: &str, fits: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if fits() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_holds_up_neither_who_tells_it_nor_the_end() {
    let (address, asked) = server(Vec::new()).await;
    let (notices, notifier) = one(format!("http://{address}/"));
    let (close, closed) = watch::channel(false);
    let running = tokio::spawn(notifier.run(closed));
    notices.tell(&message(0));
    until("it is asked", || asked.load(Ordering::SeqCst) > 0).await;
    // A queue that is full, many times over: telling is a push and a bell.
    for n in 0..10_000 {
        notices.tell(&message(n));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it has not even answered the first");
    close.send_replace(true);
    timeout(Duration::from_secs(20), running).await.expect("it ends although the server hangs").unwrap();
    assert_eq!(notices.fared()[0].sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_a_while_is_tried_again_and_what_was_dropped_is_counted() {
    let (address, asked) = server(vec![BUSY, TAKEN]).await;
    let (notices, notifier) = one(format!("http://{address}/"));
    (0..70).for_each(|n| notices.tell(&message(n)));
    let (close, closed) = watch::channel(false);
    let running = tokio::spawn(notifier.run(closed));
    until("all that waited are told", || notices.fared()[0].sent == 64).await;
    assert_eq!(notices.fared()[0].lost, 6);
    assert_eq!(asked.load(Ordering::SeqCst), 65, "one was tried twice");
    close.send_replace(true);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_given_up_and_the_next_says_so() {
    let (address, _) = server(vec![NO, TAKEN]).await;
    let (notices, mut notifier) = one(format!("http://{address}/s3cret"));
    notifier.see_through(&message(1)).await;
    assert_eq!((notices.fared()[0].lost, notifier.missing), (1, 1));
    assert!(notifier.with_missing(&message(2)).text.contains("1 messages before this one"));
    notifier.see_through(&message(2)).await;
    assert_eq!((notices.fared()[0].sent, notifier.missing), (1, 0));
    assert!(!format!("{notifier:?} {}", notifier.label()).contains("s3cret"));
}

#[test]
fn what_matters_less_is_not_told_on_a_way_for_alarms_and_what_is_well_again_is() {
    let settings = NotifySettings { way: Way::Command(vec!["/bin/true".to_owned()]), from: Weight::Alarm };
    let (notices, all) = notifiers(&[settings], Timeline::steady(None, 0));
    for event in [News::Info, News::Warning, News::Alarm, News::Recovery] {
        notices.tell(&Message { event, ..message(0) });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (first, second) =
        runtime.block_on(async { (all[0].post.waiting.next().await, all[0].post.waiting.next().await) });
    assert_eq!([first.0.event, second.0.event], [News::Alarm, News::Recovery]);
}
