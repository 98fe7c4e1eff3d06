"""What is run on a board over its raw REPL: MicroPython's own modules, and of the firmware only what main.py names too.

State: none. Each prints JSON, one value a line.
"""

FACTS = """
import binascii, gc, json, machine, os, sys
gc.collect()
try:
    import esp32
    flash = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")[0].info()[3]
except Exception:
    flash = None
print(json.dumps({"chip": binascii.hexlify(machine.unique_id()).decode(), "machine": sys.implementation._machine,
    "version": list(sys.implementation.version)[:3], "release": os.uname()[3], "heap": gc.mem_free() + gc.mem_alloc(),
    "vfs": flash}))
"""

# One line [path, digest] for each file at the top and under lib.
HASHES = """
import binascii, hashlib, json, os
def show(path):
    digest, room = hashlib.sha256(), memoryview(bytearray(1024))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(room)
            if not count:
                break
            digest.update(room[:count])
    print(json.dumps([path[1:], binascii.hexlify(digest.digest()).decode()]))
def walk(directory):
    for entry in os.ilistdir(directory or "/"):
        path = directory + "/" + entry[0]
        if not entry[1] & 0x4000:
            show(path)
        elif path.startswith("/lib"):
            walk(path)
walk("")
"""

PREPARE = """
import binascii, os
def make(path):
    made = ""
    for part in path.split("/")[:-1]:
        made += "/" + part
        try:
            os.mkdir(made)
        except OSError as error:
            if error.args[0] != 17:
                raise
    return open("/" + path, "wb")
def drop(path):
    try:
        os.remove("/" + path)
    except OSError as error:
        if error.args[0] != 2:
            raise
"""

# SALT: bytes. Prints {key: digest of salt and value, or null}, and the lock.
IDENTITY = """
import binascii, esp32, hashlib, json
nvs = esp32.NVS("hanma")
def read(key):
    room = bytearray(256)
    try:
        return bytes(room[:nvs.get_blob(key, room)])
    except OSError as error:
        if error.args[0] != -4354:
            raise
def lock():
    try:
        return nvs.get_i32("lock")
    except OSError as error:
        if error.args[0] != -4354:
            raise
    return 0
device = read("device_id")
found = {"device": device and device.decode(), "lock": lock()}
for key in KEYS:
    value = read(key)
    found[key] = value and binascii.hexlify(hashlib.sha256(SALT + value).digest()).decode()
print(json.dumps(found))
"""

# VALUES: {key: bytes or None}
KEEP = """
import esp32
nvs = esp32.NVS("hanma")
for key, value in VALUES.items():
    if value is None:
        try:
            nvs.erase_key(key)
        except OSError as error:
            if error.args[0] != -4354:
                raise
    else:
        nvs.set_blob(key, value)
nvs.commit()
"""

LOCK = """
import esp32
nvs = esp32.NVS("hanma")
nvs.set_i32("lock", 1)
nvs.commit()
"""

SELFTEST = """
from terminal.borrow import borrow
borrow("selftest").run({up_s}, {rsrp_dbm})
"""

LEAVE = """
try:
    from terminal.borrow import borrow
    borrow("console").run()
except ImportError:
    pass
"""

DOCTOR = """
from terminal.borrow import borrow
borrow("selftest").build()
borrow("console").run()
"""
