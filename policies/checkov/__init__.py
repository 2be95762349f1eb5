"""Policy as code: checkov's checks and ADX's own, judged by severities and waivers that are declared in YAML."""
