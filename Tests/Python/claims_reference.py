"""What a token's claims say to a reader that knows nothing of Quash: Python's own json, and rules on top of it.

Run by ClaimsReferenceTests.swift, as

    claims_reference.py PAYLOADS

where PAYLOADS is a file of payloads, each with its length in front in four bytes, lowest first. Writes one line for
each: `-` if it is not JSON as RFC 8259 has it; the names of the rules that it breaks, with commas between them; or
`=` and the claims, each ended by the byte 0x1F, which none of them can have inside.

The grammar is that of json, made exact where json is lenient: NaN and Infinity are refused, numbers stay text, and
objects keep every member. Bytes that are not UTF-8 are replaced first, so that only the rule tells of them.
"""

import json
import re
import struct
import sys

MAX_DEPTH = 16
MAX_OPEN_MEMBERS = 128
MAX_NAME_BYTES = 255
MAX_IDENTIFIER_BYTES = 128
MAX_SCOPE_BYTES = 1024
MAX_AUDIENCES = 16
LAST_DATE = 253_402_300_799  # 9999-12-31T23:59:59Z

# The length of each claim that is a string.
STRINGS = {
    "sub": range(1, MAX_NAME_BYTES + 1),
    "jti": range(1, MAX_IDENTIFIER_BYTES + 1),
    "iss": range(1, MAX_NAME_BYTES + 1),
    "client_id": range(1, MAX_NAME_BYTES + 1),
    "scope": range(0, MAX_SCOPE_BYTES + 1),
    "sid": range(1, MAX_IDENTIFIER_BYTES + 1),
}
DATES = ("iat", "exp", "nbf")
REQUIRED = ("sub", "jti", "iat", "exp")


class Number(str):
    """A number as it is spelled."""

    def floor(self):
        """The largest integer that is not above it; exact, and None for what is far out of range."""
        sign, whole, fraction, exponent = re.fullmatch(
            r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?", self
        ).groups(default="")
        digits = int(whole + fraction)
        if digits == 0:
            return 0
        if sign:
            digits = -digits
        shift = int(exponent or 0) - len(fraction)
        if len(str(abs(digits))) + shift > 20:
            return None
        if len(str(abs(digits))) + shift < -20:
            return -1 if sign else 0
        return digits * 10**shift if shift >= 0 else digits // 10**-shift


class Members(list):
    """An object: pairs of a name and a value, each as often as it is there."""


def refuse(constant):
    raise ValueError(constant)


DECODER = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=Members, strict=True
)


def is_string(value):
    return isinstance(value, str) and not isinstance(value, Number)


def has_half_pair(text):
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def look(value, depth, members, broken):
    """Looks through a whole document for what is wrong in any part of it."""
    if isinstance(value, Members):
        if depth + 1 > MAX_DEPTH:
            broken.add("depth")
        if members + len(value) > MAX_OPEN_MEMBERS:
            broken.add("open-members")
        if len({name for name, _ in value}) != len(value):
            broken.add("duplicate-name")
        for index, (name, member) in enumerate(value):
            if has_half_pair(name):
                broken.add("half-surrogate-pair")
            look(member, depth + 1, members + index + 1, broken)
    elif isinstance(value, list):
        if depth + 1 > MAX_DEPTH:
            broken.add("depth")
        for element in value:
            look(element, depth + 1, members, broken)
    elif is_string(value) and has_half_pair(value):
        broken.add("half-surrogate-pair")


def judge_string(value, lengths, broken):
    if not is_string(value):
        broken.add("type")
        return
    if len(value.encode("utf-8", "surrogatepass")) not in lengths:
        broken.add("length")
    if any(character < " " for character in value):
        broken.add("control-character")


def judge_audience(value, broken):
    names = value if isinstance(value, list) and not isinstance(value, Members) else [value]
    if len(names) > MAX_AUDIENCES:
        broken.add("audience-count")
    for name in names:
        judge_string(name, range(1, MAX_NAME_BYTES + 1), broken)


def judge(document, broken):
    """The rules about the claims themselves."""
    if not isinstance(document, Members):
        broken.add("object")
        return
    for name, value in document:
        if name in STRINGS:
            judge_string(value, STRINGS[name], broken)
        elif name == "aud":
            judge_audience(value, broken)
        elif name in DATES:
            if not isinstance(value, Number):
                broken.add("type")
            elif value.floor() is None or not 0 <= value.floor() <= LAST_DATE:
                broken.add("date-range")
    names = {name for name, _ in document}
    if not names.issuperset(REQUIRED):
        broken.add("required-claim")


def record(document):
    claims = dict(document)
    fields = [claims.get(name, "\x1d") for name in STRINGS]
    fields += [str(claims[name].floor()) if name in claims else "\x1d" for name in DATES]
    audience = claims.get("aud", [])
    fields += [audience] if is_string(audience) else audience
    return "=" + "".join(field + "\x1f" for field in fields)


def answer(payload):
    broken = set()
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        text = payload.decode("utf-8", "replace")
        broken.add("utf-8")
    try:
        # JSON's white space and nothing else: str.strip() would take more.
        document, end = DECODER.raw_decode(text, re.match("[ \t\n\r]*", text).end())
        if text[end:].strip(" \t\n\r"):
            return "-"
    except ValueError:
        return "-"
    look(document, 0, 0, broken)
    judge(document, broken)
    return ",".join(sorted(broken)) or record(document)


def main():
    sys.set_int_max_str_digits(0)
    with open(sys.argv[1], "rb") as file:
        payloads = file.read()
    lines = []
    position = 0
    while position < len(payloads):
        (length,) = struct.unpack_from("<I", payloads, position)
        position += 4 + length
        lines.append(answer(payloads[position - length : position]))
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode())


main()
