"""Nukkad Pay's fraud service. Its image is your work; its code is given."""
