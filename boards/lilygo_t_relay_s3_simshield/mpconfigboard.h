#define MICROPY_HW_BOARD_NAME       "hanma terminal on LilyGO T-Relay S3"
#define MICROPY_HW_MCU_NAME         "ESP32-S3"

// The console is on UART 0 too, as in MicroPython's ESP32_GENERIC_S3.
#define MICROPY_HW_ENABLE_UART_REPL (1)
