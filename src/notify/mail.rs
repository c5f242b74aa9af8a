//! One message as a mail. Never sends anything in the clear that was to be kept secret.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::Message;
use super::settings::{MailSettings, MailTls};
use crate::hook::one_line;
use crate::hook::web::Missed;

/// Sends it; what the host answered.
///
/// # Errors
/// Why it was not taken, in words without the password.
pub(super) async fn send(
    settings: &MailSettings,
    message: &Message,
    limit: Duration,
) -> Result<String, Missed> {
    let mail = mail(settings, message).map_err(Missed::Refused)?;
    let host = transport(settings, limit).map_err(|error| Missed::Refused(error.to_string()))?;
    match tokio::time::timeout(limit, host.send(mail)).await {
        Ok(Ok(response)) => {
            Ok(format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" ")))
        }
        Ok(Err(error)) if error.is_permanent() => Err(Missed::Refused(words(&error))),
        Ok(Err(error)) => Err(Missed::Passing(words(&error))),
        Err(_) => Err(Missed::Passing(format!("no answer within {limit:?}"))),
    }
}

fn mail(settings: &MailSettings, message: &Message) -> Result<lettre::Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}`: {error}"));
    let mut builder = lettre::Message::builder()
        .from(mailbox(&settings.from)?)
        .subject(one_line(&format!("[hearth] {}", message.title())))
        .header(ContentType::TEXT_PLAIN);
    for to in &settings.to {
        builder = builder.to(mailbox(to)?);
    }
    let text = format!("{}\n\n{}, told by {}\n", message.text, date(message.time_ms), message.watcher);
    builder.body(text).map_err(|error| error.to_string())
}

fn date(time_ms: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(time_ms))
}

fn transport(
    settings: &MailSettings,
    limit: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let parameters = || TlsParameters::builder(settings.host.clone()).build_rustls();
    let tls = match settings.tls {
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::Starttls => Tls::Required(parameters()?),
        MailTls::None => Tls::None,
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host);
    let builder = builder.port(settings.port).tls(tls).timeout(Some(limit));
    let builder = match &settings.user {
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose().clone()))
        }
        None => builder,
    };
    Ok(builder.build())
}

/// The error with what caused it.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests;
