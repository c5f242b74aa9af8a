use super::*;
use crate::secret::Secret;

const FEISHU: &str = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=";
const DINGTALK: &str = "mI17x4kxmiozAc3LErmKW6uxEePSC2r%2FnAFZb7GtMZU%3D";

fn message() -> Message {
    Message {
        event: News::Alarm,
        watcher: "watcher".to_owned(),
        site: "www.example.com".to_owned(),
        time_ms: 1_700_000_000_000,
        text: "no node is up: \"pi1\" {site}".to_owned(),
    }
}

fn sent(url: &str, shape: Shape, sign: Option<&str>) -> Result<Post, Unfit> {
    let secret = |text: &str| Secret::new(text.to_owned());
    let to = WebhookSettings { url: secret(url), origin: None, shape, sign: sign.map(secret) };
    post(&to, &message(), 1_599_360_473_123)
}

#[test]
fn every_service_gets_the_shape_that_it_wants() {
    let whole = "[hearth] www.example.com: ALARM: no node is up: \"pi1\" {site}";
    let table = [
        (Preset::Slack, json!({ "text": whole })),
        (Preset::Feishu, json!({ "msg_type": "text", "content": { "text": whole } })),
        (Preset::DingTalk, json!({ "msgtype": "text", "text": { "content": whole } })),
        (Preset::WeCom, json!({ "msgtype": "text", "text": { "content": whole } })),
    ];
    for (preset, body) in table {
        let url = "https://hooks.example/x".to_owned();
        assert_eq!(sent(&url, Shape::Preset(preset), None), Ok(Post { url, body }), "{preset:?}");
    }
    let ntfy = sent("https://ntfy.example/up/topic/", Shape::Preset(Preset::Ntfy), None).unwrap();
    assert_eq!(
        (ntfy.url.as_str(), &ntfy.body["topic"], &ntfy.body["priority"]),
        ("https://ntfy.example/up/", &json!("topic"), &json!(5))
    );
    for url in ["https://ntfy.example", "https://ntfy.example/"] {
        assert!(sent(url, Shape::Preset(Preset::Ntfy), None).is_err(), "{url}");
    }
    let plain = sent("https://hooks.example/x", Shape::Preset(Preset::Plain), None).unwrap();
    assert_eq!(
        (&plain.body["event"], &plain.body["time_ms"]),
        (&json!("alarm"), &json!(1_700_000_000_000_u64))
    );
}

/// The values were computed with openssl dgst -sha256 -hmac and base64.
#[test]
fn feishu_and_dingtalk_are_signed_as_they_want_it() {
    let feishu =
        sent("https://open.feishu.example/hook/1", Shape::Preset(Preset::Feishu), Some("demo")).unwrap();
    assert_eq!(feishu.body["timestamp"], "1599360473");
    assert_eq!(feishu.body["sign"], FEISHU);
    let dingtalk = sent(
        "https://oapi.dingtalk.example/send?access_token=x",
        Shape::Preset(Preset::DingTalk),
        Some("SEC123"),
    )
    .unwrap();
    let wanted =
        format!("https://oapi.dingtalk.example/send?access_token=x&timestamp=1599360473123&sign={DINGTALK}");
    assert_eq!(dingtalk.url, wanted);
}

#[test]
fn a_template_is_filled_once_and_stays_the_json_that_it_was() {
    let template =
        json!({ "a": ["{title}", { "b": "{text} {unknown} {" }], "n": 1, "{site}": "{site}/{time_ms}" });
    let filled = sent("https://x.example/", Shape::Template(template), None).unwrap().body;
    assert_eq!(
        filled,
        json!({
            "a": ["www.example.com: ALARM", { "b": "no node is up: \"pi1\" {site} {unknown} {" }],
            "n": 1,
            "{site}": "www.example.com/1700000000000"
        })
    );
}

#[test]
fn a_service_that_answers_200_and_refuses_is_heard() {
    let feishu = Shape::Preset(Preset::Feishu);
    assert_eq!(verdict(&feishu, r#"{"code":0,"msg":"success"}"#), Ok(()));
    let said = verdict(&feishu, r#"{"code":19021,"msg":"sign match fail"}"#).unwrap_err();
    assert_eq!(said, "it refused the message: code 19021 sign match fail");
    let wecom = Shape::Preset(Preset::WeCom);
    assert_eq!(verdict(&wecom, r#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
    assert!(verdict(&wecom, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#).is_err());
    assert!(verdict(&wecom, "<html>").is_err());
    assert_eq!(verdict(&Shape::Preset(Preset::Slack), "ok"), Ok(()));
}
