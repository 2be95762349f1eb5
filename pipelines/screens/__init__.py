"""What a person sees: records in, rich renderables out. Pure; one module per screen.

Boundaries: reads no clock, no terminal and no server, so that every screen
has a golden file.
"""
