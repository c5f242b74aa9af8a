//! The `[site]` tables of the page, and HTTPS, which the watcher has too.

use super::{Page, size, time, word};
use crate::acme::{AcmeSettings, Challenge};
use crate::config::WatcherTls;
use crate::site::SiteSettings;
use crate::tls::settings::{CertificateSource, Redirect, TlsSettings};

impl Page<'_> {
    pub(super) fn site(&mut self, header: &str, site: &SiteSettings) {
        self.table(header);
        self.list("hosts", &site.hosts);
        self.text("root", site.root.display());
        self.bare("rules", word(&site.rules));
        self.list("listen", &site.listen);
        self.text("memory", size(site.memory));
        if let Some(keep) = &site.keep {
            self.text("keep", keep.display());
        }
        self.text("poll", time(site.poll));
        if let Some(validators) = &site.validators {
            let address =
                validators.address.map_or(String::new(), |address| format!(", address = \"{address}\""));
            let every = time(validators.every);
            self.bare(
                "validators",
                format_args!("{{ from = {:?}{address}, every = \"{every}\" }}", validators.from),
            );
        }
        if let Some(tls) = &site.tls {
            self.site_tls(tls);
        }
        self.table("[site.log]");
        self.bare("format", word(&site.log.format));
        if let Some(file) = &site.log.file {
            self.text("file", file.display());
        }
    }

    fn site_tls(&mut self, tls: &TlsSettings) {
        self.table("[site.tls]");
        self.list("listen", &tls.listen);
        self.certificate(&tls.certificate);
        self.bare("redirect", matches!(tls.redirect, Redirect::To(_)));
        if let Some(hsts) = tls.hsts {
            self.text("hsts", time(hsts));
        }
    }

    pub(super) fn watcher_tls(&mut self, tls: &WatcherTls) {
        self.table("[watcher.tls]");
        self.list("hosts", &tls.hosts);
        self.certificate(&tls.certificate);
    }

    fn certificate(&mut self, source: &CertificateSource) {
        match source {
            CertificateSource::Files(files) => {
                self.text("certificate", files.certificate.display());
                self.line(format_args!("key = \"(secret)\"  # file {}", files.key.display()));
            }
            CertificateSource::Acme(acme) => self.acme(acme),
        }
    }

    fn acme(&mut self, acme: &AcmeSettings) {
        self.text("acme.directory", &acme.directory);
        let note = match &acme.challenge {
            Challenge::Dns01(provider) => format!("  # in the zone {}", provider.zone()),
            Challenge::Http01 | Challenge::TlsAlpn01 => String::new(),
        };
        self.bare("acme.challenge", format_args!("\"{}\"{note}", acme.challenge.token()));
        if let Some(contact) = &acme.contact {
            self.text("acme.contact", contact);
        }
        if let Some(share) = &acme.share {
            self.text("acme.share", share.display());
        }
        self.own_roots("the authority", &acme.roots);
    }
}
