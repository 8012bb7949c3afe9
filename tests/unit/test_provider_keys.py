"""Which keys of a provider are read, and what each may verify."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from batchtask.http.provider_keys import fitting, read_keys
from tests.access_support import CURVE_KEY, EDWARDS_KEY, PROVIDER_KEY, public_jwk

SECRET = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"}
RSA = public_jwk(PROVIDER_KEY, "rsa")


def _jwks(*rows: Any) -> bytes:
    return json.dumps({"keys": rows}).encode()


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (PROVIDER_KEY, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (CURVE_KEY, ("ES256",)),
        (ec.generate_private_key(ec.SECP384R1()), ("ES384",)),
        (ec.generate_private_key(ec.SECP521R1()), ("ES512",)),
        (EDWARDS_KEY, ("EdDSA",)),
    ],
)
def test_the_kind_of_a_key_says_what_it_may_verify(key: Any, algorithms: tuple[str, ...]) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for octets in (_jwks(public_jwk(key, "one")), pem):
        assert [found.algorithms for found in read_keys(octets)] == [algorithms]


@pytest.mark.parametrize(
    "row",
    [
        SECRET,
        RSA | {"use": "enc"},
        RSA | {"alg": "RSA-OAEP"},
        RSA | {"alg": "HS256"},
        RSA | {"alg": "none"},
        RSA | {"kty": "oct", "k": RSA["n"]},
        RSA | {"n": "not base64!"},
        RSA | {"n": 5},
        public_jwk(rsa.generate_private_key(65537, 1024), "short"),
        public_jwk(ec.generate_private_key(ec.SECP256K1()), "coin"),
        {},
        "text",
        None,
    ],
    ids=lambda row: str(row)[:30],
)
def test_what_cannot_verify_a_signature_is_left_out(row: Any) -> None:
    assert [key.key_id for key in read_keys(_jwks(row, RSA))] == ["rsa"]
    with pytest.raises(ValueError, match="no public key for signatures"):
        read_keys(_jwks(row))


@pytest.mark.parametrize(
    "octets", [b"", b"hello", b"[]", b"{}", b'{"keys": 5}', b"\xff", b"-----BEGIN", b'{"a":' + b"[" * 99_999]
)
def test_what_holds_no_keys_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read_keys(octets)


def test_a_private_key_is_refused_with_what_to_give_instead() -> None:
    pem = PROVIDER_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="never a private one"):
        read_keys(pem)


def test_a_file_may_hold_several_keys() -> None:
    pem = b"\n".join(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in (PROVIDER_KEY, CURVE_KEY)
    )
    assert [len(key.algorithms) for key in read_keys(pem)] == [6, 1]


@pytest.mark.parametrize(
    ("key_id", "algorithm", "found"),
    [
        ("rsa", "RS256", ["rsa"]),
        (None, "RS256", ["rsa", "only"]),
        ("only", "RS256", ["only"]),
        ("only", "RS512", []),
        ("rsa", "ES256", []),
        ("curve", "ES256", ["curve"]),
        ("other", "RS256", []),
        ("rsa", "HS256", []),
        ("rsa", "none", []),
        ("rsa", "", []),
    ],
)
def test_the_header_of_a_token_chooses_among_what_the_keys_allow(
    key_id: str | None, algorithm: str, found: list[str]
) -> None:
    rows = [RSA, public_jwk(PROVIDER_KEY, "only", alg="RS256"), public_jwk(CURVE_KEY, "curve")]
    assert [key.key_id for key in fitting(read_keys(_jwks(*rows)), key_id, algorithm)] == found
