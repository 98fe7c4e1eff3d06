"""The words for a refused bundle and for what it says of itself, Chinese and English. Tables only; the codes are the device's."""

REASONS = {
    "bad_format": ("不是升级包，或内容不合规定", "no bundle, or not formed as one"),
    "wrong_signature": ("签名不对，内容被改动过", "the signature is wrong: something was changed"),
    "unknown_key": ("签名密钥不认识或已作废", "signed by a key that is unknown or retired"),
    "wrong_board": ("不适用于这块板", "made for another board"),
    "wrong_micropython": ("不适用于这个 MicroPython 版本", "made for another version of MicroPython"),
    "older": ("版本不比正在运行的新", "not newer than what runs"),
    "expired": ("已过有效期", "expired"),
    "too_large": ("太大，或末尾有多余数据", "too large, or it does not end where it should"),
    "mixed_files": ("文件内容与清单不符，混入了别的版本", "a file is not the one in the list: mixed with another release"),
    "truncated": ("不完整，中途截断", "cut short"),
    "base_mismatch": ("与正在运行的版本不衔接", "does not follow on what runs"),
}

STEPS = {
    "head": ("文件头", "head"),
    "signature": ("签名", "signature"),
    "fitness": ("适用性", "fitness"),
    "list": ("文件清单", "list of files"),
    "end": ("结尾", "end"),
}

FACTS = {
    "version": ("版本", "version"),
    "text": ("版本名", "name"),
    "kind": ("种类", "kind"),
    "boards": ("适用板", "boards"),
    "micropython": ("适用固件", "MicroPython"),
    "follows": ("最低可升级版本", "follows at least"),
    "expires_ms": ("有效期至", "expires"),
    "base": ("差分基础版本", "base"),
    "retires": ("作废密钥", "retires key"),
    "bytes": ("全部文件", "all files"),
    "carried_bytes": ("包内文件", "files carried"),
}


def both(words, key):
    """Return a table's words for a key in both languages; a key that is in no table as it is."""
    return " ".join(words[key]) if key in words else str(key)
