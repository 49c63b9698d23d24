"""The certificate of the embedded XMPP listener: the one that is named, or one that this installation made itself."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fanoutcloud.generated_secrets import read_or_create
from fanoutcloud.xmpp_settings import XmppSettings

LIFETIME = timedelta(days=3650)
#: XEP-0368: what a client asks for where TLS comes first.
ALPN = "xmpp-client"


def make_tls(settings: XmppSettings, *, data_dir: Path) -> ssl.SSLContext:
    """Return the server's side of TLS. Blocks for a moment: reads files, and makes a certificate the first time.

    Raises:
        OSError, ssl.SSLError: the certificate that the settings name can't be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN])
    if settings.certificate is not None:
        context.load_cert_chain(settings.certificate, settings.key)
    else:
        context.load_cert_chain(generate(data_dir, settings.domain))
    return context


def generate(data_dir: Path, domain: str) -> Path:
    """Return the file with key and certificate of a domain, made if there is none."""
    path = data_dir / f"xmpp-{domain}.pem"
    read_or_create(path, lambda: _make(domain))
    return path


def _make(domain: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
    now = datetime.now(UTC)
    names = [x509.DNSName(domain), x509.DNSName(f"*.{domain}")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)  # so that clients can trust it
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()
