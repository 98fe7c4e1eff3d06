"""The Cat1 modem: AT conversation, registration, data call and sockets. Reusable by itself."""
