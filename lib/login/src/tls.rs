//! TLS as the settings want it.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Settings;

/// Why no TLS can be offered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("ssl_cert: {0}")]
    Certificate(String),
    #[error("ssl_key: {0}")]
    Key(String),
    #[error("ssl_cert and ssl_key: {0}")]
    Pair(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// TLS with the certificate of `settings`.
pub(crate) fn acceptor(settings: &Settings) -> Result<TlsAcceptor, Error> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(settings.ssl_cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| Error::Certificate(e.to_string()))?;
    if chain.is_empty() {
        return Err(Error::Certificate("no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(settings.ssl_key.reveal().as_bytes())
        .map_err(|e| Error::Key(e.to_string()))?;
    let versions: &[&rustls::SupportedProtocolVersion] = if settings.ssl_min_protocol == "TLSv1.3" {
        &[&TLS13]
    } else {
        &[&TLS13, &TLS12]
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(Error::Provider)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(Error::Pair)?;
    // Clients that come back resume by tickets that they keep; the server keeps nothing per client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(Error::Provider)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
