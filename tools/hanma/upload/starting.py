"""A first profile for a site: what is to be filled in, with the settings that its document leaves open."""

import json
import os
from pathlib import Path

from . import privacy
from .site import SiteError

_HEAD = """# {title} · 工地配置 (site profile)
platform = "{platform}"

# 每一行都相同的代码写在这里，表格里就不用再填。(Codes that are the same in every row.)
[values]
{values}

# 某台设备的记录都相同的内容：设备编号 → 字段。(What is the same for every record of a device.)
# [devices.GATE-1]
# placeid = "…"

# 工地自己的列名 → 字段名。(The site's own headings.)
[aliases]
# "工号" = "…"

[server]
url = ""                 # 平台地址
# ca_file = "ca.pem"     # 平台用自己的证书时
# rate_per_s = 10
# concurrency = 4

# 只写到哪里去找，不写密码本身：env:变量名 或 file:文件。(Where credentials lie, never themselves.)
[credentials]
{credentials}

# 文件没有写明的，按下面的缺省办；可以改。(What the document leaves open.)
[settings]
{settings}
"""
_CREDENTIALS = {
    "shantou": ("user", "access_secret"),
    "jiangsu": ("appid", "secret"),
    "chongqing": (),
    "zhejiang": (),
    "shanghai": (),
}
_CONSTANTS = ("project_code", "project_name", "site_code", "site_name", "permit", "unit_name", "company_code")


def profile(path, platform):
    """Write a new profile and, where there is none, a key beside it; return (profile's path, key's path or None).

    SiteError when the profile is there already: it is never replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _HEAD.format(
        title=platform.title,
        platform=platform.key,
        values=_values(platform),
        credentials="\n".join(f'{one} = "env:HANMA_{one.upper()}"' for one in _CREDENTIALS.get(platform.key, ())),
        settings="\n".join(_setting(name, one) for name, one in platform.settings.items()),
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SiteError(f"{path}: 已经有这个配置 (it is there already)") from None
    key = path.parent / "hanma.key"
    return path, None if key.exists() else privacy.new_key(os.fspath(key))


def key(site):
    """Write the key that a site's profile names; return its path. SiteError where it is elsewhere, there, or was there."""
    kind, _, where = site.key.partition(":")
    path = site.directory / where
    if kind != "file":
        raise SiteError(f"{site.key}: 密钥不是文件，请在那里做 (the key is no file: make it there)")
    if path.exists():
        raise SiteError(f"{path}: 已经有密钥 (it is there already)")
    if site.store or (site.directory / f"{site.name}.outbox.db").exists():
        raise SiteError("已经存过资料，新密钥打不开：请把原来的密钥放回去 (what is stored needs its own key: put it back)")
    return privacy.new_key(os.fspath(path))


def _values(platform):
    seen = {}
    for table in platform.tables.values():
        for one in table.fields:
            if one.concept in _CONSTANTS:
                seen.setdefault(one.concept, one.label)
    return "\n".join(f'# {concept} = ""   # {label}' for concept, label in seen.items())


def _setting(name, setting):
    choices = setting.get("choices")
    told = f"（{' / '.join(map(str, choices))}）" if choices else ""
    return f"# {setting.get('why', '')}{told}\n# {name} = {json.dumps(setting['value'], ensure_ascii=False)}"
