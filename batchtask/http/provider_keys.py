"""Public keys of an identity provider: which of them fits a token, read from a JWKS or from PEM. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: dict[type, str] = {SECP256R1: "ES256", SECP384R1: "ES384", SECP521R1: "ES512"}
#: Shorter RSA keys are broken, or soon: https://www.rfc-editor.org/rfc/rfc7518#section-3.3
_RSA_BITS = 2048


class ProviderKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and what it may verify: its kind decides, never the token, or a public key would serve as a secret."""

    key_id: str | None  #: `kid`; None = the key is not named, and may be any token's
    algorithms: tuple[str, ...]
    public_key: Any


def fitting(keys: Iterable[ProviderKey], key_id: str | None, algorithm: str) -> list[ProviderKey]:
    """Choose the keys that may have signed a token, by the two things its header says."""
    named = [key for key in keys if key_id is None or key.key_id in {None, key_id}]
    return [key for key in named if algorithm in key.algorithms]


def read_keys(octets: bytes) -> list[ProviderKey]:
    """Read all usable keys of a JWKS or of a PEM file; those of other kinds, and secrets, are left out.

    Raises:
        ValueError: It is neither, or holds no usable key.
    """
    keys = _read_pem(octets) if octets.lstrip().startswith(b"-----BEGIN") else _read_jwks(octets)
    if not keys:
        raise ValueError("there is no public key for signatures in it")
    return keys


def _read_jwks(octets: bytes) -> list[ProviderKey]:
    try:
        document = msgspec.json.decode(octets, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is neither a JWKS nor PEM: {error}") from error
    rows = document.get("keys")
    found = [_read_jwk(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [key for key in found if key]


def _read_jwk(row: dict[str, Any]) -> ProviderKey | None:
    if row.get("use", "sig") != "sig" or row.get("kty") == "oct":
        return None
    try:
        public = jwt.PyJWK(row).key
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError):
        return None  # a provider may have kinds of keys that we do not know beside those that we do
    key_id = row.get("kid")
    return _key(public, key_id if isinstance(key_id, str) else None, row.get("alg"))


def _read_pem(octets: bytes) -> list[ProviderKey]:
    blocks = [block for block in octets.split(b"-----BEGIN") if block.strip()]
    found = [_key(_load_pem(b"-----BEGIN" + block), None, None) for block in blocks]
    return [key for key in found if key]


def _load_pem(octets: bytes) -> object:
    if b"CERTIFICATE" in octets:
        return load_pem_x509_certificate(octets).public_key()
    if b"PUBLIC KEY" not in octets.partition(b"\n")[0]:
        raise ValueError("it holds what is no public key: give the provider's public key, never a private one")
    return load_pem_public_key(octets)


def _key(public: object, key_id: str | None, only: str | None) -> ProviderKey | None:
    possible = _algorithms(public)
    algorithms = tuple(name for name in possible if only in {None, name})
    return ProviderKey(key_id=key_id, algorithms=algorithms, public_key=public) if algorithms else None


def _algorithms(public: object) -> tuple[str, ...]:
    match public:
        case RSAPublicKey():
            return _RSA if public.key_size >= _RSA_BITS else ()
        case EllipticCurvePublicKey():
            name = _CURVES.get(type(public.curve))
            return (name,) if name else ()
        case Ed25519PublicKey() | Ed448PublicKey():
            return ("EdDSA",)
        case _:
            return ()
