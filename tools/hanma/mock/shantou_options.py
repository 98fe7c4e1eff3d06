"""What may be set at the stand-in of Shantou, and the defaults. Apart, so that the command line needs no web server for it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """What may be set.

    token_life_s: seconds; the document's example lives six hours less one second. same_token: a token asked for again is
    the live one. failure_code: how a record is refused at the endpoints whose list has no failure of their own; the
    document gives them only 系统异常. may_be_empty: required texts, as endpoint.field, that may be "".
    """

    user: str = "admin"
    secret: str = "stand-in-secret"
    token_life_s: float = 21599
    same_token: bool = False
    decode_images: bool = False
    failure_code: str = "900010199"
    may_be_empty: frozenset = frozenset()
