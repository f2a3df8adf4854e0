"""Quash as clients see it that know nothing of it: PyJWT, joserfc, Authlib and requests.

Run by ThirdPartyClientTests.swift against an issuer and a validator of its own:

    third_party.py ISSUER_URL ADMIN_URL VALIDATOR_URL ISSUER_NAME AUDIENCE

with the administrator's credential in ADMIN_TOKEN and that of the client "gateway" in CLIENT_SECRET. Prints a line for
each thing that holds, and ends with a traceback at the first that does not.
"""

import os
import sys
import time
from urllib.parse import urlsplit

import jwt
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc.jwk import KeySet

ISSUER, ADMIN, VALIDATOR, NAME, AUDIENCE = sys.argv[1:]
CLIENT = "gateway"
SECRET = os.environ["CLIENT_SECRET"]
TIMEOUT = 10


def holds(what, condition=True):
    assert condition, what
    print("ok:", what, flush=True)


def discover():
    """The metadata, by Authlib's own checks; its endpoints at the address where this issuer is really reached."""
    document = requests.get(ISSUER + "/.well-known/oauth-authorization-server", timeout=TIMEOUT).json()
    AuthorizationServerMetadata(document).validate()
    holds("Authlib takes the metadata (RFC 8414)", document["issuer"] == NAME)
    names = ["token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"]
    return {name: ISSUER + urlsplit(document[name]).path for name in names}


def sign_in(subject):
    body = {"sub": subject, "client_id": CLIENT, "scope": "read write"}
    credential = {"Authorization": "Bearer " + os.environ["ADMIN_TOKEN"]}
    answer = requests.post(ADMIN + "/admin/v1/sessions", json=body, headers=credential, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.json()


def verify(token, jwks_uri, subject):
    """PyJWT finds the key by its kid and verifies the token as any API would."""
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=NAME,
        options={"require": ["exp", "iat", "sub", "jti", "iss", "aud"]},
    )
    assert claims["sub"] == subject and claims["client_id"] == CLIENT, claims
    assert claims["exp"] - claims["iat"] == 900, claims
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "RS256", "typ": "at+jwt", "kid": key.key_id}, header


def expires(token, jwks_uri):
    """Whether PyJWT finds the token expired an hour from now."""
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    try:
        jwt.decode(
            token, key, algorithms=["RS256"], audience=AUDIENCE, leeway=-3600, options={"verify_iat": False})
    except jwt.ExpiredSignatureError:
        return True
    return False


def decide(token):
    answer = requests.get(
        VALIDATOR + "/authz/forward-auth", headers={"Authorization": "Bearer " + token}, timeout=TIMEOUT)
    return answer.status_code, answer.headers


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not within 10 seconds"
        time.sleep(0.01)


def session(method):
    return OAuth2Session(CLIENT, SECRET, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method)


def use(endpoints, method):
    """Refresh, introspection and revocation as Authlib makes them, with one way of client authentication."""
    subject = "third party " + method
    client = session(method)
    pair = sign_in(subject)
    verify(pair["access_token"], endpoints["jwks_uri"], subject)
    holds("PyJWT verifies an access token by the key set", expires(pair["access_token"], endpoints["jwks_uri"]))
    status, headers = decide(pair["access_token"])
    holds("the validator accepts it", status == 200 and headers["X-Auth-Subject"] == subject)

    fresh = client.refresh_token(endpoints["token_endpoint"], refresh_token=pair["refresh_token"])
    verify(fresh["access_token"], endpoints["jwks_uri"], subject)
    holds(f"Authlib refreshes ({method})", fresh["refresh_token"] != pair["refresh_token"])
    narrow = client.refresh_token(endpoints["token_endpoint"], refresh_token=fresh["refresh_token"], scope="read")
    holds("Authlib asks for a narrower scope", narrow["scope"] == "read")

    facts = client.introspect_token(endpoints["introspection_endpoint"], token=narrow["access_token"]).json()
    holds("Authlib introspects", facts["active"] is True and facts["sub"] == subject and facts["scope"] == "read")

    revocation = client.revoke_token(
        endpoints["revocation_endpoint"], token=narrow["refresh_token"], token_type_hint="refresh_token")
    holds("Authlib revokes the refresh token", revocation.status_code == 200)
    for token in [pair["access_token"], fresh["access_token"], narrow["access_token"]]:
        wait_for(lambda: decide(token)[0] == 401)
    challenge = decide(narrow["access_token"])[1]["WWW-Authenticate"]
    holds("the validator refuses every access token of the session", 'error="invalid_token"' in challenge)
    verify(narrow["access_token"], endpoints["jwks_uri"], subject)
    holds("which PyJWT alone would still accept")
    facts = client.introspect_token(endpoints["introspection_endpoint"], token=narrow["access_token"]).json()
    holds("introspection says inactive and nothing else", facts == {"active": False})
    try:
        client.refresh_token(endpoints["token_endpoint"], refresh_token=narrow["refresh_token"])
    except OAuthError as error:
        holds("Authlib's refresh is invalid_grant", error.error == "invalid_grant")
    else:
        raise AssertionError("a revoked refresh token was refreshed")


def main():
    endpoints = discover()
    keys = KeySet.import_key_set(requests.get(endpoints["jwks_uri"], timeout=TIMEOUT).json())
    holds("joserfc finds each kid to be the thumbprint (RFC 7638)", all(k.kid == k.thumbprint() for k in keys.keys))
    for method in ["client_secret_basic", "client_secret_post"]:
        use(endpoints, method)
    try:
        wrong = OAuth2Session(CLIENT, "wrong", token_endpoint_auth_method="client_secret_basic")
        wrong.refresh_token(endpoints["token_endpoint"], refresh_token=sign_in("third party wrong")["refresh_token"])
    except OAuthError as error:
        holds("a wrong client secret is invalid_client", error.error == "invalid_client")
    else:
        raise AssertionError("a wrong client secret was taken")
    print("all hold")


main()
