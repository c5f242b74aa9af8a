//! The shapes that services want a message in, how they want it signed, and what their answers mean. PURE.
//!
//! ntfy: <https://docs.ntfy.sh/publish/#publish-as-json>. Slack: <https://api.slack.com/messaging/webhooks>. Feishu:
//! <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>. DingTalk:
//! <https://open.dingtalk.com/document/robots/custom-robot-access>. WeCom:
//! <https://developer.work.weixin.qq.com/document/path/91770>. The last three answer 200 whatever happened: the verdict
//! is a number in the body.

use data_encoding::BASE64;
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Value, json};

use super::settings::{Preset, Shape, WebhookSettings};
use super::{Message, News};

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// Where to.
    pub(super) url: String,
    /// What.
    pub(super) body: Value,
}

/// A URL that cannot be used for this service, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(&'static str);

/// The message as the service wants it at `wall_ms`, milliseconds since 1970.
///
/// # Errors
/// When the URL is none of that service.
pub(super) fn post(to: &WebhookSettings, message: &Message, wall_ms: u64) -> Result<Post, Unfit> {
    let url = to.url.expose().clone();
    let secret = to.sign.as_ref().map(|secret| secret.expose().as_str());
    let preset = match &to.shape {
        Shape::Template(template) => return Ok(Post { url, body: filled(template, message) }),
        Shape::Preset(preset) => *preset,
    };
    Ok(match preset {
        Preset::Plain => Post { url, body: json!(message) },
        Preset::Ntfy => ntfy(&url, message)?,
        Preset::Slack => Post { url, body: json!({ "text": message.whole() }) },
        Preset::Feishu => Post { url, body: feishu(message, secret, wall_ms) },
        Preset::DingTalk => {
            let body = json!({ "msgtype": "text", "text": { "content": message.whole() } });
            Post { url: secret.map_or(url.clone(), |secret| signed_url(&url, secret, wall_ms)), body }
        }
        Preset::WeCom => {
            Post { url, body: json!({ "msgtype": "text", "text": { "content": message.whole() } }) }
        }
    })
}

/// The topic is the end of the path; JSON goes to what is before it.
fn ntfy(url: &str, message: &Message) -> Result<Post, Unfit> {
    let bare = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
    let fits = bare
        .rsplit_once('/')
        .filter(|(base, topic)| !topic.is_empty() && base.contains("://") && !base.ends_with('/'));
    let (base, topic) =
        fits.ok_or(Unfit("the URL of an ntfy webhook ends with a topic, as in https://ntfy.sh/my-topic"))?;
    let (priority, tag) = match message.event {
        News::Info | News::Test => (3, "information_source"),
        News::Warning | News::Digest => (4, "warning"),
        News::Alarm => (5, "rotating_light"),
        News::Recovery => (3, "white_check_mark"),
    };
    let body = json!({
        "topic": topic, "title": message.title(), "message": message.text, "priority": priority, "tags": [tag]
    });
    Ok(Post { url: format!("{base}/"), body })
}

/// Signed with the time and the secret as the key, over nothing.
fn feishu(message: &Message, secret: Option<&str>, wall_ms: u64) -> Value {
    let mut body = json!({ "msg_type": "text", "content": { "text": message.whole() } });
    if let Some(secret) = secret {
        let timestamp = (wall_ms / 1000).to_string();
        let key = Key::new(HMAC_SHA256, format!("{timestamp}\n{secret}").as_bytes());
        body["sign"] = BASE64.encode(sign(&key, b"").as_ref()).into();
        body["timestamp"] = timestamp.into();
    }
    body
}

/// Signed with the secret as the key, over the time and the secret; in the URL.
fn signed_url(url: &str, secret: &str, wall_ms: u64) -> String {
    let key = Key::new(HMAC_SHA256, secret.as_bytes());
    let signed = BASE64.encode(sign(&key, format!("{wall_ms}\n{secret}").as_bytes()).as_ref());
    let signed = signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}timestamp={wall_ms}&sign={signed}")
}

/// The template with the message in its texts. What is put in stays a text: it cannot break out of the JSON.
fn filled(template: &Value, message: &Message) -> Value {
    match template {
        Value::String(text) => Value::String(fill(text, message)),
        Value::Array(items) => items.iter().map(|item| filled(item, message)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), filled(value, message)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    }
}

/// Once through the text: what is put in is not looked at again.
fn fill(text: &str, message: &Message) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let word = after.split('}').next().unwrap_or_default();
        match value(word, message) {
            Some(value) if after.len() > word.len() => {
                out.push_str(&value);
                rest = &after[word.len() + 1..];
            }
            Some(_) | None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

fn value(word: &str, message: &Message) -> Option<String> {
    Some(match word {
        "title" => message.title(),
        "text" => message.text.clone(),
        "site" => message.site.clone(),
        "event" => message.event.word().to_owned(),
        "watcher" => message.watcher.clone(),
        "time_ms" => message.time_ms.to_string(),
        _ => return None,
    })
}

/// Whether an answer of status 200 with this body means that the message was taken.
///
/// # Errors
/// What the service says is wrong.
pub(super) fn verdict(shape: &Shape, body: &str) -> Result<(), String> {
    let field = match shape {
        Shape::Preset(Preset::Feishu) => "code",
        Shape::Preset(Preset::DingTalk | Preset::WeCom) => "errcode",
        Shape::Preset(Preset::Plain | Preset::Ntfy | Preset::Slack) | Shape::Template(_) => return Ok(()),
    };
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    match said.get(field).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => {
            let words = said.get("msg").or(said.get("errmsg")).and_then(Value::as_str).unwrap_or_default();
            Err(format!("it refused the message: {field} {code} {words}").trim_end().to_owned())
        }
        None => Err("it did not say whether it took the message".to_owned()),
    }
}

#[cfg(test)]
mod tests;
