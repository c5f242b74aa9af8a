//! The sender against watchers that are not what they should be.

use std::time::Instant;

use hearth::heartbeat::seal::Purpose;
use hearth::heartbeat::send::{SendError, SenderError};
use hearth::heartbeat::{MAX_BODY, SiteView};

use super::web::{Say, Web, reply, root};
use super::*;

/// A watcher that seals with `key` the answer that `answer` makes of the beat.
fn answering(key: SigningKey, answer: impl Fn(Beat) -> Answer + Send + Sync + 'static) -> Web {
    Web::http(move |asked| sealed(&key, &answer(serde_json::from_slice(&asked.body).unwrap())))
}

fn sealed(key: &SigningKey, answer: &Answer) -> Say {
    let body = serde_json::to_vec(answer).unwrap();
    reply("200 OK", &format!("Hearth-Seal: {}\r\n", key.seal(Purpose::Answer, &body)), &body)
}

async fn outcome(web: &Web) -> Result<Answer, SendError> {
    let outcome = sender(web.address).beat(&beat(7), &node_key()).await;
    assert_eq!(web.asked(), 1, "one beat is one request");
    outcome
}

#[tokio::test]
async fn an_answer_under_the_pinned_key_is_taken() {
    assert_eq!(outcome(&answering(watcher_key(), |beat| answer_to(&beat))).await, Ok(answer_to(&beat(7))));
}

#[tokio::test]
async fn an_answer_under_another_key_is_rejected() {
    let web = answering(SigningKey::from_seed([9; 32]), |beat| answer_to(&beat));
    assert_eq!(outcome(&web).await, Err(SendError::WrongKey));
}

#[tokio::test]
async fn an_answer_without_a_seal_or_sealed_for_something_else_is_rejected() {
    let bare = Web::http(|_| reply("200 OK", "", &serde_json::to_vec(&answer_to(&beat(7))).unwrap()));
    assert_eq!(outcome(&bare).await, Err(SendError::WrongKey));
    let beaten = Web::http(|_| {
        let body = serde_json::to_vec(&answer_to(&beat(7))).unwrap();
        reply("200 OK", &format!("Hearth-Seal: {}\r\n", watcher_key().seal(Purpose::Beat, &body)), &body)
    });
    assert_eq!(outcome(&beaten).await, Err(SendError::WrongKey));
}

#[tokio::test]
async fn an_answer_to_another_beat_is_rejected() {
    let others: [fn(Beat) -> Answer; 4] = [
        |beat| Answer { sequence: beat.sequence - 1, ..answer_to(&beat) },
        |beat| Answer { boot: BootId::new([8; 16]), ..answer_to(&beat) },
        |beat| Answer { node: "pi2".parse().unwrap(), ..answer_to(&beat) },
        |beat| Answer { form: 2, ..answer_to(&beat) },
    ];
    for other in others {
        let outcome = outcome(&answering(watcher_key(), other)).await;
        assert!(matches!(outcome, Err(SendError::Garbled(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let long = |beat| {
        let site = SiteView {
            site: "x".repeat(MAX_BODY),
            health: String::new(),
            on_fallback: false,
            in_force: vec![],
            proven: vec![],
        };
        Answer { view: vec![site], ..answer_to(&beat) }
    };
    let outcome = outcome(&answering(watcher_key(), long)).await;
    assert_eq!(outcome, Err(SendError::Garbled("it is longer than any answer")));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = answering(watcher_key(), |beat| answer_to(&beat));
    let location = format!("Location: http://{}/v1/beat\r\n", elsewhere.address);
    let web = Web::http(move |_| reply("307 Temporary Redirect", &location, b"over there"));
    let refused = SendError::Refused { status: 307, text: "over there".to_owned() };
    assert_eq!(outcome(&web).await, Err(refused));
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn a_watcher_that_is_away_or_silent_is_unreachable() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = sender(gone).beat(&beat(1), &node_key()).await;
    let Err(SendError::Unreachable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("refused"), "{why}");

    let cut = || Say::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec());
    for web in [Web::http(|_| Say::Nothing), Web::http(move |_| cut())] {
        let began = Instant::now();
        let outcome =
            sender_within(web.address, Duration::from_millis(500)).beat(&beat(1), &node_key()).await;
        assert!(matches!(outcome, Err(SendError::Unreachable(_))), "{outcome:?}");
        assert_eq!(web.asked(), 1);
        assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_watcher_that_was_restarted_takes_the_next_beat_at_once() {
    let watcher = Watcher::start().await;
    let (address, sender) = (watcher.address, sender(watcher.address));
    sender.beat(&beat(1), &node_key()).await.unwrap();
    watcher.stop().await;
    let watcher = Watcher::start_on(address, Limits::default()).await;
    sender.beat(&beat(2), &node_key()).await.unwrap();
    assert_eq!(watcher.taken().asked, 1);
}

#[tokio::test]
async fn what_is_not_the_url_of_a_watcher_is_refused_at_once() {
    let pin =
        WatcherPin { url: "watch.example.net".to_owned(), key: watcher_key().verifying(), roots: Vec::new() };
    let error = Sender::new(pin, &SenderSettings::default()).unwrap_err();
    assert_eq!(error, SenderError::Url("watch.example.net".to_owned()));
}

#[tokio::test]
async fn a_watcher_behind_tls_must_show_a_certificate_of_a_trusted_root() {
    let web = Web::https(|_| sealed(&watcher_key(), &answer_to(&beat(1))));
    let pin = WatcherPin {
        url: format!("https://{}", web.address),
        key: watcher_key().verifying(),
        roots: Vec::new(),
    };
    let trusting = SenderSettings { extra_roots: vec![root()], ..SenderSettings::default() };
    let answer = Sender::new(pin.clone(), &trusting).unwrap().beat(&beat(1), &node_key()).await;
    assert_eq!(answer, Ok(answer_to(&beat(1))));

    let strict = Sender::new(pin, &SenderSettings::default()).unwrap().beat(&beat(1), &node_key()).await;
    let Err(SendError::Unreachable(why)) = strict else { panic!("{strict:?}") };
    assert!(why.contains("UnknownIssuer"), "{why}");
    assert_eq!(web.asked(), 1, "no beat is sent to a stranger");
}
