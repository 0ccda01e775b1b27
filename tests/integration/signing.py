# SPDX-License-Identifier: Apache-2.0
"""SDK-HMAC-SHA256 as the cloud's gateway checks it, written from its description alone.

Independent of holdfast's own signer on purpose: two programs that share a mistake agree with each other.
"""

import hashlib
import hmac
import re
from urllib.parse import unquote_to_bytes

ALGORITHM = "SDK-HMAC-SHA256"
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
AUTHORIZATION = re.compile(
    r"^SDK-HMAC-SHA256 Access=(?P<access>[^,\s]+), SignedHeaders=(?P<signed>[a-z0-9;-]+), "
    r"Signature=(?P<signature>[0-9a-f]{64})$"
)


def encode(data):
    """Percent-encode all but the unreserved characters, upper-case hex."""
    if isinstance(data, str):
        data = data.encode()
    return "".join(chr(b) if b in UNRESERVED else f"%{b:02X}" for b in data)


def canonical_uri(path):
    """Decode once, encode each segment, end in a slash."""
    segments = unquote_to_bytes(path).split(b"/")
    uri = "/".join(encode(s) for s in segments)
    return uri if uri.endswith("/") else uri + "/"


def canonical_query(pairs):
    """Pairs of raw bytes or text, sorted by raw key, then raw value."""
    raw = [tuple(x.encode() if isinstance(x, str) else x for x in pair) for pair in pairs]
    return "&".join(f"{encode(k)}={encode(v)}" for k, v in sorted(raw))


def parse_query(query):
    """The pairs of a query as it came on the wire. A plus sign is a plus sign."""
    pairs = []
    for part in query.split("&") if query else []:
        key, _, value = part.partition("=")
        pairs.append((unquote_to_bytes(key), unquote_to_bytes(value)))
    return pairs


def canonical_request(method, path, pairs, headers, signed, body):
    """`headers`: lower-case name to value, as received; `signed`: names in the order they are signed."""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    payload = hashlib.sha256(body).hexdigest()
    if body and "x-sdk-content-sha256" in headers:
        payload = headers["x-sdk-content-sha256"]
    return "\n".join([method, canonical_uri(path), canonical_query(pairs), lines, ";".join(signed), payload])


def string_to_sign(canonical, date):
    return "\n".join([ALGORITHM, date, hashlib.sha256(canonical.encode()).hexdigest()])


def signature(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(access, secret, method, path, pairs, headers, body, date):
    """What a client puts into Authorization. `headers` must hold host and x-sdk-date, names in lower case."""
    signed = sorted(n for n in headers if "_" not in n)
    canonical = canonical_request(method, path, pairs, headers, signed, body)
    text = string_to_sign(canonical, date)
    return f"{ALGORITHM} Access={access}, SignedHeaders={';'.join(signed)}, Signature={signature(secret, text)}"
