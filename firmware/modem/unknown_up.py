"""What brings up a modem whose family is not known yet: times that suit every family. Borrowed.

Sources: SIMCom A7670 hardware design V1.06 (a key pressed for 2.5 s switches off), Quectel EC200U-CN release notes (2 s to
switch on), Luat Air780EP hardware guide (the same). Times are in ms.
"""

BAUDS = (115200, 9600, 57600, 921600)
KEY_ON_MS = 2000
KEY_OFF_MS = 3000
KEY_GAP_MS = 2000
RESET_MS = 2500
BOOT_MS = 30000
START_MS = 12000  # it may be a Quectel that got its power with the terminal: the key would stop it

AT = (b"AT", None, 300)
RADIO = (b"AT+CFUN=1,1",)
POWER_DOWN = None
