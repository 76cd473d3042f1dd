"""What runs as a service: each module is started as `python -m labs.services.programs.NAME SOCKET DATA`.

SOCKET is the number of a descriptor that already listens on 127.0.0.1 (or, for a program that binds by itself, the
port); DATA is the folder that it may write. The ones that are servers in Python can also be run by a fork which has
imported their libraries: `main([SOCKET, DATA])`.
"""
