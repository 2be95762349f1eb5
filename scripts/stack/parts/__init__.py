"""The built-in parts, one module each: the part's description and the settings that it contributes."""
