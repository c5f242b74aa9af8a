use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::notify::News;

fn message() -> Message {
    Message {
        event: News::Alarm,
        watcher: "watcher".to_owned(),
        site: "www.example.com".to_owned(),
        time_ms: 1_763_713_890_000,
        text: "no node is up\r\nBcc: everybody@example.com".to_owned(),
    }
}

fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: MailTls::None,
        user: None,
        from: "hearth@example.com".to_owned(),
        to: vec!["me@example.com".to_owned(), "you@example.com".to_owned()],
    }
}

/// A mail host that takes one mail, or refuses the sender; what it was sent.
async fn host(sender: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let (mut lines, mut heard, mut data) = (BufReader::new(reader).lines(), String::new(), false);
        writer.write_all(b"220 mail.test\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            heard += &format!("{line}\n");
            let answer = match line.split(' ').next().unwrap() {
                "." if data => {
                    data = false;
                    "250 queued as 1"
                }
                _ if data => continue,
                "EHLO" => "250 mail.test",
                "MAIL" => sender,
                "DATA" => {
                    data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            if writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                break;
            }
        }
        heard
    });
    (port, serving)
}

#[tokio::test]
async fn a_mail_goes_to_everybody_with_the_message_in_its_text_alone() {
    let (port, serving) = host("250 ok").await;
    let said = send(&settings(port), &message(), Duration::from_secs(20)).await.unwrap();
    assert!(said.starts_with("250 queued"), "{said}");
    let heard = serving.await.unwrap();
    for line in [
        "RCPT TO:<me@example.com>",
        "RCPT TO:<you@example.com>",
        "Subject: [hearth] www.example.com: ALARM",
        "no node is up",
    ] {
        assert!(heard.contains(line), "no `{line}` in {heard}");
    }
    let head = heard.split("\n\n").next().unwrap();
    assert!(head.contains("From: ") && !head.contains("Bcc"), "{heard}");
}

#[tokio::test]
async fn a_host_that_refuses_or_hangs_is_told_apart() {
    let (port, _serving) = host("550 nobody here").await;
    let refused = send(&settings(port), &message(), Duration::from_secs(20)).await.unwrap_err();
    assert!(matches!(&refused, Missed::Refused(why) if why.contains("nobody here")), "{refused:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let late = send(&settings(port), &message(), Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(&late, Missed::Passing(_)), "{late:?}");
}
