"""Access by policies: HCL to rules, rules and a path to a verdict. Asks no server."""
