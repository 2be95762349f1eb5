"""Certificates of a local control plane: an authority that is thrown away, and one certificate that everything shows.

The authority's key is never written, so nobody can sign more with it.
"""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scripts.stack.files import write_private
from scripts.stack.home import Home

_VALID_DAYS = 3650
_USAGES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def ensure_certificates(home: Home) -> None:
    """``certificates/{ca,server}.crt`` and ``secrets/{server,service-account}.key``; made anew if one is missing."""
    authority, certificate = home.certificates / "ca.crt", home.certificates / "server.crt"
    server_key, account_key = home.secret_file("server.key"), home.secret_file("service-account.key")
    if all(path.is_file() for path in (authority, certificate, server_key, account_key)):
        return
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key)
    write_private(authority, ca.public_bytes(serialization.Encoding.PEM))
    write_private(certificate, _certificate(ca, ca_key, key).public_bytes(serialization.Encoding.PEM))
    write_private(server_key, _pem(key))
    write_private(account_key, _pem(ec.generate_private_key(ec.SECP256R1())))


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("adx local authority")
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = [
        x509.DNSName("localhost"),
        x509.DNSName("kubernetes.default.svc"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    return (
        _builder(_name("adx local control plane"), ca.subject, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(_USAGES), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PEM in the older form: the API server does not read PKCS #8 for the keys of service accounts."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
