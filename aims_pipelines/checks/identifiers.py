"""Texts that identify people: each kind by its shape and, where it has one, its checksum.

Pure. A checksum of one digit lets one in ten random numbers through, so callers judge the share of well-shaped
texts that are valid, not single texts.

Sources: ISO 13616 (IBAN), ISO/IEC 7812-1 annex B (card numbers), and the published rules of the issuing states.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of identifying text.

    Args:
        name: For reasons and reports.
        shape: What the whole text looks like, or for ``anywhere`` a part of it.
        valid: Whether a text of that shape is a genuine one; the matched part is given, without separators.
        anywhere: Whether the shape is so telling that it counts inside longer text.
        digits: Whether it may be stored as a whole number.
    """

    name: str
    shape: re.Pattern[str]
    valid: Callable[[str], bool]
    anywhere: bool = False
    digits: bool = False

    def shaped(self, text: str) -> str | None:
        """The part of a text that has the shape, without separators; ``None`` if there is none."""
        found = self.shape.search(text) if self.anywhere else self.shape.fullmatch(text)
        return None if found is None else _SEPARATORS.sub("", found.group())


_SEPARATORS: Final = re.compile(r"[ \-/]")


def luhn(digits: str) -> bool:
    """Check digit of card numbers.

    Example:
        >>> luhn("4111111111111111"), luhn("4111111111111112")
        (True, False)
    """
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    plain = [int(digit) for digit in digits[-1::-2]]
    return (sum(plain) + sum(number - 9 if number > 9 else number for number in doubled)) % 10 == 0


def _card(digits: str) -> bool:
    return digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def _iban(text: str) -> bool:
    turned = (text[4:] + text[:4]).upper()
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _ip(text: str) -> bool:
    """Whether it is an address and not a version number, which has small parts."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.version == 6 or (address.packed[0] > 0 and max(address.packed) > 31)


def _ssn(digits: str) -> bool:
    return (
        digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    )


def _cpf(digits: str) -> bool:
    if len(set(digits)) == 1:
        return False
    for end in (9, 10):
        total = sum(int(digit) * (end + 1 - place) for place, digit in enumerate(digits[:end]))
        if (total * 10 % 11) % 10 != int(digits[end]):
            return False
    return True


def _pesel(digits: str) -> bool:
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    dated = 1 <= int(digits[2:4]) % 20 <= 12 and 1 <= int(digits[4:6]) <= 31
    return dated and sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 10 == 0


def _steuer_id(digits: str) -> bool:
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    repeated = 10 - len(set(digits[:10]))
    return digits[0] != "0" and 1 <= repeated <= 2 and (11 - product) % 10 == int(digits[10])


def _dni(text: str) -> bool:
    number = text[:-1].upper().translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1].upper()


def _nir(digits: str) -> bool:
    return 1 <= int(digits[3:5]) <= 12 and 97 - int(digits[:13]) % 97 == int(digits[13:])


_ODD: Final = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)


def _letter(character: str) -> str:
    """A digit counts like the letter in its place."""
    return chr(ord("A") + int(character)) if character.isdigit() else character


def _codice_fiscale(text: str) -> bool:
    code = [_letter(character) for character in text[:15].upper()]
    total = sum(_ODD[letter] for letter in code[0::2]) + sum(ord(letter) - ord("A") for letter in code[1::2])
    return chr(ord("A") + total % 26) == text[15].upper()


def _always(text: str) -> bool:
    return bool(text)


KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        name="e-mail address",
        shape=re.compile(
            r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,4}\.[A-Za-z]{2,24}"
        ),
        valid=_always,
        anywhere=True,
    ),
    Kind(
        name="IBAN",
        shape=re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        valid=_iban,
        anywhere=True,
    ),
    Kind(
        name="payment card number",
        shape=re.compile(
            r"[0-9]{13,19}|[0-9]{4}(?:[ \-][0-9]{4}){3}|3[47][0-9]{2}[ \-][0-9]{6}[ \-][0-9]{5}"
        ),
        valid=_card,
        digits=True,
    ),
    Kind(
        name="phone number",
        shape=re.compile(
            r"\+[0-9]{1,3}(?:[ \-/.]?\(?[0-9]{1,5}\)?){2,6}|(?:1[\-. ])?\(?[2-9][0-9]{2}\)?[\-. ][0-9]{3}[\-. ][0-9]{4}"
            r"|0[0-9]{1,4}[ /][0-9][0-9 \-]{4,9}"
        ),
        valid=lambda text: 7 <= sum(character.isdigit() for character in text) <= 15,
    ),
    Kind(name="IP address", shape=re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{2,39}"), valid=_ip),
    Kind(name="US social security number", shape=re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}"), valid=_ssn),
    Kind(
        name="UK national insurance number",
        shape=re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"),
        valid=_always,
    ),
    Kind(name="Spanish DNI or NIE", shape=re.compile(r"[0-9XYZxyz][0-9]{7}-?[A-Za-z]"), valid=_dni),
    Kind(
        name="Italian codice fiscale",
        shape=re.compile(r"[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]"),
        valid=_codice_fiscale,
    ),
    Kind(
        name="Brazilian CPF",
        shape=re.compile(r"[0-9]{11}|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
        valid=lambda text: _cpf(text.replace(".", "")),
        digits=True,
    ),
    Kind(name="Polish PESEL", shape=re.compile(r"[0-9]{11}"), valid=_pesel, digits=True),
    Kind(
        name="German tax id",
        shape=re.compile(r"[0-9]{11}|[0-9]{2}(?: [0-9]{3}){3}"),
        valid=_steuer_id,
        digits=True,
    ),
    Kind(
        name="French NIR",
        shape=re.compile(r"[12][0-9]{14}|[12](?: [0-9]{2}){3}(?: [0-9]{3}){2} [0-9]{2}"),
        valid=_nir,
        digits=True,
    ),
)
