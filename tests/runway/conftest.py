"""Fixtures of the tests of the SDK."""

import shutil
import ssl
import subprocess

import pytest

from runway.compat import strict_sdk
from tests.runway.file_server import serving


@pytest.fixture(scope="session")
def server():
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory):
    """The same pages over TLS, under a certificate for `localhost` that only this test trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "cert.pem")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context) as server:
        server.certificate = certificate
        yield server


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A temporary folder of the test, so that what is left behind can be seen."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def like_the_first_sdk(monkeypatch):
    """`RW_STRICT_SDK=1` for this test; a process asks for it once."""
    monkeypatch.setenv("RW_STRICT_SDK", "1")
    strict_sdk.cache_clear()
    yield
    strict_sdk.cache_clear()
