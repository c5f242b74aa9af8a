//! Looks at a third party that is nearly always up, to know whether it is the watcher that is cut off.

use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpStream;

use super::{Prober, builder};

impl Prober {
    /// Whether `reference` shows that the Internet can be reached from here, within `within`.
    ///
    /// `host:port` is alive when it takes a TCP connection. A URL is alive when it gives any HTTP answer to HEAD; an
    /// `https` one must also show a good certificate, which a captive portal cannot, so prefer these. What is neither
    /// is not alive.
    pub async fn look_at_reference(&self, reference: &str, within: Duration) -> bool {
        let looked = async {
            match Url::parse(reference) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => self.answers(url).await,
                Ok(_) | Err(_) => TcpStream::connect(reference).await.is_ok(),
            }
        };
        tokio::time::timeout(within, looked).await.unwrap_or(false)
    }

    async fn answers(&self, url: Url) -> bool {
        let Ok(client) = builder(&self.tls).build() else { return false };
        client.head(url).send().await.is_ok()
    }
}
