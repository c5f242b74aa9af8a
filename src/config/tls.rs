//! What the tables about HTTPS mean.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use toml::Spanned;

use super::file::tls::{self as written, Acme, ChallengeKind, SiteTls};
use super::listen::listen;
use super::provider::Providers;
use super::reading::Reading;
use super::secret::SecretSource;
use super::value::At;
use super::{Secrets, WatcherTls};
use crate::acme::{AcmeSettings, Challenge};
use crate::dns::Name;
use crate::host::time::wall_clock;
use crate::tls::certificate::read_chain;
use crate::tls::settings::{CertificateFiles, Redirect};
use crate::tls::{CertificateSource, TlsSettings, files, public_hosts};

/// `[site.tls]`; None when that was reported.
pub(super) fn site_tls(
    reading: &mut Reading<'_>,
    written: Spanned<SiteTls>,
    hosts: &[String],
    providers: &Providers,
) -> Option<TlsSettings> {
    let span = written.span();
    let written = written.into_inner();
    let listen = listen(reading, written.listen, 443);
    if let Some(hsts) = &written.hsts {
        warn_of_hsts(reading, &hsts.span());
    }
    let redirect = match (written.redirect, listen.first().map(SocketAddr::port)) {
        (Some(true), Some(port)) => Redirect::To(port),
        (Some(_) | None, _) => Redirect::Off,
    };
    Some(TlsSettings {
        listen,
        certificate: source(
            reading,
            &span,
            (written.certificate, written.key, written.acme),
            (hosts, providers),
        )?,
        redirect,
        hsts: written.hsts.map(|hsts| hsts.into_inner().value),
    })
}

/// `[watcher.tls]`; None when that was reported.
pub(super) fn watcher_tls(
    reading: &mut Reading<'_>,
    written: Spanned<written::WatcherTls>,
    providers: &Providers,
) -> Option<WatcherTls> {
    let span = written.span();
    let written = written.into_inner();
    reading.not_empty(&written.hosts, "`hosts`", "[\"watch.example.net\"]");
    let hosts: Vec<_> = written.hosts.into_inner().into_iter().map(|at| at.value.0).collect();
    let from = (written.certificate, written.key, written.acme);
    let certificate = source(reading, &span, from, (&hosts, providers))?;
    if matches!(&certificate, CertificateSource::Acme(acme) if acme.challenge == Challenge::Http01) {
        let message = "a watcher answers nobody without TLS, and `http-01` asks so";
        reading.error(
            &span,
            message,
            "name a `provider` for dns-01, or use challenge = \"tls-alpn-01\" and port 443",
        );
    }
    Some(WatcherTls { hosts: public_hosts(&hosts), certificate })
}

fn warn_of_hsts(reading: &mut Reading<'_>, span: &Range<usize>) {
    let message =
        "with `hsts` a fallback whose certificate is not good is an error that no visitor can click away";
    reading.warn(span, message, "keep the fallback's certificate renewable first, as the README says");
}

type Written = (Option<Spanned<PathBuf>>, Option<Spanned<SecretSource>>, Option<Spanned<Acme>>);

/// Where the certificate is from: exactly one place.
fn source(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    written: Written,
    (hosts, providers): (&[String], &Providers),
) -> Option<CertificateSource> {
    let example = "certificate = \"/etc/hearth/www.pem\", key = { file = \"/etc/hearth/www.key\" }";
    match written {
        (Some(certificate), Some(key), None) => {
            Some(CertificateSource::Files(files(reading, certificate, key, hosts)?))
        }
        (None, None, Some(acme)) => {
            Some(CertificateSource::Acme(self::acme(reading, acme, hosts, providers)?))
        }
        (None, None, None) => {
            let message = "nothing says where the certificate is from";
            reading.error(span, message, format!("add `acme`, or {example}"));
            None
        }
        (Some(_), None, _) | (None, Some(_), _) => {
            let message = "`certificate` and `key` belong together, and one of them is missing";
            reading.error(span, message, format!("such as {example}"));
            None
        }
        (Some(_), Some(_), Some(_)) => {
            let message = "the certificate is from files or from an authority, and not from both";
            reading.error(span, message, "remove `acme`, or `certificate` and `key`");
            None
        }
    }
}

fn acme(
    reading: &mut Reading<'_>,
    written: Spanned<Acme>,
    hosts: &[String],
    providers: &Providers,
) -> Option<AcmeSettings> {
    let (span, written) = (written.span(), written.into_inner());
    let hosts = public_hosts(hosts);
    if hosts.is_empty() {
        let message =
            "no authority issues a certificate for these hosts: none of them is a name of the public DNS";
        reading.error(&span, message, "add one such as \"www.example.com\" to `hosts`");
    }
    let challenge = challenge(reading, &span, &written, &hosts, providers)?;
    if written.share.is_some() && !matches!(challenge, Challenge::Dns01(_)) {
        let message =
            format!("with `{}` the authority may look at the node that does not renew", challenge.token());
        reading.error(
            &span,
            message,
            "nodes that share a certificate prove their hosts by dns-01: name a `provider`",
        );
    }
    Some(AcmeSettings {
        directory: written.directory.value.0,
        roots: written.root.map_or_else(|| Some(Vec::new()), |root| roots(reading, &root))?,
        challenge,
        contact: written.contact.map(|at| with_scheme(at.value)),
        share: written.share.map(|share| reading.path(&share)),
    })
}

/// Authorities want a URL (RFC 8555 section 7.3).
fn with_scheme(contact: String) -> String {
    if contact.contains(':') { contact } else { format!("mailto:{contact}") }
}

fn challenge(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    written: &Acme,
    hosts: &[String],
    providers: &Providers,
) -> Option<Challenge> {
    let default = if written.provider.is_some() { ChallengeKind::Dns01 } else { ChallengeKind::Http01 };
    let kind = written.challenge.as_ref().map_or(default, |kind| *kind.get_ref());
    match (kind, &written.provider) {
        (ChallengeKind::Dns01, Some(provider)) => dns_01(reading, provider, hosts, providers),
        (ChallengeKind::Dns01, None) => {
            let message = "for `dns-01` a provider is needed that the proof is put into the DNS by";
            reading.error(span, message, "add provider = \"…\", the name of a [provider.…]");
            None
        }
        (ChallengeKind::Http01, None) => Some(Challenge::Http01),
        (ChallengeKind::TlsAlpn01, None) => Some(Challenge::TlsAlpn01),
        (ChallengeKind::Http01 | ChallengeKind::TlsAlpn01, Some(provider)) => {
            let message = "a provider is for `dns-01` alone";
            reading.error(&provider.span, message, "remove `provider`, or `challenge`");
            None
        }
    }
}

fn dns_01(
    reading: &mut Reading<'_>,
    provider: &At<String>,
    hosts: &[String],
    providers: &Providers,
) -> Option<Challenge> {
    let Some(settings) = providers.get(&provider.value) else {
        reading.report_unknown_provider(provider);
        return None;
    };
    if !settings.holds_texts() {
        let message = format!("the provider `{}` holds no TXT records, which `dns-01` needs", provider.value);
        reading.error(&provider.span, message, "name another provider, or use challenge = \"http-01\"");
        return None;
    }
    let outside = |host: &&String| host.parse::<Name>().is_ok_and(|name| !name.is_in(settings.zone()));
    for host in hosts.iter().filter(outside) {
        let message =
            format!("`{host}` is not in the zone `{}` of the provider `{}`", settings.zone(), provider.value);
        reading.error(
            &provider.span,
            message,
            "name the provider of its zone, or serve it by another [[site]]",
        );
    }
    Some(Challenge::Dns01(Box::new(settings.clone())))
}

/// The certificates of authorities in a file; None when that was reported.
pub(super) fn roots(
    reading: &mut Reading<'_>,
    written: &Spanned<PathBuf>,
) -> Option<Vec<CertificateDer<'static>>> {
    if reading.secrets() == Secrets::Skip {
        return Some(Vec::new());
    }
    let path = reading.path(written.get_ref());
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    match read.and_then(|pem| read_chain(&pem).map_err(|error| error.to_string())) {
        Ok(roots) => Some(roots),
        Err(why) => {
            let message = format!("{}: {why}", path.display());
            reading.error(
                &written.span(),
                message,
                "name a file with the root certificate of the authority, PEM",
            );
            None
        }
    }
}

/// Files are looked at here as well, but what is wrong with them is no reason not to start: they may be put right while
/// the site is served without TLS.
fn files(
    reading: &mut Reading<'_>,
    certificate: Spanned<PathBuf>,
    key: Spanned<SecretSource>,
    hosts: &[String],
) -> Option<CertificateFiles> {
    let span = certificate.span();
    let key = reading.secret_file("tls.key", key)?;
    let found = CertificateFiles { certificate: reading.path(certificate.get_ref()), key };
    if reading.secrets() == Secrets::Read {
        let wrong = match files::read(&found) {
            Err(error) => Some(error.to_string()),
            Ok(read) => {
                let judged = read.check(&public_hosts(hosts), wall_clock());
                judged.err().map(|why| format!("{}: {why}", found.certificate.display()))
            }
        };
        if let Some(wrong) = wrong {
            reading.warn(
                &span,
                wrong,
                "until then visitors get no HTTPS, or a warning; the files are read again every few seconds",
            );
        }
    }
    Some(found)
}
