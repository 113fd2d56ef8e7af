"""Whether a text that is to be reviewed, hashed and shown holds a password or another credential."""

import re
from urllib.parse import parse_qsl, urlsplit

_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|client[_-]?secret|token|access[_-]?token|auth[_-]?token|bearer"
    r"|api[_-]?key|access[_-]?key(?:[_-]?id)?|account[_-]?key|private[_-]?key|shared[_-]?access[_-]?(?:key|signature)"
    r"|credentials?|sig|signature|sas|x-amz-(?:credential|signature|security-token)|x-goog-(?:credential|signature)"
)
_NAMED = re.compile(rf"(?<![a-z0-9])({_NAMES})\s*[=:]\s*[^\s;,&]", re.IGNORECASE)
_PARAMETER = re.compile(rf"(?:{_NAMES}|key|code|auth)", re.IGNORECASE)
_USERINFO = re.compile(r"[a-z][a-z0-9+.-]*:/{2,3}[^/?#\s]*@", re.IGNORECASE)
# Keys that their issuers mark by how they begin, and signed web tokens.
_KNOWN_FORMS = re.compile(
    r"(?:AKIA|ASIA)[0-9A-Z]{16}|gh[opsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}"
    r"|sk-[\w-]{20,}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def credential_in(text: str) -> str:
    """Say what looks like a credential, without repeating it; empty if nothing does.

    Example:
        >>> credential_in("postgresql://etl:hunter2@db.internal/core")
        'a user or password in the address'
        >>> credential_in("postgresql://db.internal/core, table applications")
        ''
    """
    if _USERINFO.search(text):
        return "a user or password in the address"
    if named := _NAMED.search(text):
        return f"a value for '{named[1].lower()}'"
    if _KNOWN_FORMS.search(text):
        return "what looks like an access key or token"
    for part in text.split():
        try:
            query = urlsplit(part).query
        except ValueError:
            continue  # not an address
        for name, value in parse_qsl(query):
            if value and _PARAMETER.fullmatch(name):
                return f"a value for '{name.lower()}' in the address"
    return ""
